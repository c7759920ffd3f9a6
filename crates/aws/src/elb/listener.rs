//! What a load balancer does with requests to one of its ports.

use super::{load_balancer::balancers, retag, tags_of, to_tags};
use crate::{Arn, Aws, error::Sent};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, ForwardActionConfig, Listener as SdkListener, ProtocolEnum,
    RedirectActionConfig, RedirectActionStatusCodeEnum,
};
use bedplate_model::{
    CallError, Creation, Id, Input, Observation, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step, Tags,
    Terraform, Which,
};
use serde::{Deserialize, Serialize};

/// What a load balancer does with requests to one of its ports. Its id is its ARN.
#[derive(Debug)]
pub enum Listener {}

/// Settings of a listener.
#[derive(Clone, Debug, Record)]
pub struct ListenerSpec<P: Phase> {
    /// The load balancer it belongs to.
    #[replace]
    #[aws("LoadBalancerArn")]
    pub load_balancer: P::Of<Arn>,
    /// Its port. A load balancer has one listener per port.
    pub port: P::Of<u16>,
    /// The protocol that clients speak: `HTTP`, `HTTPS`.
    pub protocol: P::Of<String>,
    /// With HTTPS, the certificate it shows.
    #[aws("Certificates")]
    pub certificate: P::Of<Option<Arn>>,
    /// With HTTPS, the TLS versions and ciphers it accepts, as a security policy of Elastic Load Balancing.
    pub ssl_policy: P::Of<Option<String>>,
    /// What it does with a request.
    #[aws("DefaultActions")]
    pub action: P::Of<ListenerAction>,
}

/// Outputs of a listener.
#[derive(Clone, Debug, Record)]
pub struct ListenerOutputs<P: Phase> {
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

/// What a listener does with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerAction {
    /// Sends it on to a target group.
    Forward(Arn),
    /// Tells the client to ask elsewhere.
    Redirect(Redirect),
    /// What somebody else chose, by its name (`fixed-response`). It is only ever seen.
    Other(String),
}

/// Where a client shall ask instead. `#{host}`, `#{path}` and `#{query}` stand for those of its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// The port, as text.
    pub port: String,
    /// The host.
    pub host: String,
    /// The path, beginning with `/`.
    pub path: String,
    /// The query, without `?`.
    pub query: String,
    /// `HTTP_301`, for good, or `HTTP_302`, this time.
    pub status: String,
}

impl ListenerAction {
    /// To a target group that may not exist yet.
    pub fn forward(target_group: &Input<Arn>) -> Input<ListenerAction> {
        Input::from_expression(serde_json::json!({ "forward": target_group }))
    }

    /// To the same address with HTTPS, for good.
    pub fn to_https(port: u16) -> Self {
        Self::Redirect(Redirect {
            protocol: "HTTPS".to_owned(),
            port: port.to_string(),
            host: "#{host}".to_owned(),
            path: "/#{path}".to_owned(),
            query: "#{query}".to_owned(),
            status: "HTTP_301".to_owned(),
        })
    }

    /// For a call.
    fn to_sdk(&self) -> Action {
        let action = Action::builder();
        match self {
            Self::Forward(group) => action.r#type(ActionTypeEnum::Forward).target_group_arn(group.as_str()),
            Self::Redirect(redirect) => {
                let status = RedirectActionStatusCodeEnum::from(redirect.status.as_str());
                let config = RedirectActionConfig::builder()
                    .protocol(&redirect.protocol)
                    .port(&redirect.port)
                    .host(&redirect.host)
                    .path(&redirect.path)
                    .query(&redirect.query)
                    .status_code(status);
                action.r#type(ActionTypeEnum::Redirect).redirect_config(config.build())
            }
            // AWS refuses an action without what it needs, and says so.
            Self::Other(name) => action.r#type(ActionTypeEnum::from(name.as_str())),
        }
        .build()
    }

