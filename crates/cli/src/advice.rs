//! From what AWS says to what a person can do about it.

use crate::exit::store_advice;
use bedplate_aws::{action, quotas::Quota};
use bedplate_engine::EffectError;
use bedplate_model::{CallError, Class, Outsider};

/// What a person can make of a failure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Advice {
    /// Why it is likely, where the message does not say so itself.
    why: Option<String>,
    /// What to do next. A line that begins with four spaces is to be copied: it is never broken.
    next: String,
}

impl Advice {
    pub(crate) fn new(why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { why: Some(why.into()), next: next.into() }
    }

    pub(crate) fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    pub(crate) fn next(&self) -> &str {
        &self.next
    }
}

impl<T: Into<String>> From<T> for Advice {
    fn from(next: T) -> Self {
        Self { why: None, next: next.into() }
    }
}

/// In one piece, for scripts.
impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.why {
            Some(why) => write!(f, "{why}: {}", self.next),
            None => write!(f, "{}", self.next),
        }
    }
}

/// What to do when a cluster's API does not answer.
pub(crate) const CLUSTER_UNREACHABLE: &str = "the same command does the rest from where the cluster's API can be \
     reached: run it inside the VPC, or let this machine's address in: `public_access_cidrs = [\"<address>/32\"]` in \
     [cluster]";

/// What to do about an effect that failed; `call` knows about calls.
pub(crate) fn effect_advice(error: &EffectError, call: impl Fn(&CallError) -> Advice) -> Advice {
    match error {
        EffectError::Call(error) => call(error),
        EffectError::Held { by, .. } => held(by),
        EffectError::Store(error) => store_advice(error),
        EffectError::Foreign { id } => Advice::new(
            "it was made by hand, by another tool, or by a stack of another name",
            format!(
                "choose another name in the configuration, remove {id} if nobody needs it, or take it over with \
                 `bedplate import`; {AGAIN}"
            ),
        ),
        EffectError::WillNotSettle { .. } => Advice::new(
            "someone or something else may be changing it back",
            format!("find out who (CloudTrail's event history names the caller of every change), {AGAIN}"),
        ),
        EffectError::Deadline { .. } => {
            Advice::new("AWS is still working on it", "run the same command again: it goes on waiting")
        }
        EffectError::Broken { state } if lacks_room(state) => no_room(),
        EffectError::Broken { .. } => {
            "remove the cause that AWS names above, then run the same command again: it replaces what failed".into()
        }
        EffectError::NeedsReplacement { .. } => Advice::new(
            "it was changed since the plan was made, or it was made by a run that was cut off and shows only now",
            "run the same command again: it plans the replacement",
        ),
        EffectError::Vanished { .. } => {
            Advice::new("somebody else removed it", "run the same command again: it makes it again")
        }
        EffectError::Unresolved { .. } | EffectError::Misfit(_) | EffectError::Interrupted => {
            "this is a defect of bedplate: please report it with this message".into()
        }
    }
}

/// What to do when something that is no resource of the stack keeps one of its resources from removal.
fn held(by: &[Outsider]) -> Advice {
    let look = by.iter().find_map(|outsider| {
        let question = match &*outsider.kind {
            "ec2.network_interface" => "describe-network-interfaces --network-interface-ids",
            "ec2.security_group" => "describe-security-groups --group-ids",
            "ec2.subnet" => "describe-subnets --subnet-ids",
            "ec2.vpc_endpoint" => "describe-vpc-endpoints --vpc-endpoint-ids",
            _ => return None,
        };
        Some(format!(". This shows what it is:\n    aws ec2 {question} {}", outsider.id))
    });
    Advice::new(
        "what AWS made for a resource that is gone, like the network interfaces of a load balancer or an endpoint, goes by \
         itself within minutes; what somebody else put there does not",
        format!(
            "remove the latter if nobody needs it, {AGAIN}: it goes on where it stopped{}",
            look.unwrap_or_default()
        ),
    )
}

/// Where the person who reads it is to go on, once the cause is gone.
pub(crate) const AGAIN: &str = "then run the same command again";

/// What a zone without room is answered with, by code or by word.
pub(crate) fn lacks_room(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("unsupportedavailabilityzone")
        || text.contains("not supported in your requested availability zone")
        || (text.contains("insufficient") && text.contains("capacity"))
}

/// What to do where a zone has no room.
pub(crate) fn no_room() -> Advice {
    Advice::new(
        "the zone has no room for this type now, or does not offer it",
        format!(
            "choose another type or class in the configuration, {AGAIN}; or run it again later. Zones can be chosen with \
             `zone_ids` in [network] before the first bootstrap"
        ),
    )
}

