//! What a cost and usage report holds, and where it is delivered.

use crate::{Arn, Aws, error::Sent};
use aws_sdk_costandusagereport::types::{
    AdditionalArtifact, AwsRegion, CompressionFormat, ReportDefinition as SdkReport, ReportFormat, ReportVersioning,
    SchemaElement, Tag, TimeUnit,
};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::BTreeSet;

/// What a cost and usage report holds, and where it is delivered.
///
/// Its id is `account|name`. Deleting it ends the deliveries; what was delivered stays in the bucket.
#[derive(Debug)]
pub enum ReportDefinition {}

/// Settings of a report.
#[derive(Clone, Debug, Record)]
pub struct ReportDefinitionSpec<P: Phase> {
    /// The account whose costs it shows, 12 digits.
    #[replace]
    #[aws(none)]
    pub account: P::Of<String>,
    /// Its name, unique in the account; at most 256 characters, without spaces.
    #[replace]
    #[aws("ReportName")]
    pub name: P::Of<String>,
    /// What one line sums up: `HOURLY`, `DAILY` or `MONTHLY`.
    #[replace]
    #[aws("TimeUnit")]
    pub time_unit: P::Of<String>,
    /// The form of its files: `Parquet` or `textORcsv`.
    #[aws("Format")]
    pub format: P::Of<String>,
    /// How they are compressed: `Parquet`, `GZIP` or `ZIP`.
    #[aws("Compression")]
    pub compression: P::Of<String>,
    /// Further columns: `RESOURCES` for the ids of resources.
    #[replace]
    #[aws("AdditionalSchemaElements")]
    pub schema_elements: P::Of<BTreeSet<String>>,
    /// What is made of it for other services: `ATHENA`, `REDSHIFT` or `QUICKSIGHT`.
    #[aws("AdditionalArtifacts")]
    pub artifacts: P::Of<BTreeSet<String>>,
    /// The name of the bucket it is delivered to.
    #[aws("S3Bucket")]
    pub bucket: P::Of<String>,
    /// What the keys of its files begin with, without `/` at the end.
    #[aws("S3Prefix")]
    pub prefix: P::Of<String>,
    /// The bucket's region.
    #[aws("S3Region")]
    pub region: P::Of<String>,
    /// Whether a month that is over is delivered again when AWS corrects its costs.
    #[aws("RefreshClosedReports")]
    pub refresh_closed: P::Of<bool>,
    /// What a delivery does with the one before it: `OVERWRITE_REPORT` or `CREATE_NEW_REPORT`.
    #[replace]
    #[aws("ReportVersioning")]
    pub versioning: P::Of<String>,
}

