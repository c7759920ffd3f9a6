//! From what AWS says to what a person can do about it.

use bedplate_model::{CallError, Class};

/// A limit of the account, as Service Quotas knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// The error code that says it is reached.
    error: &'static str,
    /// The service's code in Service Quotas.
    pub(crate) service: &'static str,
    /// The quota's code.
    pub(crate) code: &'static str,
    /// Its name in the console.
    pub(crate) name: &'static str,
}

/// The quotas that a platform meets (AWS General Reference, "Service endpoints and quotas", and the Service Quotas console).
const QUOTAS: &[Quota] = &[
    quota("AddressLimitExceeded", "ec2", "L-0263D0A3", "EC2-VPC Elastic IPs"),
    quota("VpcLimitExceeded", "vpc", "L-F678F1CE", "VPCs per Region"),
    quota("NatGatewayLimitExceeded", "vpc", "L-FE5A380F", "NAT gateways per Availability Zone"),
    quota("InternetGatewayLimitExceeded", "vpc", "L-A4707A72", "Internet gateways per Region"),
    quota("VpcEndpointLimitExceeded", "vpc", "L-29B6F2EB", "Interface VPC endpoints per VPC"),
    quota("SubnetLimitExceeded", "vpc", "L-407747CB", "Subnets per VPC"),
    quota("RouteTableLimitExceeded", "vpc", "L-589F43AA", "Route tables per VPC"),
    quota("SecurityGroupLimitExceeded", "vpc", "L-E79EC296", "VPC security groups per Region"),
    quota("RulesPerSecurityGroupLimitExceeded", "vpc", "L-0EA8095F", "Inbound or outbound rules per security group"),
    quota("ResourceLimitExceededException", "eks", "L-1194D53C", "Clusters"),
    quota("DBClusterQuotaExceeded", "rds", "L-952B80B8", "DB clusters"),
    quota("InstanceQuotaExceeded", "rds", "L-7B6409FD", "DB instances"),
    quota("TooManyLoadBalancers", "elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region"),
    quota("TooManyTargetGroups", "elasticloadbalancing", "L-B22855CB", "Target Groups per Region"),
];

const fn quota(error: &'static str, service: &'static str, code: &'static str, name: &'static str) -> Quota {
    Quota { error, service, code, name }
}

/// The quota that an error says is reached.
pub(crate) fn quota_of(error: &CallError) -> Option<Quota> {
    // RDS ends some of its codes with it.
    let code = error.code.strip_suffix("Fault").unwrap_or(&error.code);
    QUOTAS.iter().find(|quota| quota.error == code).copied()
}

/// What to do when a cluster's API does not answer.
pub(crate) const CLUSTER_UNREACHABLE: &str = "the same command does the rest from where the cluster's API can be \
     reached: run it inside the VPC, or let this machine's address in: `public_access_cidrs = [\"<address>/32\"]` in \
     [cluster]";

/// What to do when something that is no resource of the stack keeps one of its resources from removal.
pub(crate) const HELD: &str = "what AWS made for a resource that is gone, like the network interfaces of a load balancer or \
     an endpoint, goes by itself within minutes; what somebody else put there has to be removed by whom it belongs to. Then run \
     the same command again: it goes on where this run stopped";

/// Whether it was a cluster that was called, and not AWS.
fn in_cluster(error: &CallError) -> bool {
    error.operation.starts_with("kubernetes:")
}

/// What to do about a failed call.
pub(crate) fn call_hint(error: &CallError) -> String {
    let request = match &error.request_id {
        Some(id) => format!(" (request id {id})"),
        None => String::new(),
    };
    format!("{}{request}", advice(error))
}