/// What to do about a failed call.
pub(crate) fn call_advice(error: &CallError) -> Advice {
    let message = error.message.to_lowercase();
    let says = |part: &str| message.contains(part);
    let code = &*error.code;
    match error.class {
        _ if code == "NoCredentials" => Advice::new(
            "there are no AWS credentials in the environment, in the profile, or from the machine",
            "sign in (`aws sso login`), name a profile (--profile or AWS_PROFILE), or set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY. This shows whether it worked:\n    aws sts get-caller-identity",
        ),
        Class::Conflict => Advice::new(
            "a field belongs to whoever set it last, and bedplate takes none by force",
            format!("put the old value back with what changed it, or take the new one into the configuration; {AGAIN}"),
        ),
        Class::Unreachable if in_cluster(error) => CLUSTER_UNREACHABLE.into(),
        Class::NotYet | Class::Denied if in_cluster(error) => Advice::new(
            "the cluster does not let the caller do this",
            format!("add its IAM role or user to `admin_principals` in [cluster], or use one that is there; {AGAIN}"),
        ),
        // EC2 has one answer for both.
        _ if code == "RequestExpired" => Advice::new(
            "EC2 says so of temporary credentials whose time is over, and where the clock of this machine differs from AWS's",
            format!(
                "sign in again (`aws sso login`, or renew the session), {AGAIN}: it goes on where it stopped. If the session \
                 is still good, set the clock:\n    timedatectl set-ntp true"
            ),
        ),
        _ if says("signature not yet current") || says("signature expired") || code == "RequestTimeTooSkewed" => {
            Advice::new(
                "the clock of this machine differs from AWS's by more than a few minutes",
                format!("set it, {AGAIN}:\n    timedatectl set-ntp true"),
            )
        }
        Class::Denied if code.contains("Expired") => Advice::new(
            "the credentials are temporary, and their time is over",
            format!("sign in again (`aws sso login`, or renew the session), {AGAIN}: it goes on where it stopped"),
        ),
        Class::Denied
            if matches!(
                code,
                "InvalidClientTokenId"
                    | "InvalidAccessKeyId"
                    | "InvalidToken"
                    | "UnrecognizedClientException"
                    | "AuthFailure"
                    | "MissingAuthenticationToken"
                    | "MissingAuthenticationTokenException"
            ) =>
        {
            Advice::new(
                "AWS does not know these credentials, or the region is not enabled for their account",
                format!("check the key, the profile (--profile or AWS_PROFILE) and the region, {AGAIN}"),
            )
        }
        Class::Denied
            if matches!(code, "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature") =>
        {
            Advice::new(
                "the secret is not that of the access key, or a proxy changes requests on their way",
                format!("check AWS_SECRET_ACCESS_KEY, the profile (--profile or AWS_PROFILE) and the proxy, {AGAIN}"),
            )
        }
        Class::Denied if code == "OptInRequired" => Advice::new(
            "the account has to opt in first",
            format!("enable the region or the service in the account's settings, {AGAIN}"),
        ),
        Class::Denied => denied(error),
        Class::Quota => quota_advice(error),
        Class::Throttled => Advice::new(
            "the account made more calls than AWS takes, all who work in it together, and it did not get better while bedplate \
             slowed down",
            "run the same command again in a minute or two: it goes on where it stopped",
        ),
        _ if code == "UnsupportedAvailabilityZoneException" => Advice::new(
            "EKS has no room for a control plane in that zone now, or makes none there",
            "run the same command again later; or choose other zones with `zone_ids` in [network], which takes a network that is \
             not made yet: `bedplate destroy` removes what there is of it",
        ),
        _ if lacks_room(code) || lacks_room(&message) => no_room(),
        _ if [
            "unsupported kubernetes version",
            "cannot find version",
            "not a supported version",
            "unsupported version",
        ]
        .iter()
        .any(|part| says(part)) =>
        {
            Advice::new(
                "AWS no longer offers this version, or does not offer it yet",
                format!(
                    "set the version in the configuration to one that it offers (`bedplate preflight` names them), {AGAIN}"
                ),
            )
        }
        Class::Unreachable if says("dns error") || says("failed to lookup") => Advice::new(
            "the name of the endpoint cannot be resolved: there is no network, or no such region",
            format!(
                "check the network, the proxy, the region (`region` in the configuration, AWS_REGION) and the address given \
                 with --endpoint-url, {AGAIN}"
            ),
        ),
        Class::Unreachable if says("invalid peer certificate") => Advice::new(
            "what answers shows a certificate that this machine does not trust: a proxy that looks into encrypted traffic, or somebody \
             in between",
            format!(
                "name a file with the proxy's certificate authority in AWS_CA_BUNDLE, which is trusted instead of what the system trusts, \
                 or add it to that, {AGAIN}"
            ),
        ),
        Class::Unreachable if says("connection refused") || says("tcp connect") => Advice::new(
            "nothing answers at the endpoint",
            format!("check --endpoint-url (AWS_ENDPOINT_URL), the proxy, or start the local cloud; {AGAIN}"),
        ),
        Class::Unreachable => Advice::new(
            "AWS did not answer, or failed without saying why",
            format!("check the network, the region, --endpoint-url and the credentials, {AGAIN}"),
        ),
        Class::Busy if code == "DependencyViolation" => in_use(error),
        Class::Busy => Advice::new(
            "something is still in use or being changed, perhaps by something that is not this stack's",
            "remove what uses it if the message names it, or run the same command again in a few minutes",
        ),
        Class::NotYet => {
            Advice::new("a fresh role or key has not spread through AWS yet", "run the same command again in a minute")
        }
        Class::Foreign | Class::AlreadyExists => Advice::new(
            "the name is taken by something that is not this stack's",
            format!("choose another name in the configuration, or remove it if nobody needs it, {AGAIN}"),
        ),
        Class::Invalid if code == "BucketNotEmpty" => {
            "empty the bucket, or let bedplate do it: `bedplate destroy --empty-buckets`".into()
        }
        Class::Invalid => Advice::new(
            "AWS does not accept the request as it is",
            format!("correct what its message names, {AGAIN}; the API reference of {} has the rules", error.operation),
        ),
        _ => "run the same command again; it goes on where this run stopped".into(),
    }
}

