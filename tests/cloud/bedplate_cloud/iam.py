"""IAM and STS: who the caller is, service-linked roles, and the checks of policy documents."""

import json
import re
from typing import Any
from urllib.parse import quote

from moto.iam.models import iam_backends

from . import clock, propagation, settings
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles

# Service -> the name AWS gives its service-linked role.
LINKED_ROLES = {
    "eks.amazonaws.com": "AmazonEKS",
    "eks-nodegroup.amazonaws.com": "AmazonEKSNodegroup",
    "eks-fargate.amazonaws.com": "AmazonEKSForFargate",
    "rds.amazonaws.com": "RDS",
    "elasticache.amazonaws.com": "ElastiCache",
    "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing",
    "autoscaling.amazonaws.com": "AutoScaling",
    "rds.application-autoscaling.amazonaws.com": "ApplicationAutoScaling_RDSCluster",
    "dynamodb.application-autoscaling.amazonaws.com": "ApplicationAutoScaling_DynamoDBTable",
    "spot.amazonaws.com": "EC2Spot",
}
PATH = "/aws-service-role/"


def backend() -> Any:
    """Moto's IAM of the account."""
    return iam_backends[settings.ACCOUNT]["aws"]


@handles("sts:GetCallerIdentity")
def caller_identity(call: Call) -> dict[str, Any]:
    """The one caller, unless a role was assumed here."""
    answer = call.forward()
    if answer["Arn"].endswith(":user/moto"):
        return {"Account": settings.ACCOUNT, "Arn": settings.CALLER_ARN, "UserId": "AIDA79792318740BEDPLT"}
    return answer


@handles("iam:GetUser")
def get_user(call: Call) -> dict[str, Any]:
    """The caller is a user, though no list names it: it is not part of what a test makes."""
    if call.params.get("UserName") not in (None, settings.CALLER_NAME):
        return call.forward()
    user = {
        "Path": "/",
        "UserName": settings.CALLER_NAME,
        "UserId": "AIDA79792318740BEDPLT",
        "Arn": settings.CALLER_ARN,
        "CreateDate": clock.timestamp().replace(year=2024, month=1, day=1),
    }
    return {"User": user}


@handles("iam:CreateServiceLinkedRole")
def create_service_linked_role(call: Call) -> dict[str, Any]:
    """Make the role once; its name is the service's choice."""
    service, suffix = call.params["AWSServiceName"], call.params.get("CustomSuffix")
    role = linked_role(service, suffix, call.params.get("Description") or "")
    return encoded({"Role": _role_row(role)})


def linked_role(service: str, suffix: str | None = None, description: str = "") -> Any:
    """Make a service-linked role, or say that it is there."""
    if not re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com", service):
        raise AwsError("InvalidInput", f"Service role name {service} is not a valid service principal.", 400)
    name = "AWSServiceRoleFor" + LINKED_ROLES.get(service, service.split(".")[0].title().replace("-", ""))
    name += f"_{suffix}" if suffix else ""
    if any(one.name == name for one in backend().roles.values()):
        message = f"Service role name {name} has been taken in this account, please try a different suffix."
        raise AwsError("InvalidInput", message, 400)
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    path = f"{PATH}{service}/"
    return backend().create_role(name, trust, path, None, description, [], "3600", linked_service=service)


DOCUMENTS = ("AssumeRolePolicyDocument", "PolicyDocument", "Document")


@handles(
    "iam:CreateRole",
    "iam:GetRole",
    "iam:ListRoles",
    "iam:GetRolePolicy",
    "iam:GetPolicyVersion",
    "iam:ListPolicyVersions",
)
def with_documents(call: Call) -> dict[str, Any]:
    """IAM answers policy documents URL-encoded; moto encodes some of them."""
    return encoded(call.forward())


FILTERS = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")


@handles("iam:GetAccountAuthorizationDetails")
def account_details(call: Call) -> dict[str, Any]:
    """Everything of the kinds asked for; of the policies moto leaves out name and id."""
    for one in call.params.get("Filter") or []:
        if one not in FILTERS:
            message = f"1 validation error detected: Value '{one}' at 'filter' must be one of {', '.join(FILTERS)}"
            raise AwsError("ValidationError", message)
    answer = encoded(call.forward())
    for row in answer["Policies"]:
        kept = backend().managed_policies[row["Arn"]]
        row |= {"PolicyName": kept.name, "PolicyId": kept.id}
    return answer


def encoded(value: Any) -> Any:
    """The same answer with every policy document encoded once."""
    if isinstance(value, list):
        return [encoded(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: quote(one, safe="") if key in DOCUMENTS and isinstance(one, str) and one.startswith("{") else encoded(one)
        for key, one in value.items()
    }


@checks("iam:CreateRole", "iam:PutRolePermissionsBoundary")
def boundary(call: Call) -> None:
    """A permissions boundary is a policy that exists."""
    arn = call.params.get("PermissionsBoundary")
    if arn and arn not in backend().managed_policies:
        raise AwsError("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.", 404)


def _role_row(role: Any) -> dict[str, Any]:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.create_date,
        "AssumeRolePolicyDocument": json.dumps(json.loads(role.assume_role_policy_document)),
    }