/// Outputs of a report.
#[derive(Clone, Debug, Record)]
pub struct ReportDefinitionOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for ReportDefinition {
    const KIND: &'static str = "cur.report_definition";
    const DOC: &'static str = "What a cost and usage report holds, and where it is delivered.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::CUR::ReportDefinition");
    const TERRAFORM: &'static [Terraform] =
        &[Terraform { kind: "aws_cur_report_definition", id: "{account_id}|{report_name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "cur:DeleteReportDefinition",
        "cur:DescribeReportDefinitions",
        "cur:ListTagsForResource",
        "cur:ModifyReportDefinition",
        "cur:PutReportDefinition",
        "cur:TagResource",
        "cur:UntagResource",
    ];
    // Its name is taken.
    const ORDER: Order = Order::DeleteFirst;
    type Cloud = Aws;
    type Spec<P: Phase> = ReportDefinitionSpec<P>;
    type Outputs<P: Phase> = ReportDefinitionOutputs<P>;

    fn identity(spec: &ReportDefinitionSpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.account.as_ref()?, spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let account = match which {
            Which::Ids(ids) => ids.first().map(|id| id.split().0.to_owned()).unwrap_or_default(),
            Which::Owned(_) => cloud.account().await?,
        };
        let mut found = Vec::new();
        let mut reports = Vec::new();
        let mut pages = cloud.cur.describe_report_definitions().into_paginator().send();
        while let Some(page) = pages.next().await {
            reports.extend(page.sent()?.report_definitions.unwrap_or_default());
        }
        for report in reports {
            let id = Id::child(&account, report.report_name());
            if matches!(which, Which::Ids(ids) if !ids.contains(&id)) {
                continue;
            }
            let request = cloud.cur.list_tags_for_resource().report_name(report.report_name());
            let Some(answer) = request.send().await.found()? else { continue };
            let tags = answer.tags.unwrap_or_default().into_iter().filter(|tag| !tag.key.starts_with("aws:"));
            let tags: Tags = tags.map(|tag| (tag.key, tag.value)).collect();
            if which.covers(&id, &tags) {
                found.push(observe(&account, &report, tags));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &ReportDefinitionSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.cur.put_report_definition().report_definition(to_report(spec));
        request.set_tags(Some(to_tags(&creation.tags))).send().await.sent()?;
        Ok(Id::child(&spec.account, &spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let request = cloud.cur.modify_report_definition().report_name(&step.wanted.name);
        request.report_definition(to_report(step.wanted)).send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let name = id.split().1;
        if !set.is_empty() {
            let request = cloud.cur.tag_resource().report_name(name);
            request.set_tags(Some(to_tags(set))).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.cur.untag_resource().report_name(name);
            request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.cur.delete_report_definition().report_name(id.split().1).send().await.sent().map(drop)
    }
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("it has a key and a value");
    tags.iter().map(tag).collect()
}

fn to_report(spec: &ReportDefinitionSpec<Resolved>) -> SdkReport {
    let elements = spec.schema_elements.iter().map(|element| SchemaElement::from(element.as_str()));
    let artifacts = spec.artifacts.iter().map(|artifact| AdditionalArtifact::from(artifact.as_str()));
    let report = SdkReport::builder()
        .report_name(&spec.name)
        .time_unit(TimeUnit::from(spec.time_unit.as_str()))
        .format(ReportFormat::from(spec.format.as_str()))
        .compression(CompressionFormat::from(spec.compression.as_str()))
        .set_additional_schema_elements(Some(elements.collect()))
        .set_additional_artifacts(Some(artifacts.collect()))
        .s3_bucket(&spec.bucket)
        .s3_prefix(&spec.prefix)
        .s3_region(AwsRegion::from(spec.region.as_str()))
        .refresh_closed_reports(spec.refresh_closed)
        .report_versioning(ReportVersioning::from(spec.versioning.as_str()));
    report.build().expect("it has all that a report needs")
}

fn observe(account: &str, report: &SdkReport, tags: Tags) -> Observation<ReportDefinition> {
    let name = report.report_name();
    let texts = |values: &mut dyn Iterator<Item = String>| values.collect::<BTreeSet<_>>();
    Observation {
        id: Id::child(account, name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: ReportDefinitionSpec {
            account: Some(account.to_owned()),
            name: Some(name.to_owned()),
            time_unit: Some(report.time_unit().to_string()),
            format: Some(report.format().to_string()),
            compression: Some(report.compression().to_string()),
            schema_elements: Some(texts(&mut report.additional_schema_elements().iter().map(ToString::to_string))),
            artifacts: Some(texts(&mut report.additional_artifacts().iter().map(ToString::to_string))),
            bucket: Some(report.s3_bucket().to_owned()),
            prefix: Some(report.s3_prefix().to_owned()),
            region: Some(report.s3_region().to_string()),
            refresh_closed: Some(report.refresh_closed_reports().unwrap_or(false)),
            versioning: report.report_versioning().map(ToString::to_string),
        },
        outputs: Some(ReportDefinitionOutputs {
            name: name.to_owned(),
            // Reports live in us-east-1, whatever the bucket's region.
            arn: Arn::new(format!("arn:aws:cur:us-east-1:{account}:definition/{name}")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_it_was_sent() {
        let spec = ReportDefinitionSpec::<Resolved> {
            account: "797923187401".to_owned(),
            name: "costs".to_owned(),
            time_unit: "HOURLY".to_owned(),
            format: "Parquet".to_owned(),
            compression: "Parquet".to_owned(),
            schema_elements: ["RESOURCES".to_owned()].into(),
            artifacts: ["ATHENA".to_owned()].into(),
            bucket: "bucket".to_owned(),
            prefix: "reports".to_owned(),
            region: "eu-central-1".to_owned(),
            refresh_closed: true,
            versioning: "OVERWRITE_REPORT".to_owned(),
        };
        let seen = observe("797923187401", &to_report(&spec), Tags::new());
        assert_eq!(seen.spec.to_json(), spec.to_json());
        assert_eq!(ReportDefinition::identity(&seen.spec), Some(seen.id));
        let arn = seen.outputs.unwrap().arn;
        assert_eq!(arn.as_str(), "arn:aws:cur:us-east-1:797923187401:definition/costs");
    }
}
