//! A record of the connections in a VPC, kept in CloudWatch Logs.

use super::{all_done, filters, retag, tag_specification, tags};
use crate::{Arn, Aws, FlowLogId, VpcId, error::Sent};
use aws_sdk_ec2::types::{FlowLog as SdkFlowLog, FlowLogsResourceType, LogDestinationType, ResourceType, TrafficType};
use bedplate_model::{
    CallError, Creation, Id, Observation, Order, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step, Tags,
    Terraform, Which,
};

/// A record of the connections in a VPC, kept in CloudWatch Logs.
#[derive(Debug)]
pub enum FlowLog {}

/// Settings of a flow log.
#[derive(Clone, Debug, Record)]
pub struct FlowLogSpec<P: Phase> {
    /// The VPC whose connections are recorded.
    #[replace]
    #[aws("ResourceId")]
    pub vpc: P::Of<VpcId>,
    /// What is recorded: `ALL`, or only what was let through (`ACCEPT`) or not (`REJECT`).
    #[replace]
    #[aws("TrafficType")]
    pub traffic: P::Of<String>,
    /// The name of the log group that the records go to.
    #[replace]
    #[aws("LogGroupName")]
    pub log_group: P::Of<String>,
    /// The role with which EC2 writes to the log group.
    #[replace]
    #[aws("DeliverLogsPermissionArn")]
    pub role: P::Of<Arn>,
    /// The longest time that one record sums up, in seconds: 60 or 600.
    #[replace]
    #[aws("MaxAggregationInterval")]
    pub interval_seconds: P::Of<i32>,
}

/// Outputs of a flow log.
#[derive(Clone, Debug, Record)]
pub struct FlowLogOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<FlowLogId>,
}

impl Reconcile for FlowLog {
    const KIND: &'static str = "ec2.flow_log";
    const DOC: &'static str = "A record of the connections in a VPC, kept in CloudWatch Logs.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::FlowLog");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_flow_log", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:CreateFlowLogs",
        "ec2:DeleteFlowLogs",
        "ec2:DescribeFlowLogs",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        "iam:PassRole",
    ];
    // AWS takes no second one from the same VPC to the same log group (FlowLogAlreadyExists).
    const ORDER: Order = Order::DeleteFirst;
    const RECOVERY: Recovery = Recovery::Token;
    type Cloud = Aws;
    type Spec<P: Phase> = FlowLogSpec<P>;
    type Outputs<P: Phase> = FlowLogOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut found = Vec::new();
        for filter in filters(which, "flow-log-id") {
            let mut pages = cloud.ec2.describe_flow_logs().filter(filter).into_paginator().items().send();
            while let Some(log) = pages.next().await {
                found.extend(observe(&log.sent()?));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &FlowLogSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.ec2.create_flow_logs().client_token(&creation.token);
        let request = request.resource_type(FlowLogsResourceType::Vpc).resource_ids(spec.vpc.as_str());
        let request = request.traffic_type(TrafficType::from(spec.traffic.as_str()));
        let request = request.log_destination_type(LogDestinationType::CloudWatchLogs).log_group_name(&spec.log_group);
        let request = request.deliver_logs_permission_arn(spec.role.as_str());
        let request = request.max_aggregation_interval(spec.interval_seconds);
        let tags = tag_specification(ResourceType::VpcFlowLog, &creation.tags);
        let answer = request.tag_specifications(tags).send().await.sent()?;
        all_done("ec2:CreateFlowLogs", &answer, answer.unsuccessful())?;
        let id = answer.flow_log_ids().first();
        id.map(Id::new).ok_or_else(|| CallError::malformed("ec2:CreateFlowLogs", "FlowLogIds"))
    }

    async fn update(_: &Aws, _: &Step<'_, Self>) -> Result<(), CallError> {
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let answer = cloud.ec2.delete_flow_logs().flow_log_ids(id.as_str()).send().await.sent()?;
        all_done("ec2:DeleteFlowLogs", &answer, answer.unsuccessful())
    }
}

/// A failing delivery does not make it broken: it heals when the role or the log group does.
fn observe(log: &SdkFlowLog) -> Option<Observation<FlowLog>> {
    let id = log.flow_log_id()?;
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(log.tags())),
        readiness: Readiness::Ready,
        spec: FlowLogSpec {
            vpc: log.resource_id().map(VpcId::new),
            traffic: log.traffic_type().map(ToString::to_string),
            log_group: log.log_group_name().map(str::to_owned),
            role: log.deliver_logs_permission_arn().map(Arn::new),
            interval_seconds: log.max_aggregation_interval(),
        },
        outputs: Some(FlowLogOutputs { id: FlowLogId::new(id) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_log_is_read_as_aws_shows_it() {
        let sdk = SdkFlowLog::builder()
            .flow_log_id("fl-1")
            .resource_id("vpc-1")
            .traffic_type(TrafficType::All)
            .log_group_name("/fintechglobal/flow-logs")
            .deliver_logs_permission_arn("arn:aws:iam::797923187401:role/flow-logs")
            .max_aggregation_interval(60)
            .build();
        assert_eq!(
            observe(&sdk).unwrap().spec.to_json(),
            serde_json::json!({
                "vpc": "vpc-1", "traffic": "ALL", "log_group": "/fintechglobal/flow-logs",
                "role": "arn:aws:iam::797923187401:role/flow-logs", "interval_seconds": 60,
            })
        );
    }
}