/// Whether it was a cluster that was called, and not AWS.
fn in_cluster(error: &CallError) -> bool {
    error.operation.starts_with("kubernetes:")
}

fn quota_advice(error: &CallError) -> Advice {
    match Quota::reached(error) {
        Some(quota) => reached(quota, None),
        None => Advice::new(
            format!("a quota of the account is reached ({})", error.code),
            format!("remove what is not needed or ask for more in the Service Quotas console, {AGAIN}"),
        ),
    }
}

/// What to do about a quota that is reached, with its value if that is known.
pub(crate) fn reached(quota: &Quota, value: Option<f64>) -> Advice {
    let Quota { service, code, name, .. } = quota;
    let value_is = value.map_or_else(String::new, |value| format!("{value} and "));
    let show = match value {
        Some(_) => String::new(),
        None => format!(
            "\n    aws service-quotas get-service-quota --service-code {service} --quota-code {code} --query Quota.Value"
        ),
    };
    Advice::new(
        format!("the account's quota `{name}` ({code}) is {value_is}reached"),
        format!("remove what is not needed, or ask for more, {AGAIN}:{show}{}", increase(quota, "N")),
    )
}

/// What to do about a quota that has to be at least so much.
pub(crate) fn too_small(quota: &Quota, wanted: usize) -> String {
    format!("remove what is not needed, or ask for more, {AGAIN}:{}", increase(quota, &wanted.to_string()))
}

/// The command that asks for more.
fn increase(quota: &Quota, wanted: &str) -> String {
    let Quota { service, code, .. } = quota;
    format!(
        "\n    aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} \
         --desired-value {wanted}"
    )
}

/// What something cannot be removed for, as far as AWS tells it.
fn in_use(error: &CallError) -> Advice {
    let id = error
        .message
        .split(['\'', '"', ' ', ','])
        .find(|word| ["subnet-", "sg-", "vpc-", "igw-"].iter().any(|prefix| word.starts_with(prefix)));
    let filter = match id {
        Some(id) if id.starts_with("subnet-") => Some(("subnet-id", id)),
        Some(id) if id.starts_with("sg-") => Some(("group-id", id)),
        Some(id) if id.starts_with("vpc-") => Some(("vpc-id", id)),
        _ => None,
    };
    let look = filter.map_or_else(String::new, |(filter, id)| {
        format!(
            ". This shows what is in there:\n    aws ec2 describe-network-interfaces --filters Name={filter},Values={id} \
             --query 'NetworkInterfaces[].[NetworkInterfaceId,Description]'"
        )
    });
    Advice::new(
        "something that is not this stack's uses it",
        format!("remove that if nobody needs it, {AGAIN}: it goes on where it stopped{look}"),
    )
}

