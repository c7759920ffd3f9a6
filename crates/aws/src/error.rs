//! From the SDK's errors to [`CallError`]: the operation, the code, the request id, and what it means.

use crate::ledger::prefix;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_types::request_id::RequestId;
use bedplate_model::{CallError, Class};

/// Turns an SDK result into the engine's.
pub(crate) trait Sent<T> {
    /// The answer, or the failure with its meaning.
    fn sent(self) -> Result<T, CallError>;

    /// The same, but "does not exist" is `None`.
    fn found(self) -> Result<Option<T>, CallError>
    where
        Self: Sized,
    {
        match self.sent() {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.class == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same, but "exists already" and "does not exist" are success: for calls that only make sure.
    fn ensured(self) -> Result<(), CallError>
    where
        Self: Sized,
    {
        match self.sent() {
            Err(error) if !matches!(error.class, Class::NotFound | Class::AlreadyExists) => Err(error),
            _ => Ok(()),
        }
    }
}

impl<T, E> Sent<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn sent(self) -> Result<T, CallError> {
        self.map_err(|error| to_call_error(&error))
    }
}

fn to_call_error<E>(error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let operation = operation_of(std::any::type_name::<E>());
    let Some(service) = error.as_service_error() else {
        let code = match error {
            SdkError::TimeoutError(_) => "Timeout",
            SdkError::DispatchFailure(_) => "Unreachable",
            SdkError::ResponseError(_) => "UnreadableAnswer",
            _ => "NotSent",
        };
        let mut message = causes(error);
        if message.is_empty() && DisplayErrorContext(error).to_string().contains(NOT_ENABLED) {
            message.push_str("no credentials found in chain: there is no such profile, or there are none in it");
        }
        let code = if message.contains("no credentials found in chain") { "NoCredentials" } else { code };
        return CallError::local(&operation, code, message, Class::Unreachable);
    };
    let code = service.code().unwrap_or("Unknown").to_owned();
    let message = service.message().unwrap_or("AWS gave no message").to_owned();
    let request_id = service.meta().request_id().or_else(|| error.request_id()).map(str::to_owned);
    let class = classify(&code, &message);
    CallError { operation, code, message, request_id, class }
}

/// How the SDK says that a source of credentials has none.
const NOT_ENABLED: &str = "the credential provider was not enabled";

/// The causes of an error from the outermost to the first, without those that only say that there is another one.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    const EMPTY: [&str; 5] = ["dispatch failure", "io error", "other", "client error (Connect)", NOT_ENABLED];
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !EMPTY.contains(&&*text) && !causes.last().is_some_and(|outer| outer.contains(&text)) {
            causes.push(text);
        }
        next = error.source();
    }
    // The chain of credential providers says in a line each why it has none.
    let text = causes.join(": ").replace(" the credential provider was not enabled:", "");
    let lines = text.replace(": the credential provider was not enabled", "");
    let lines: Vec<&str> = lines.lines().map(str::trim).collect();
    lines.join("; ").replace("Attempted:;", "Attempted:")
}

/// `ec2:CreateVpc` from `aws_sdk_ec2::operation::create_vpc::CreateVpcError`.
fn operation_of(error_type: &str) -> String {
    let error_type = error_type.split('<').next().unwrap_or(error_type);
    let service = error_type.split("::").next().unwrap_or_default().trim_start_matches("aws_sdk_");
    let name = error_type.rsplit("::").next().unwrap_or_default().trim_end_matches("Error");
    format!("{}:{name}", prefix(service))
}

