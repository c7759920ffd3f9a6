//! A page of graphs.

use crate::{Arn, Aws, error::Sent};
use bedplate_model::{
    CallError, Creation, Id, Json, Observation, Observed, Order, Ownership, Phase, Readiness, Reconcile, Record,
    Resolved, Step, Which,
};

/// A page of graphs.
#[derive(Debug)]
pub enum Dashboard {}

/// Settings of a dashboard.
#[derive(Clone, Debug, Record)]
pub struct DashboardSpec<P: Phase> {
    /// Its name, unique in the account; at most 255 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`.
    #[replace]
    #[aws("DashboardName")]
    pub name: P::Of<String>,
    /// What it shows, as CloudWatch defines it: an object with a list of `widgets`.
    #[aws("DashboardBody")]
    pub body: P::Of<Json>,
}

/// Outputs of a dashboard.
#[derive(Clone, Debug, Record)]
pub struct DashboardOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for Dashboard {
    const KIND: &'static str = "cloudwatch.dashboard";
    const DOC: &'static str = "A page of graphs.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::CloudWatch::Dashboard");
    const ACTIONS: &'static [&'static str] =
        &["cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:PutDashboard"];
    // The name is what replaces it, so that old and new stand side by side.
    const ORDER: Order = Order::CreateFirst;
    // Its name alone says that it is ours: it holds nothing that could be lost.
    const OWNERSHIP: Ownership = Ownership::Parent;
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = DashboardSpec<P>;
    type Outputs<P: Phase> = DashboardOutputs<P>;

    fn identity(spec: &DashboardSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let Which::Ids(ids) = which else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for id in ids {
            let answer = cloud.cloudwatch.get_dashboard().dashboard_name(id.as_str()).send().await.found()?;
            found.extend(answer.map(|answer| observe(id, answer.dashboard_arn(), answer.dashboard_body())));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &DashboardSpec<Resolved>, _: &Creation) -> Result<Id, CallError> {
        put(cloud, spec).await?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        put(cloud, step.wanted).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.cloudwatch.delete_dashboards().dashboard_names(id.as_str()).send().await.sent().map(drop)
    }
}

async fn put(cloud: &Aws, spec: &DashboardSpec<Resolved>) -> Result<(), CallError> {
    let request = cloud.cloudwatch.put_dashboard().dashboard_name(&spec.name);
    request.dashboard_body(spec.body.to_string()).send().await.sent().map(drop)
}

fn observe(id: &Id, arn: Option<&str>, body: Option<&str>) -> Observation<Dashboard> {
    let name = id.as_str().to_owned();
    Observation {
        id: id.clone(),
        tags: None,
        readiness: Readiness::Ready,
        spec: DashboardSpec {
            name: Some(name.clone()),
            // One that cannot be read is put again.
            body: Some(body.and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default()),
        },
        outputs: arn.map(|arn| DashboardOutputs { name, arn: Arn::new(arn) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dashboard_is_read_as_aws_shows_it() {
        let seen = observe(&Id::new("operations"), Some("arn:dashboard"), Some(r#"{"widgets": [], "start": "-P1D"}"#));
        let body = json!({"start": "-P1D", "widgets": []});
        assert_eq!(seen.spec.to_json(), json!({"name": "operations", "body": body}));
        assert_eq!(seen.outputs.unwrap().arn.as_str(), "arn:dashboard");
    }
}