def is_service_linked(role: Any) -> bool:
    """Whether the role belongs to a service."""
    return role.path.startswith(PATH)


@checks("iam:DeleteRole", "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:TagRole")
def protected_role(call: Call) -> None:
    """A service-linked role is changed by its service only."""
    name = call.params["RoleName"]
    if any(one.name == name and is_service_linked(one) for one in backend().roles.values()):
        message = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        raise AwsError("UnmodifiableEntity", message, 400)


def parse_policy(text: str, code: str) -> dict[str, Any]:
    """A policy document that is at least JSON with statements."""
    try:
        document = json.loads(text)
    except ValueError:
        raise AwsError(code, "This policy contains invalid Json", 400) from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise AwsError(code, "Syntax errors in policy.", 400)
    return document


def statements_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """A policy's statements; a single one may stand without a list."""
    statements = document["Statement"]
    return statements if isinstance(statements, list) else [statements]


def unknown_principal(document: dict[str, Any]) -> str | None:
    """The first user or role of this account that a policy names and that does not exist, or is not known yet."""
    arns = [one.arn for one in [*backend().roles.values(), *backend().users.values()]]
    known = {arn for arn in arns if propagation.known(arn)} | {settings.CALLER_ARN}
    for statement in statements_of(document):
        principal = statement.get("Principal")
        names = principal.get("AWS", []) if isinstance(principal, dict) else []
        for name in [names] if isinstance(names, str) else names:
            if re.match(rf"arn:aws:iam::{settings.ACCOUNT}:(user|role)/", name) and name not in known:
                return name
    return None


@checks("iam:CreateRole")
def new_role(call: Call) -> None:
    """Refuse a broken trust policy, or one that names a principal that does not exist."""
    _check_trust(call.params["AssumeRolePolicyDocument"])


@checks("iam:UpdateAssumeRolePolicy")
def changed_trust(call: Call) -> None:
    """The same for a changed trust policy."""
    _check_trust(call.params["PolicyDocument"])


def _check_trust(text: str) -> None:
    document = parse_policy(text, "MalformedPolicyDocument")
    unknown = unknown_principal(document)
    if unknown:
        raise AwsError("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{unknown}"', 400)
    for statement in statements_of(document):
        if "Principal" not in statement:
            raise AwsError("MalformedPolicyDocument", "Missing required field Principal", 400)
        if "Resource" in statement:
            raise AwsError("MalformedPolicyDocument", "Has prohibited field Resource", 400)


@checks("iam:PutRolePolicy", "iam:CreatePolicy", "iam:CreatePolicyVersion")
def new_policy(call: Call) -> None:
    """Refuse a policy that is no policy."""
    document = parse_policy(call.params["PolicyDocument"], "MalformedPolicyDocument")
    for statement in statements_of(document):
        if "Principal" in statement:
            raise AwsError("MalformedPolicyDocument", "Policy document should not specify a principal.", 400)


@checks("iam:DeletePolicy")
def delete_policy(call: Call) -> None:
    """A policy that is attached, or that has other versions, stays."""
    arn = call.params["PolicyArn"]
    holders = [*backend().roles.values(), *backend().users.values(), *backend().groups.values()]
    if any(arn in one.managed_policies for one in holders):
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    policy = backend().managed_policies.get(arn)
    if policy is not None and len(policy.versions) > 1:
        raise AwsError(
            "DeleteConflict",
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions.",
            409,
        )


def _provider(call: Call) -> Any:
    arn = call.params["OpenIDConnectProviderArn"]
    found = backend().open_id_providers.get(arn)
    if found is None:
        raise AwsError("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}", 404)
    return found


@handles("iam:CreateOpenIDConnectProvider")
def create_oidc_provider(call: Call) -> dict[str, Any]:
    """Without a thumbprint list IAM fetches the thumbprint itself."""
    answer = call.forward()
    provider = backend().open_id_providers[answer["OpenIDConnectProviderArn"]]
    if not provider.thumbprint_list:
        provider.thumbprint_list = ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"]
    return answer


@handles("iam:AddClientIDToOpenIDConnectProvider")
def add_client(call: Call) -> dict[str, Any]:
    """Add an audience; once more does nothing."""
    clients = _provider(call).client_id_list
    if call.params["ClientID"] not in clients:
        clients.append(call.params["ClientID"])
    return {}


@handles("iam:RemoveClientIDFromOpenIDConnectProvider")
def remove_client(call: Call) -> dict[str, Any]:
    """Remove an audience; an unknown one does nothing."""
    clients = _provider(call).client_id_list
    if call.params["ClientID"] in clients:
        clients.remove(call.params["ClientID"])
    return {}
