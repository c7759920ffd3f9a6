//! From what AWS says to what a person can do about it.

use bedplate_aws::{action, quotas::Quota};
use bedplate_model::{CallError, Class};

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

/// What to do when something that is no resource of the stack keeps one of its resources from removal.
pub(crate) fn held() -> Advice {
    Advice::new(
        "what AWS made for a resource that is gone, like the network interfaces of a load balancer or an endpoint, goes by \
         itself within minutes; what somebody else put there does not",
        format!("remove the latter if nobody needs it, {AGAIN}: it goes on where it stopped"),
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
             `network.zone_ids` before the first bootstrap"
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
        Class::Conflict => {
            "put the old value back with what changed it, or take the new one into the configuration; then run the same \
             command again. bedplate never takes a field by force"
                .into()
        }
        Class::Unreachable if in_cluster(error) => CLUSTER_UNREACHABLE.into(),
        Class::NotYet | Class::Denied if in_cluster(error) => Advice::new(
            "the cluster does not let the caller do this",
            format!("add its IAM role or user to cluster.admin_principals, or use one that is there; {AGAIN}"),
        ),
        _ if says("signature not yet current")
            || says("signature expired")
            || matches!(code, "RequestTimeTooSkewed" | "RequestExpired") =>
        {
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
                "InvalidClientTokenId" | "UnrecognizedClientException" | "AuthFailure" | "SignatureDoesNotMatch"
            ) =>
        {
            Advice::new(
                "AWS does not know these credentials, or the region is not enabled for their account",
                format!("check the key, the profile (--profile or AWS_PROFILE) and the region, {AGAIN}"),
            )
        }
        Class::Denied if code == "OptInRequired" => Advice::new(
            "the account has to opt in first",
            format!("enable the region or the service in the account's settings, {AGAIN}"),
        ),
        Class::Denied => denied(error),
        Class::Quota => quota_advice(error),
        Class::Throttled => "AWS is throttling this account: run the same command again in a minute".into(),
        _ if lacks_room(code) || lacks_room(&message) => no_room(),
        _ if ["unsupported kubernetes version", "cannot find version", "not a supported version", "unsupported version"]
            .iter()
            .any(|part| says(part)) =>
        {
            Advice::new(
                "AWS no longer offers this version, or does not offer it yet",
                format!("set the version in the configuration to one that it offers, {AGAIN}"),
            )
        }
        Class::Unreachable if says("dns error") || says("failed to lookup") => Advice::new(
            "the name of the endpoint cannot be resolved: there is no network, or no such region",
            format!(
                "check the network, the proxy, the region (`region` in the configuration, AWS_REGION) and the address given \
                 with --endpoint-url, {AGAIN}"
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
        Class::NotYet => Advice::new(
            "a fresh role or key has not spread through AWS yet",
            "run the same command again",
        ),
        Class::Foreign | Class::AlreadyExists => Advice::new(
            "the name is taken by something that is not this stack's",
            format!("choose another name in the configuration, or remove it if nobody needs it, {AGAIN}"),
        ),
        Class::Invalid if code == "BucketNotEmpty" => {
            "empty the bucket, or let bedplate do it: `bedplate destroy --empty-buckets`".into()
        }
        Class::Invalid => Advice::new(
            "AWS does not accept the request as it is",
            format!("see its message, and the documentation of {}", error.operation),
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
             --query NetworkInterfaces[].[NetworkInterfaceId,Description]"
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

    fn hint(class: Class, code: &str, message: &str) -> String {
        call_advice(&CallError::local("s3:PutBucketLifecycleConfiguration", code, message, class)).to_string()
    }

    #[test]
    fn every_known_failure_says_what_to_do() {
        let cases = [
            (Class::Unreachable, "NoCredentials", "no credentials found in chain"),
            (Class::Denied, "ExpiredToken", "The security token included in the request is expired"),
            (Class::Denied, "InvalidClientTokenId", "The security token included in the request is invalid"),
            (
                Class::Denied,
                "SignatureDoesNotMatch",
                "Signature expired: 20261123T000000Z is now earlier than 20261123T010000Z",
            ),
            (
                Class::Denied,
                "AccessDenied",
                "User: arn:aws:iam::1:user/u is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::1:role/r because no identity-based policy allows the iam:CreateRole action",
            ),
            (
                Class::Denied,
                "UnauthorizedOperation",
                "You are not authorized to perform this operation. Encoded authorization failure message: x",
            ),
            (
                Class::Denied,
                "AccessDenied",
                "is not authorized to perform: kms:CreateKey with an explicit deny in a service control policy",
            ),
            (Class::Denied, "RequestExpired", "Request has expired."),
            (Class::Invalid, "InsufficientDBInstanceCapacity", ""),
            (Class::Quota, "AddressLimitExceeded", "The maximum number of addresses has been reached."),
            (Class::Quota, "SomethingLimitExceeded", ""),
            (Class::Invalid, "UnsupportedAvailabilityZoneException", ""),
            (Class::Invalid, "InvalidParameterException", "unsupported Kubernetes version 1.20"),
            (Class::Unreachable, "Unreachable", "dispatch failure: dns error: failed to lookup address information"),
            (Class::Unreachable, "Unreachable", "dispatch failure: tcp connect error: Connection refused"),
            (Class::Foreign, "BucketAlreadyExists", ""),
            (Class::Busy, "DependencyViolation", "The subnet 'subnet-1' has dependencies and cannot be deleted."),
        ];
        let hints: Vec<String> =
            cases.iter().map(|(class, code, message)| format!("{code}\n  {}", hint(*class, code, message))).collect();
        insta::assert_snapshot!(hints.join("\n"));
    }
}