/// What a service's error code means. AWS has no common list; the codes are those of the services' API references.
pub(crate) fn classify(code: &str, message: &str) -> Class {
    let lower = message.to_lowercase();
    let says = |part: &str| lower.contains(part);
    // RDS and ElastiCache end some of their codes with it.
    let code = code.strip_suffix("Fault").unwrap_or(code);
    match code {
        // IAM spreads within seconds; until then its consumers answer with these.
        "InvalidParameter" | "InvalidParameterValue" | "InvalidParameterException" | "InvalidRequestException"
        | "ValidationError"
            if says("cannot be assumed") || says("unable to assume") || says("not authorized to perform: sts:assumerole") =>
        {
            Class::NotYet
        }
        // EKS looks at a fresh role, its trust and its policies, or at a fresh principal.
        "InvalidParameterException"
            if says("error in role params")
                || says("could not be assumed")
                || says("managed policies associated with it")
                || says("role's policy must include")
                || says("misconfigured podexecutionrole trust policy")
                || says("principalarn is invalid")
                || (says("role") && (says("does not exist") || says("cannot be found"))) =>
        {
            Class::NotYet
        }
        // A fresh target group is not known to Auto Scaling at once, nor a fresh bucket policy to Elastic Load Balancing.
        "ValidationError" if says("target groups may not be valid") => Class::NotYet,
        "InvalidConfigurationRequest" if says("access denied for bucket") => Class::NotYet,
        "ServiceLinkedRoleFailure" => Class::NotYet,
        "ResourcePropagationDelayException" | "ServiceLinkedRoleNotFound" => Class::NotYet,
        // Secrets Manager asks KMS for a key whose policy has not spread.
        "EncryptionFailure" | "DecryptionFailure" => Class::NotYet,
        // A key's policy spreads like a role; a log group that shall use the key says so with a general code.
        "InvalidParameterException" if says("is not allowed to be used with") => Class::NotYet,
        "MalformedPolicyDocumentException" | "MalformedPolicyDocument" if says("principal") => Class::NotYet,
        "InvalidPrincipal" => Class::NotYet,
        "MalformedPolicy" if says("principal") => Class::NotYet,
        "InvalidParameter" if says("principalnotfound") => Class::NotYet,
        // The issuer of a fresh EKS cluster cannot be reached at once.
        "OpenIdIdpCommunicationError" => Class::NotYet,
        // The service-linked role exists already: IAM says it with a general code.
        "InvalidInput" if says("has been taken") => Class::AlreadyExists,

        // SNS makes a topic that exists once more, unless its tags or settings are others.
        "InvalidParameter" if says("already exists with different") => Class::AlreadyExists,
        "BucketAlreadyOwnedByYou" | "DuplicateRecordException" => Class::AlreadyExists,
        // Names of buckets are unique in all of AWS.
        "BucketAlreadyExists" => Class::Foreign,
        // It does not get empty by waiting.
        "BucketNotEmpty" => Class::Invalid,

        "DuplicateLoadBalancerName" | "DuplicateTargetGroupName" | "DuplicateListener" => Class::AlreadyExists,
        // Auto Scaling has one code for everything that does not fit.
        "ValidationError" if says("name not found") || says("not part of the group") => Class::NotFound,
        // It does not pass by waiting.
        "OperationNotPermitted" if says("deletion protection") => Class::Invalid,
        "ResourceContention" | "ScalingActivityInProgress" => Class::Busy,

        "IdempotentParameterMismatch" | "IdempotencyParameterMismatchException" => Class::TokenSpent,
        "DependencyViolation" | "ResourceInUse" | "DeleteConflict" | "InvalidIPAddress.InUse" | "IncorrectState"
        | "OperationNotPermitted" | "ConcurrentModification" | "OperationAbortedException"
        | "ResourceInUseException" | "InvalidGroup.InUse" | "InvalidNetworkInterface.InUse" | "KMSInvalidStateException"
        // EKS uses one code for "exists" and for "in use"; the message tells them apart.
            if !says("already exists") && !says("already in use on this cluster") =>
        {
            Class::Busy
        }
        "ResourceInUseException" => Class::AlreadyExists,
        // A report's bucket whose policy has not spread.
        "ValidationException" if says("bucket permission") => Class::NotYet,
        "InvalidRequestException" if says("workgroup") && says("is not found") => Class::NotFound,
        "InvalidRequestException" if says("workgroup") && says("already created") => Class::AlreadyExists,
        "DuplicateReportNameException" | "DuplicatePolicyAttachmentException" => Class::AlreadyExists,
        // One of ours was found by its tag before.
        "DuplicatePolicyException" => Class::Foreign,
        "ReportLimitReachedException" => Class::Quota,
        "AWSOrganizationsNotInUseException" | "PolicyNotAttachedException" => Class::NotFound,
        "PolicyInUseException" | "PolicyChangesInProgressException" | "ConcurrentModificationException"
        | "FinalizingOrganizationException" => Class::Busy,
        "ConstraintViolationException" | "PolicyTypeNotEnabledException" => Class::Invalid,
        "ClientException" if says("no cluster found") => Class::NotFound,
        "ResourceNotReadyException" | "EntityTemporarilyUnmodifiable" | "ResourceLockedException" => Class::Busy,
        "OperationAborted" => Class::Busy,
        "InvalidDBClusterState" | "InvalidDBInstanceState" | "InvalidDBParameterGroupState"
        | "InvalidDBSubnetGroupState" | "InvalidDBSubnetState" | "ConcurrentUpdateException" => Class::Busy,
        // RDS and Application Auto Scaling look at a fresh role or at a key whose policy has not spread.
        "KMSKeyNotAccessible" | "FailedResourceAccessException" => Class::NotYet,
        "InvalidParameterValue" if says("does not include the required permissions") => Class::NotYet,
        "ValidationException" if says("unable to assume iam role") => Class::NotYet,
        // A scalable target that is there takes no tags with its settings: an attempt before got through.
        "ValidationException" if says("tried to tag already exists") => Class::AlreadyExists,
        "InvalidReplicationGroupState" | "InvalidCacheClusterState" | "InvalidCacheParameterGroupState"
        | "CacheSubnetGroupInUse" | "SubnetInUse" | "ContinuousBackupsUnavailableException" => Class::Busy,
        // ElastiCache and EKS were asked for what is there.
        "NoOperation" => Class::AlreadyExists,
        "InvalidParameterException" if says("no changes needed") => Class::AlreadyExists,
        // A secret that was deleted for good keeps its name for some seconds.
        "InvalidRequestException" if says("scheduled for deletion") || says("marked for deletion") => Class::Busy,
        // Access entries of an EKS cluster that is being made or removed.
        "InvalidRequestException" if says("not in active status") => Class::Busy,
        // DynamoDB works on a number of tables at once, and changes an expiry attribute once an hour.
        "LimitExceededException" if says("simultaneously") => Class::Busy,
        "ValidationException" if says("modified multiple times within a fixed interval") => Class::Busy,
        // The private DNS name of an endpoint that is being deleted is given up late.
        "InvalidParameter" if says("conflicting dns domain") => Class::Busy,
        "Throttling" | "ThrottlingException" | "ThrottledException" | "SlowDown" | "RequestLimitExceeded" | "TooManyRequestsException"
        | "RequestThrottled" | "LimitExceededException"
            if says("rate") || says("throttl") || code != "LimitExceededException" =>
        {
            Class::Throttled
        }
        // Elastic Load Balancing: `TooManyLoadBalancers`.
        _ if code.starts_with("TooMany") => Class::Quota,
        "AuthorizationError" | "AuthorizationErrorException" => Class::Denied,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AuthFailure"
        | "UnrecognizedClientException" | "InvalidClientTokenId" | "ExpiredToken" | "ExpiredTokenException"
        | "SignatureDoesNotMatch" | "RequestExpired" | "OptInRequired" => Class::Denied,
        // Signatures and keys as S3 and the JSON services name them.
        "InvalidSignatureException" | "InvalidAccessKeyId" | "InvalidToken" | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" | "IncompleteSignature" | "RequestTimeTooSkewed" => Class::Denied,
        _ if code.ends_with("LimitExceeded") || code.ends_with("LimitExceededException") => Class::Quota,
        "LimitExceeded" | "AddressLimitExceeded" | "ServiceQuotaExceededException" => Class::Quota,
        _ if code.contains("Quota") && code.ends_with("Exceeded") => Class::Quota,
        "EntityAlreadyExists" | "EntityAlreadyExistsException" | "AlreadyExistsException" | "Resource.AlreadyAssociated"
        | "InvalidSubnet.Conflict" | "ResourceAlreadyExistsException" | "ResourceExistsException" => Class::AlreadyExists,
        _ if code.ends_with(".Duplicate") || code.ends_with("AlreadyExists") => Class::AlreadyExists,
        _ if code.ends_with("NotFound") || code.ends_with("NotFoundException") || code == "NoSuchEntity" => Class::NotFound,
        "NoSuchEntityException" | "Gateway.NotAttached" => Class::NotFound,
        // S3: a bucket, or one of its settings.
        _ if code.starts_with("NoSuch") || code.ends_with("NotFoundError") => Class::NotFound,
        "UnknownMonitorException" | "UnknownSubscriptionException" => Class::NotFound,
        _ if code.starts_with("Invalid") || code.starts_with("Validation") || code.starts_with("Malformed") => {
            Class::Invalid
        }
        "DBSubnetGroupDoesNotCoverEnoughAZs" => Class::Invalid,
        "TagException" | "UnsupportedOperationException" | "UnsupportedAvailabilityZoneException" => Class::Invalid,
        "ServiceUnavailableException" | "DependencyTimeoutException" | "KeyUnavailableException"
        | "KMSInternalException" => Class::Unreachable,
        "InternalError" | "InternalFailure" | "InternalServerError" | "InternalServiceError" | "ServiceUnavailable"
        | "ServiceFailure" | "Unavailable" | "ServerException" | "InternalErrorException" | "InternalServerException"
        | "InternalServiceException" | "OperationTimeoutException" | "ServiceException" => Class::Unreachable,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_is_read_from_the_error_type() {
        let name = std::any::type_name::<aws_sdk_ec2::operation::create_vpc::CreateVpcError>();
        assert_eq!(operation_of(name), "ec2:CreateVpc");
        let name = std::any::type_name::<aws_sdk_cloudwatchlogs::operation::create_log_group::CreateLogGroupError>();
        assert_eq!(operation_of(name), "logs:CreateLogGroup");
    }

    #[test]
    fn causes_are_told_without_what_wraps_them() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Told(&'static str, #[source] Option<Box<Told>>);
        let told = |texts: &[&'static str]| {
            let chain = texts.iter().rev().fold(None, |inner, text| Some(Box::new(Told(text, inner))));
            causes(&*chain.expect("a cause"))
        };
        let refused = ["dispatch failure", "io error", "client error (Connect)", "tcp connect error", "refused"];
        assert_eq!(told(&refused), "tcp connect error: refused");
        let chain = "no credentials found in chain. Attempted:\n  Profile: the credential provider was not enabled\n  \
                     Environment: the credential provider was not enabled: not set";
        assert_eq!(
            told(&["dispatch failure", "other", "the credential provider was not enabled", chain]),
            "no credentials found in chain. Attempted: Profile; Environment: not set"
        );
    }

    #[test]
    fn codes_have_a_meaning() {
        for (code, message, class) in [
            ("InvalidVpcID.NotFound", "", Class::NotFound),
            ("NoSuchEntity", "", Class::NotFound),
            ("DependencyViolation", "", Class::Busy),
            ("VpcLimitExceeded", "", Class::Quota),
            ("LimitExceededException", "Cannot exceed quota", Class::Quota),
            ("LimitExceededException", "Rate exceeded", Class::Throttled),
            (
                "InvalidParameterException",
                "No changes needed for the deletionProtection provided",
                Class::AlreadyExists,
            ),
            ("InvalidPermission.Duplicate", "", Class::AlreadyExists),
            ("EntityAlreadyExists", "", Class::AlreadyExists),
            ("UnauthorizedOperation", "", Class::Denied),
            ("InvalidInput", "Service role name X has been taken in this account", Class::AlreadyExists),
            ("ResourceInUseException", "Cluster already exists with name: c", Class::AlreadyExists),
            ("ResourceInUseException", "Cluster has nodegroups attached", Class::Busy),
            ("IdempotentParameterMismatch", "", Class::TokenSpent),
            ("InvalidParameterException", "The role cannot be assumed by EKS", Class::NotYet),
            ("InvalidParameterValue", "", Class::Invalid),
            ("InvalidParameter", "there is already a conflicting DNS domain for sts in the VPC", Class::Busy),
            ("InvalidVpcEndpoint.NotFound", "", Class::NotFound),
            ("InvalidSecurityGroupRuleId.NotFound", "", Class::NotFound),
            ("RulesPerSecurityGroupLimitExceeded", "", Class::Quota),
            ("EntityTemporarilyUnmodifiable", "", Class::Busy),
            ("OpenIdIdpCommunicationError", "", Class::NotYet),
            ("InvalidParameter", "Unable to assume given IAM role", Class::NotYet),
            ("InvalidParameterException", "The key does not exist or is not allowed to be used with X", Class::NotYet),
            ("NatGatewayNotFound", "", Class::NotFound),
            ("FlowLogAlreadyExists", "", Class::AlreadyExists),
            ("RouteAlreadyExists", "", Class::AlreadyExists),
            ("InvalidIPAddress.InUse", "", Class::Busy),
            ("InvalidParameterException", "Error in role params", Class::NotYet),
            ("InvalidParameterException", "roleArn, arn:aws:iam::1:role/r, does not exist", Class::NotYet),
            ("InvalidParameterException", "The specified principalArn is invalid: invalid principal.", Class::NotYet),
            ("InvalidParameterException", "Misconfigured PodExecutionRole Trust Policy", Class::NotYet),
            ("InvalidParameterException", "The specified addon version is not supported", Class::Invalid),
            ("ResourceInUseException", "The access entry is already in use on this cluster.", Class::AlreadyExists),
            ("ResourceInUseException", "cluster c currently has Fargate profile p in status CREATING", Class::Busy),
            ("ClientException", "No cluster found for name: c.", Class::NotFound),
            ("UnsupportedAvailabilityZoneException", "", Class::Invalid),
            ("MalformedPolicyDocumentException", "one or more invalid principals", Class::NotYet),
            ("BucketAlreadyExists", "", Class::Foreign),
            ("BucketAlreadyOwnedByYou", "", Class::AlreadyExists),
            ("BucketNotEmpty", "", Class::Invalid),
            ("OperationAborted", "A conflicting conditional operation is in progress", Class::Busy),
            ("NoSuchBucketPolicy", "", Class::NotFound),
            ("OwnershipControlsNotFoundError", "", Class::NotFound),
            ("MalformedPolicy", "Invalid principal in policy", Class::NotYet),
            ("MalformedPolicy", "Missing required field Resource", Class::Invalid),
            ("InvalidParameter", "Invalid parameter: Policy Error: PrincipalNotFound", Class::NotYet),
            ("InvalidParameter", "Topic already exists with different tags", Class::AlreadyExists),
            ("AuthorizationError", "", Class::Denied),
            ("InvalidSignatureException", "Signature expired: 20261123T095500Z is now earlier than", Class::Denied),
            ("InvalidAccessKeyId", "", Class::Denied),
            ("RequestTimeTooSkewed", "", Class::Denied),
            ("ThrottledException", "Rate exceeded", Class::Throttled),
            ("SlowDown", "Please reduce your request rate.", Class::Throttled),
            ("DuplicateRecordException", "", Class::AlreadyExists),
            ("CreationLimitExceededException", "", Class::Quota),
            ("ResourceLockedException", "", Class::Busy),
            ("UnknownMonitorException", "", Class::NotFound),
            ("KMSInvalidStateException", "arn:key is pending deletion.", Class::Busy),
            ("DBClusterNotFoundFault", "", Class::NotFound),
            ("DBInstanceNotFound", "", Class::NotFound),
            ("ObjectNotFoundException", "No scalable target found", Class::NotFound),
            ("DBClusterAlreadyExistsFault", "", Class::AlreadyExists),
            ("InvalidDBClusterStateFault", "it still contains DB instances in non-deleting state", Class::Busy),
            ("InvalidDBParameterGroupState", "One or more database instances are still members", Class::Busy),
            ("InvalidDBSubnetGroupStateFault", "it is in use", Class::Busy),
            ("KMSKeyNotAccessibleFault", "", Class::NotYet),
            (
                "InvalidParameterValue",
                "IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING",
                Class::NotYet,
            ),
            ("ConcurrentUpdateException", "", Class::Busy),
            ("ValidationException", "Unable to assume IAM role", Class::NotYet),
            ("DBClusterQuotaExceededFault", "", Class::Quota),
            ("InstanceQuotaExceeded", "", Class::Quota),
            ("ReplicationGroupNotFoundFault", "", Class::NotFound),
            ("CacheParameterGroupNotFound", "", Class::NotFound),
            ("ReplicationGroupAlreadyExists", "", Class::AlreadyExists),
            ("InvalidReplicationGroupState", "Replication group must be in available state.", Class::Busy),
            ("CacheSubnetGroupInUse", "", Class::Busy),
            ("NoOperationFault", "", Class::AlreadyExists),
            ("ServiceLinkedRoleNotFoundFault", "", Class::NotYet),
            ("InvalidKMSKeyFault", "", Class::Invalid),
            ("NodeQuotaForCustomerExceeded", "", Class::Quota),
            ("CacheSubnetQuotaExceededFault", "", Class::Quota),
            ("ResourceExistsException", "", Class::AlreadyExists),
            ("EncryptionFailure", "", Class::NotYet),
            ("InvalidRequestException", "a secret with this name is already scheduled for deletion.", Class::Busy),
            ("InvalidRequestException", "Cluster 'c' is not in ACTIVE status", Class::Busy),
            ("InvalidRequestException", "You provided invalid parameters", Class::Invalid),
            ("ResourceInUseException", "Table already exists: t", Class::AlreadyExists),
            ("ResourceInUseException", "Attempt to change a resource which is still in use", Class::Busy),
            ("ContinuousBackupsUnavailableException", "", Class::Busy),
            ("DuplicateListener", "", Class::AlreadyExists),
            ("DuplicateTargetGroupName", "", Class::AlreadyExists),
            ("LoadBalancerNotFound", "", Class::NotFound),
            ("TooManyTargetGroups", "", Class::Quota),
            ("TooManyRequestsException", "", Class::Throttled),
            ("ResourceInUse", "Target group is currently in use by a listener or a rule", Class::Busy),
            ("OperationNotPermitted", "cannot be deleted because deletion protection is enabled", Class::Invalid),
            (
                "InvalidConfigurationRequest",
                "Access Denied for bucket: logs. Please check S3bucket permission",
                Class::NotYet,
            ),
            ("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup g not found", Class::NotFound),
            ("ValidationError", "Provided Target Groups may not be valid. Please ensure they exist", Class::NotYet),
            (
                "LimitExceededException",
                "Only 10 tables can be created, updated, or deleted simultaneously",
                Class::Busy,
            ),
            (
                "ValidationException",
                "Failed to verify customer bucket permission. accountId: 1, bucket name: b",
                Class::NotYet,
            ),
            ("InvalidRequestException", "WorkGroup costs is not found.", Class::NotFound),
            ("InvalidRequestException", "WorkGroup is already created", Class::AlreadyExists),
            ("DuplicateReportNameException", "", Class::AlreadyExists),
            ("ReportLimitReachedException", "", Class::Quota),
            ("AWSOrganizationsNotInUseException", "", Class::NotFound),
            ("DuplicatePolicyException", "", Class::Foreign),
            ("PolicyInUseException", "", Class::Busy),
            ("PolicyNotAttachedException", "", Class::NotFound),
            (
                "ValidationException",
                "Time to live has been modified multiple times within a fixed interval",
                Class::Busy,
            ),
        ] {
            assert_eq!(classify(code, message), class, "{code}: {message}");
        }
    }
}