    fn from_sdk(actions: &[Action]) -> Self {
        let [action] = actions else { return Self::Other(format!("{} actions", actions.len())) };
        let other = || Self::Other(action.r#type().map(ToString::to_string).unwrap_or_default());
        match (action.r#type(), action.redirect_config()) {
            (Some(ActionTypeEnum::Forward), _) => match only_target(action) {
                Some(group) => Self::Forward(Arn::new(group)),
                None => Self::Other("forward to several, or sticky".to_owned()),
            },
            (Some(ActionTypeEnum::Redirect), Some(config)) => {
                // What is not set stays as in the request.
                let or = |value: Option<&str>, same: &str| value.unwrap_or(same).to_owned();
                Self::Redirect(Redirect {
                    protocol: or(config.protocol(), "#{protocol}"),
                    port: or(config.port(), "#{port}"),
                    host: or(config.host(), "#{host}"),
                    path: or(config.path(), "/#{path}"),
                    query: or(config.query(), "#{query}"),
                    status: config.status_code().map(ToString::to_string).unwrap_or_default(),
                })
            }
            _ => other(),
        }
    }
}

/// The one target group that an action sends everything to.
fn only_target(action: &Action) -> Option<&str> {
    let Some(config) = action.forward_config() else { return action.target_group_arn() };
    let sticky = config.target_group_stickiness_config().and_then(|stickiness| stickiness.enabled());
    match ForwardActionConfig::target_groups(config) {
        [] => action.target_group_arn(),
        [group] if sticky != Some(true) => group.target_group_arn(),
        _ => None,
    }
}

impl Reconcile for Listener {
    const KIND: &'static str = "elb.listener";
    const DOC: &'static str = "What a load balancer does with requests to one of its ports.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::ElasticLoadBalancingV2::Listener");
    const TERRAFORM: &'static [Terraform] =
        &[Terraform { kind: "aws_lb_listener", id: "{arn}" }, Terraform { kind: "aws_alb_listener", id: "{arn}" }];
    const ACTIONS: &'static [&'static str] = &[
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:RemoveTags",
        "tag:GetResources",
    ];
    // Its port tells it from the others of its load balancer, but may change.
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = ListenerSpec<P>;
    type Outputs<P: Phase> = ListenerOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut listeners = Vec::new();
        match which {
            Which::Ids(ids) => {
                for id in ids {
                    let answer = cloud.elb.describe_listeners().listener_arns(id.as_str()).send().await.found()?;
                    listeners.extend(answer.and_then(|answer| answer.listeners).unwrap_or_default());
                }
            }
            // They can only be listed by load balancer.
            Which::Owned(_) => {
                for (balancer, _) in balancers(cloud, which).await? {
                    let request = cloud.elb.describe_listeners().set_load_balancer_arn(balancer.load_balancer_arn);
                    let mut pages = request.into_paginator().items().send();
                    while let Some(listener) = pages.next().await {
                        let Some(listener) = listener.found()? else { break };
                        listeners.push(listener);
                    }
                }
            }
        }
        let arns: Vec<&str> = listeners.iter().filter_map(SdkListener::listener_arn).collect();
        let mut tags = tags_of(cloud, &arns).await?;
        let found = listeners.iter().filter_map(|listener| {
            let tags = tags.remove(listener.listener_arn()?)?;
            let seen = observe(listener, tags.clone())?;
            which.covers(&seen.id, &tags).then_some(seen)
        });
        Ok(found.collect())
    }

    async fn create(cloud: &Aws, spec: &ListenerSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.elb.create_listener().load_balancer_arn(spec.load_balancer.as_str());
        let request = request.port(spec.port.into()).protocol(ProtocolEnum::from(spec.protocol.as_str()));
        let request = request.set_ssl_policy(spec.ssl_policy.clone()).set_certificates(certificates(spec));
        let request = request.default_actions(spec.action.to_sdk()).set_tags(to_tags(&creation.tags));
        let answer = request.send().await.sent()?;
        let arn = answer.listeners().first().and_then(SdkListener::listener_arn).map(Id::new);
        arn.ok_or_else(|| CallError::malformed("elasticloadbalancing:CreateListener", "ListenerArn"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let wanted = step.wanted;
        let request = cloud.elb.modify_listener().listener_arn(step.id.as_str());
        // AWS drops certificate and policy by itself when HTTPS becomes HTTP.
        let request = request.port(wanted.port.into()).protocol(ProtocolEnum::from(wanted.protocol.as_str()));
        let request = request.set_ssl_policy(wanted.ssl_policy.clone()).set_certificates(certificates(wanted));
        request.default_actions(wanted.action.to_sdk()).send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id.as_str(), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.elb.delete_listener().listener_arn(id.as_str()).send().await.sent().map(drop)
    }
}

fn certificates(spec: &ListenerSpec<Resolved>) -> Option<Vec<Certificate>> {
    let certificate = |arn: &Arn| vec![Certificate::builder().certificate_arn(arn.as_str()).build()];
    spec.certificate.as_ref().map(certificate)
}

fn observe(listener: &SdkListener, tags: Tags) -> Option<Observation<Listener>> {
    let arn = listener.listener_arn()?;
    let secure = listener.protocol() == Some(&ProtocolEnum::Https);
    let certificate = listener.certificates().first().and_then(Certificate::certificate_arn).map(Arn::new);
    Some(Observation {
        id: Id::new(arn),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: ListenerSpec {
            load_balancer: listener.load_balancer_arn().map(Arn::new),
            port: listener.port().and_then(|port| port.try_into().ok()),
            protocol: listener.protocol().map(ToString::to_string),
            certificate: Some(certificate.filter(|_| secure)),
            ssl_policy: Some(listener.ssl_policy().filter(|_| secure).map(str::to_owned)),
            action: Some(ListenerAction::from_sdk(listener.default_actions())),
        },
        outputs: Some(ListenerOutputs { arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::types::{TargetGroupStickinessConfig, TargetGroupTuple};
    use serde_json::json;

    fn listener(protocol: ProtocolEnum, action: Action) -> ListenerSpec<bedplate_model::Observed> {
        let sdk = SdkListener::builder()
            .listener_arn("arn:listener")
            .load_balancer_arn("arn:lb")
            .port(443)
            .protocol(protocol)
            .ssl_policy("ELBSecurityPolicy-TLS13-1-2-2021-06")
            .certificates(Certificate::builder().certificate_arn("arn:cert").build())
            .default_actions(action)
            .build();
        observe(&sdk, Tags::new()).unwrap().spec
    }

    fn forward(groups: &[&str], sticky: bool) -> Action {
        let config = groups.iter().fold(ForwardActionConfig::builder(), |config, group| {
            config.target_groups(TargetGroupTuple::builder().target_group_arn(*group).weight(1).build())
        });
        let stickiness = TargetGroupStickinessConfig::builder().enabled(sticky).build();
        let config = config.target_group_stickiness_config(stickiness).build();
        Action::builder().r#type(ActionTypeEnum::Forward).forward_config(config).build()
    }

    #[test]
    fn a_listener_is_read_as_aws_shows_it() {
        assert_eq!(
            listener(ProtocolEnum::Https, forward(&["arn:tg"], false)).to_json(),
            json!({
                "load_balancer": "arn:lb", "port": 443, "protocol": "HTTPS", "certificate": "arn:cert",
                "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06", "action": {"forward": "arn:tg"},
            })
        );
        let plain = listener(ProtocolEnum::Http, ListenerAction::to_https(443).to_sdk());
        assert_eq!((plain.certificate, plain.ssl_policy), (Some(None), Some(None)));
        assert_eq!(plain.action, Some(ListenerAction::to_https(443)));
    }

    #[test]
    fn what_somebody_else_chose_is_a_difference() {
        let fixed = Action::builder().r#type(ActionTypeEnum::FixedResponse).build();
        for (actions, seen) in [
            (vec![fixed.clone()], "fixed-response"),
            (vec![fixed.clone(), fixed], "2 actions"),
            (vec![forward(&["a", "b"], false)], "forward to several, or sticky"),
            (vec![forward(&["a"], true)], "forward to several, or sticky"),
        ] {
            assert_eq!(ListenerAction::from_sdk(&actions), ListenerAction::Other(seen.to_owned()));
        }
    }

    #[test]
    fn an_action_survives_the_call() {
        for action in [ListenerAction::Forward(Arn::new("arn:tg")), ListenerAction::to_https(8443)] {
            assert_eq!(ListenerAction::from_sdk(&[action.to_sdk()]), action);
        }
    }
}