/// The missing permission, with the statement that grants it.
fn denied(error: &CallError) -> Advice {
    let word = |after: &str| {
        let (_, rest) = error.message.split_once(after)?;
        let word = rest.split_whitespace().next()?.trim_end_matches(['.', ',', ';']);
        (!word.is_empty()).then(|| word.to_owned())
    };
    // The message names the action and the resource as IAM means them; the operation is a good guess.
    let action = word("not authorized to perform: ").unwrap_or_else(|| action(&error.operation).to_owned());
    let resource = word("on resource: ").unwrap_or_else(|| "*".to_owned());
    if error.message.contains("explicit deny") {
        return Advice::new(
            format!(
                "an explicit deny forbids {action}: a policy of the organization, a permissions boundary, or the caller's own \
                 policy"
            ),
            format!("have the deny lifted for the caller, or use a caller that it is not for, {AGAIN}"),
        );
    }
    let statement = serde_json::json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let encoded = match error.message.contains("Encoded authorization failure message") {
        true => "\nThe whole reason:\n    aws sts decode-authorization-message --encoded-message MESSAGE",
        false => "",
    };
    Advice::new(
        format!("no policy of the caller allows {action}"),
        format!("add this statement to its IAM policy, {AGAIN}:\n    {statement}{encoded}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::error_text;
    use bedplate_model::Id;
    use bedplate_state::StoreError;
    use std::time::Duration;

    /// The page that explains them.
    const PAGE: &str = include_str!("../../../docs/troubleshooting.md");

    const OPERATION: &str = "s3:PutBucketLifecycleConfiguration";

    /// Calls as AWS, a cluster or the network answer them.
    fn calls() -> Vec<CallError> {
        let of = |operation: &str, class, code: &str, message: &str| CallError::local(operation, code, message, class);
        let call = |class, code: &str, message: &str| of(OPERATION, class, code, message);
        vec![
            call(Class::Unreachable, "NoCredentials", "no credentials found in chain"),
            call(Class::Denied, "ExpiredToken", "The security token included in the request is expired"),
            call(Class::Denied, "RequestExpired", "Request has expired."),
            call(Class::Denied, "InvalidClientTokenId", "The security token included in the request is invalid."),
            call(
                Class::Denied,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
                 Key and signing method. Consult the service documentation for details.",
            ),
            call(
                Class::Denied,
                "SignatureDoesNotMatch",
                "Signature expired: 20261123T000000Z is now earlier than 20261123T010000Z (20261123T011500Z - 15 min.)",
            ),
            call(
                Class::Denied,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            call(Class::Denied, "OptInRequired", "You are not subscribed to this service"),
            call(
                Class::Denied,
                "AccessDenied",
                "User: arn:aws:iam::1:user/u is not authorized to perform: iam:CreateRole on resource: \
                 arn:aws:iam::1:role/r because no identity-based policy allows the iam:CreateRole action",
            ),
            call(
                Class::Denied,
                "UnauthorizedOperation",
                "You are not authorized to perform this operation. Encoded authorization failure message: x",
            ),
            call(
                Class::Denied,
                "AccessDenied",
                "is not authorized to perform: kms:CreateKey with an explicit deny in a service control policy",
            ),
            of("kubernetes:GetNamespaces", Class::Denied, "Forbidden", "namespaces \"fintech\" is forbidden"),
            of("kubernetes:GetNamespaces", Class::Unreachable, "ClusterUnreachable", "it answers only inside vpc-1"),
            of(
                "kubernetes:ApplyNamespaces",
                Class::Conflict,
                "FieldManagerConflict",
                "others have changed fields that are bedplate's: metadata.labels.team: conflict with \"kubectl-edit\"",
            ),
            call(Class::Quota, "AddressLimitExceeded", "The maximum number of addresses has been reached."),
            call(Class::Quota, "SomethingLimitExceeded", "There are too many."),
            call(Class::Throttled, "RequestLimitExceeded", "Request limit exceeded."),
            call(
                Class::Invalid,
                "InsufficientDBInstanceCapacity",
                "Cannot create a database instance because there isn't enough capacity for the requested instance class.",
            ),
            call(
                Class::Invalid,
                "UnsupportedAvailabilityZoneException",
                "Cannot create cluster 'c' because us-east-1e, the targeted availability zone, does not currently have \
                 sufficient capacity to support the cluster.",
            ),
            call(Class::Invalid, "InvalidParameterException", "unsupported Kubernetes version 1.20"),
            call(
                Class::Unreachable,
                "Unreachable",
                "dns error: failed to lookup address information: Name or service not known",
            ),
            call(Class::Unreachable, "Unreachable", "tcp connect error: Connection refused (os error 111)"),
            call(Class::Unreachable, "Timeout", "request has timed out"),
            call(Class::Foreign, "BucketAlreadyExists", "The requested bucket name is not available."),
            call(Class::Busy, "DependencyViolation", "The subnet 'subnet-1' has dependencies and cannot be deleted."),
            call(Class::Busy, "ResourceInUseException", "Cluster has nodegroups attached"),
            call(Class::NotYet, "InvalidParameterException", "The role cannot be assumed by EKS"),
            call(Class::Invalid, "BucketNotEmpty", "bucket b holds objects"),
            call(Class::Invalid, "InvalidParameterValue", "The value is not one of the allowed values."),
            call(Class::Other, "SomethingElse", "Something went wrong."),
        ]
    }

    /// What can come of an effect besides a failed call. A new one has to be added here: the match knows them all.
    fn effects() -> Vec<EffectError> {
        let one = |error: EffectError| match error {
            EffectError::Call(_)
            | EffectError::Store(_)
            | EffectError::Foreign { .. }
            | EffectError::WillNotSettle { .. }
            | EffectError::NeedsReplacement { .. }
            | EffectError::Deadline { .. }
            | EffectError::Held { .. }
            | EffectError::Broken { .. }
            | EffectError::Vanished { .. }
            | EffectError::Unresolved { .. }
            | EffectError::Misfit(_)
            | EffectError::Interrupted => error,
        };
        let message = "The subnet 'subnet-1' has dependencies and cannot be deleted.";
        let call = CallError::local("ec2:DeleteSubnet", "DependencyViolation", message, Class::Busy);
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        [
            EffectError::Held {
                call: Box::new(call),
                by: vec![Outsider::new("ec2.network_interface", "eni-1", "in-use")],
            },
            EffectError::Store(StoreError::Io { what: "save", place: "state/x.json".to_owned(), source: full }),
            EffectError::Foreign { id: Id::new("fintechglobal-node-role") },
            EffectError::WillNotSettle { fields: "retention_days".to_owned() },
            EffectError::NeedsReplacement { fields: "cidr".to_owned() },
            EffectError::Deadline { after: Duration::from_secs(2400), state: "creating".to_owned() },
            EffectError::Broken { state: "CREATE_FAILED: NodeCreationFailure".to_owned() },
            EffectError::Broken { state: "InsufficientInstanceCapacity".to_owned() },
            EffectError::Vanished { id: Id::new("nat-1") },
            EffectError::Unresolved { field: "vpc".to_owned() },
            EffectError::Misfit("unknown resource type `ec2.moon`".to_owned()),
            EffectError::Interrupted,
        ]
        .map(one)
        .into()
    }

    fn shown(width: usize) -> String {
        let text = |message: String, advice: Advice| {
            anstream::adapter::strip_str(&error_text(&message, Some(&advice), width)).to_string()
        };
        let calls = calls();
        let calls = calls.iter().map(|error| text(error.to_string(), call_advice(error)));
        let effects = effects();
        let effects =
            effects.iter().map(|error| text(format!("network/it: {error}"), effect_advice(error, call_advice)));
        calls.chain(effects).collect::<Vec<_>>().join("\n\n")
    }

    #[test]
    fn every_known_failure_says_what_to_do() {
        for width in [80, 160] {
            let text = shown(width);
            let too_long = |line: &&str| line.chars().count() > width && !line.starts_with("           ");
            assert_eq!(text.lines().find(too_long), None);
            insta::assert_snapshot!(format!("every_known_failure_says_what_to_do_at_{width}_columns"), text);
        }
    }

    #[test]
    fn the_page_has_every_code() {
        for error in effects() {
            let code = error.code();
            assert!(PAGE.contains(&format!("`{code}`")), "docs/troubleshooting.md does not explain {code}");
        }
        // Those that are bedplate's own, and that stand for AWS's.
        for code in [
            "NoCredentials",
            "Unreachable",
            "Timeout",
            "NotSent",
            "UnreadableAnswer",
            "MalformedAnswer",
            "ClusterUnreachable",
            "FieldManagerConflict",
            "RequestLimitExceeded",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "AccessDenied",
        ] {
            assert!(PAGE.contains(&format!("`{code}`")), "docs/troubleshooting.md does not explain {code}");
        }
    }
}