fn advice(error: &CallError) -> String {
    let message = error.message.to_lowercase();
    let says = |part: &str| message.contains(part);
    let code = &*error.code;
    match error.class {
        _ if code == "NoCredentials"
            || says("no providers in chain provided credentials")
            || says("credential provider was not enabled") => {
            "there are no AWS credentials: sign in (`aws sso login`), name a profile (--profile or AWS_PROFILE), or set \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` shows whether it worked"
                .to_owned()
        }
        Class::Conflict => {
            "put the old value back with what changed it, or take the new one into the configuration; then run the same \
             command again. bedplate never takes a field by force"
                .to_owned()
        }
        Class::Unreachable if in_cluster(error) => CLUSTER_UNREACHABLE.to_owned(),
        Class::NotYet | Class::Denied if in_cluster(error) => {
            "the cluster does not let the caller do this: add its IAM role or user to cluster.admin_principals, or use one \
             that is there; then run the same command again"
                .to_owned()
        }
        Class::Denied if code.contains("Expired") => {
            "the credentials have expired: sign in again (`aws sso login`, or renew the session), then run the same \
             command; it goes on where it stopped"
                .to_owned()
        }
        _ if says("signature not yet current") || says("signature expired") || code == "RequestTimeTooSkewed" || code == "RequestExpired" => {
            "the clock of this machine differs from AWS's by more than a few minutes: set it (`timedatectl set-ntp true`), \
             then run the same command again"
                .to_owned()
        }
        Class::Denied if matches!(code, "InvalidClientTokenId" | "UnrecognizedClientException" | "AuthFailure" | "SignatureDoesNotMatch") => {
            "AWS does not know these credentials: check the key, the profile (--profile or AWS_PROFILE), and that the \
             region is enabled for the account"
                .to_owned()
        }
        Class::Denied if code == "OptInRequired" => {
            "the account has to opt in first: enable the region or the service in the account's settings, then run the \
             same command again"
                .to_owned()
        }
        Class::Denied => denied(error),
        Class::Quota => match quota_of(error) {
            Some(Quota { service, code, name, .. }) => format!(
                "the account's quota `{name}` ({code}) is reached: remove what is not needed, or ask for more with `aws \
                 service-quotas request-service-quota-increase --service-code {service} --quota-code {code} --desired-value N`, \
                 then run the same command again"
            ),
            None => format!(
                "a quota of the account is reached ({code}): remove what is not needed or ask for more in the Service \
                 Quotas console, then run the same command again"
            ),
        },
        Class::Throttled => "AWS is throttling this account: run the same command again in a minute".to_owned(),
        _ if code == "UnsupportedAvailabilityZoneException" || says("insufficient capacity") || says("insufficientinstancecapacity") || says("not supported in your requested availability zone") => {
            "the zone has no room for this now, or does not offer it: choose other zones with network.zone_ids, or another \
             class or type, and run the same command again"
                .to_owned()
        }
        _ if says("unsupported kubernetes version") || says("cannot find version") || says("not a supported version") || says("unsupported version") => {
            "AWS no longer offers this version, or does not offer it yet: `bedplate preflight` names those it offers; set \
             the version in the configuration"
                .to_owned()
        }
        Class::Unreachable if says("dns error") || says("failed to lookup") => {
            "the name of the endpoint is not known: check the network and the region's name (region, AWS_REGION), or the \
             address given with --endpoint-url"
                .to_owned()
        }
        Class::Unreachable if says("connection refused") || says("connecterror") || says("tcp connect") => {
            "nothing answers at the endpoint: check --endpoint-url (AWS_ENDPOINT_URL), the proxy, or start the local cloud"
                .to_owned()
        }
        Class::Unreachable => {
            "AWS did not answer, or failed without saying why: check the network, the region, --endpoint-url and the \
             credentials, then run the same command again"
                .to_owned()
        }
        Class::Busy if code == "DependencyViolation" => HELD.to_owned(),
        Class::Busy => {
            "something is still in use or being changed: run the same command again in a few minutes".to_owned()
        }
        Class::NotYet => "a fresh role has not spread through AWS yet: run the same command again".to_owned(),
        Class::Foreign | Class::AlreadyExists => {
            "the name is taken by something that is not this stack's: choose another name in the configuration, or remove \
             it if nobody needs it, then run the same command again"
                .to_owned()
        }
        Class::Invalid => format!(
            "AWS does not accept the request: see the message above, and the documentation of {}",
            error.operation
        ),
        _ => "run the same command again; it goes on where this run stopped".to_owned(),
    }
}

/// The missing permission, with the statement that grants it.
fn denied(error: &CallError) -> String {
    let word = |after: &str| {
        let (_, rest) = error.message.split_once(after)?;
        let word = rest.split_whitespace().next()?.trim_end_matches(['.', ',', ';']);
        (!word.is_empty()).then(|| word.to_owned())
    };
    // The message names the action and the resource as IAM means them; the operation is a good guess.
    let action = word("not authorized to perform: ").unwrap_or_else(|| error.operation.clone());
    let resource = word("on resource: ").unwrap_or_else(|| "*".to_owned());
    let statement = serde_json::json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let deny = if error.message.contains("explicit deny") {
        "; an explicit deny forbids it (a policy of the organization, a permissions boundary, or the caller's own policy), \
         which has to go first"
    } else {
        ""
    };
    format!("the caller may not do this: add {statement} to its IAM policy{deny}, then run the same command again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(class: Class, code: &str, message: &str) -> String {
        call_hint(&CallError {
            request_id: Some("r-1".to_owned()),
            ..CallError::local("ec2:CreateVpc", code, message, class)
        })
    }

    #[test]
    fn every_known_failure_says_what_to_do() {
        let cases = [
            (Class::Unreachable, "NotSent", "no providers in chain provided credentials"),
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
            (Class::Quota, "AddressLimitExceeded", "The maximum number of addresses has been reached."),
            (Class::Quota, "SomethingLimitExceeded", ""),
            (Class::Invalid, "UnsupportedAvailabilityZoneException", ""),
            (Class::Invalid, "InvalidParameterException", "unsupported Kubernetes version 1.20"),
            (Class::Unreachable, "Unreachable", "dispatch failure: dns error: failed to lookup address information"),
            (Class::Unreachable, "Unreachable", "dispatch failure: tcp connect error: Connection refused"),
            (Class::Foreign, "BucketAlreadyExists", ""),
            (Class::Busy, "DependencyViolation", "The vpc 'vpc-1' has dependencies and cannot be deleted."),
        ];
        let hints: Vec<String> =
            cases.iter().map(|(class, code, message)| format!("{code}\n  {}", hint(*class, code, message))).collect();
        insta::assert_snapshot!(hints.join("\n"));
    }
}
