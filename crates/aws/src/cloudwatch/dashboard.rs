//! A page of graphs.

use super::{retag, tags, to_tags};
use crate::{Arn, Aws, error::Sent};
use bedplate_model::{
    CallError, Creation, Id, Json, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step,
    Tags, Terraform, Which,
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
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_cloudwatch_dashboard", id: "{dashboard_name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "cloudwatch:DeleteDashboards",
        "cloudwatch:GetDashboard",
        "cloudwatch:ListDashboards",
        "cloudwatch:ListTagsForResource",
        "cloudwatch:PutDashboard",
        "cloudwatch:TagResource",
        "cloudwatch:UntagResource",
        "tag:GetResources",
    ];
    // The name is what replaces it, so that old and new stand side by side.
    const ORDER: Order = Order::CreateFirst;
    type Cloud = Aws;
    type Spec<P: Phase> = DashboardSpec<P>;
    type Outputs<P: Phase> = DashboardOutputs<P>;

    fn identity(spec: &DashboardSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let ids = match which {
            Which::Ids(ids) => ids.to_vec(),
            Which::Owned(_) => all(cloud).await?,
        };
        let mut found = Vec::new();
        for id in &ids {
            let request = cloud.cloudwatch.get_dashboard().dashboard_name(id.as_str());
            let Some(answer) = request.send().await.found()? else { continue };
            let Some(tags) = tags(cloud, answer.dashboard_arn().unwrap_or_default()).await? else { continue };
            if which.covers(id, &tags) {
                found.push(observe(id, answer.dashboard_arn(), answer.dashboard_body(), tags));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &DashboardSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        put(cloud, spec, Some(&creation.tags)).await?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        put(cloud, step.wanted, None).await
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let answer = cloud.cloudwatch.get_dashboard().dashboard_name(id.as_str()).send().await.sent()?;
        let arn =
            answer.dashboard_arn().ok_or_else(|| CallError::malformed("cloudwatch:GetDashboard", "DashboardArn"))?;
        retag(cloud, arn, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.cloudwatch.delete_dashboards().dashboard_names(id.as_str()).send().await.sent().map(drop)
    }
}

/// The names of all dashboards of the account.
async fn all(cloud: &Aws) -> Result<Vec<Id>, CallError> {
    let mut pages = cloud.cloudwatch.list_dashboards().into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(entry) = pages.next().await {
        found.extend(entry.sent()?.dashboard_name().map(Id::new));
    }
    Ok(found)
}

/// Makes it or sets what it shows anew; CloudWatch takes the tags only when it is made.
async fn put(cloud: &Aws, spec: &DashboardSpec<Resolved>, tags: Option<&Tags>) -> Result<(), CallError> {
    let request = cloud.cloudwatch.put_dashboard().dashboard_name(&spec.name).set_tags(tags.map(to_tags));
    request.dashboard_body(spec.body.to_string()).send().await.sent().map(drop)
}

fn observe(id: &Id, arn: Option<&str>, body: Option<&str>, tags: Tags) -> Observation<Dashboard> {
    let name = id.as_str().to_owned();
    Observation {
        id: id.clone(),
        tags: Some(tags),
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
        let body = Some(r#"{"widgets": [], "start": "-P1D"}"#);
        let seen = observe(&Id::new("operations"), Some("arn:dashboard"), body, Tags::new());
        let body = json!({"start": "-P1D", "widgets": []});
        assert_eq!(seen.spec.to_json(), json!({"name": "operations", "body": body}));
        assert_eq!(seen.outputs.unwrap().arn.as_str(), "arn:dashboard");
    }
}
