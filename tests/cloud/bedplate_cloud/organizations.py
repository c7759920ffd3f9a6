"""Organizations: one organization, managed by this account or by another one, its units, accounts and policies."""

import json
import uuid
from typing import Any

from . import clock, settings, store
from .errors import AwsError
from .gateway import Call
from .registry import handles, on_reset
from .store import Document, Shelf, shown, tag_map

# Organizations has one endpoint, whatever region a call is signed for.
EVERYWHERE = "global"
# Who manages the organization that this account is invited into.
STRANGER = "111111111111"
FULL_ACCESS = "p-FullAWSAccess"
# Quotas for Organizations: policies of a type on one target, and the size of a document.
MOST_ATTACHED = {"SERVICE_CONTROL_POLICY": 5, "TAG_POLICY": 10}
LONGEST = {"SERVICE_CONTROL_POLICY": 5120, "TAG_POLICY": 10_000}

units = Shelf(
    "organizations.unit",
    "Arn",
    ("OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist."),
)
accounts = Shelf(
    "organizations.account", "Arn", ("AccountNotFoundException", "You specified an account that doesn't exist.")
)
policies = Shelf(
    "organizations.policy", "Arn", ("PolicyNotFoundException", "You specified a policy that doesn't exist.")
)


class Organization:
    """What there is once."""

    def __init__(self, manager: str) -> None:
        self.id, self.root = f"o-{uuid.uuid4().hex[:10]}", f"r-{uuid.uuid4().hex[:4]}"
        self.manager = manager
        self.types: set[str] = set()
        # By target: the policies on it. Full access is there from the beginning.
        self.attached: dict[str, list[str]] = {}

    def arn(self, rest: str) -> str:
        """The ARN of something in it."""
        return f"arn:aws:organizations::{self.manager}:{rest}"


_current: list[Organization] = []


@on_reset
def forget() -> None:
    """Leave no organization behind."""
    _current.clear()


def _organization() -> Organization:
    if not _current:
        raise AwsError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
    return _current[0]


def is_member() -> bool:
    """Whether another account manages the organization that this one is in."""
    return bool(_current) and _current[0].manager != settings.ACCOUNT


def _managed() -> Organization:
    """The organization, for what only its management account may do."""
    organization = _organization()
    if organization.manager != settings.ACCOUNT:
        raise AwsError("AccessDeniedException", "You don't have permissions to access this resource.")
    return organization


@handles("organizations:CreateOrganization")
def create(call: Call) -> Document:
    """An organization that this account manages."""
    if _current:
        raise AwsError("AlreadyInOrganizationException", "The AWS account is already a member of an organization.")
    _current.append(Organization(settings.ACCOUNT))
    return describe(call)


@handles("organizations:AcceptHandshake")
def accept(call: Call) -> Document:
    """Any invitation is one into an organization of another account."""
    if _current:
        raise AwsError("HandshakeConstraintViolationException", "The AWS account is already in an organization.")
    _current.append(Organization(STRANGER))
    return {"Handshake": {"Id": call.params["HandshakeId"], "State": "ACCEPTED", "Action": "INVITE"}}


@handles("organizations:DescribeOrganization")
def describe(_call: Call) -> Document:
    """Members may know who manages it."""
    one = _organization()
    found = {
        "Id": one.id,
        "Arn": one.arn(f"organization/{one.id}"),
        "FeatureSet": "ALL",
        "MasterAccountId": one.manager,
        "MasterAccountArn": one.arn(f"account/{one.id}/{one.manager}"),
        "MasterAccountEmail": "management@example.com",
    }
    return {"Organization": found}


@handles("organizations:DeleteOrganization", "organizations:LeaveOrganization")
def end(call: Call) -> Document:
    """Its management account deletes it when it is empty; a member leaves it."""
    leaving = call.target.operation == "LeaveOrganization"
    organization = _organization() if leaving else _managed()
    if leaving and organization.manager == settings.ACCOUNT:
        raise AwsError("MasterCannotLeaveOrganizationException", "The management account cannot leave.")
    if not leaving and any(one.all(EVERYWHERE) for one in (units, accounts, policies)):
        raise AwsError("OrganizationNotEmptyException", "The organization isn't empty.")
    _current.clear()
    return {}


def _root(organization: Organization) -> Document:
    types = [{"Type": one, "Status": "ENABLED"} for one in sorted(organization.types)]
    arn = organization.arn(f"root/{organization.id}/{organization.root}")
    return {"Id": organization.root, "Arn": arn, "Name": "Root", "PolicyTypes": types}


@handles("organizations:ListRoots")
def roots(_call: Call) -> Document:
    """There is one."""
    return {"Roots": [_root(_managed())]}


@handles("organizations:EnablePolicyType", "organizations:DisablePolicyType")
def switch_type(call: Call) -> Document:
    """Switch a type of policies on or off; off, policies of the type are taken off everything."""
    organization, kind = _managed(), call.params["PolicyType"]
    if call.params["RootId"] != organization.root:
        raise AwsError("RootNotFoundException", "You specified a root that doesn't exist.")
    on = call.target.operation == "EnablePolicyType"
    if on == (kind in organization.types):
        code = "PolicyTypeAlreadyEnabledException" if on else "PolicyTypeNotEnabledException"
        raise AwsError(code, f"The type {kind} is {'already' if on else 'not'} enabled.")
    if on:
        organization.types.add(kind)
    else:
        organization.types.discard(kind)
        gone = {one["Id"] for one in policies.all(EVERYWHERE) if one["Type"] == kind}
        for attached in organization.attached.values():
            attached[:] = [one for one in attached if one not in gone]
    return {"Root": _root(organization)}


@handles("organizations:CreateOrganizationalUnit")
def create_unit(call: Call) -> Document:
    """A unit under the root or another unit."""
    organization = _managed()
    _check_target(organization, call.params["ParentId"], "ParentNotFoundException")
    one = f"ou-{organization.root[2:]}-{uuid.uuid4().hex[:8]}"
    doc = {"Id": one, "Arn": organization.arn(f"ou/{organization.id}/{one}"), "Name": call.params["Name"]}
    units.put(EVERYWHERE, one, doc, tag_map(call.params.get("Tags")))
    return {"OrganizationalUnit": shown(doc)}


@handles("organizations:DescribeOrganizationalUnit")
def describe_unit(call: Call) -> Document:
    """One unit."""
    _managed()
    return {"OrganizationalUnit": shown(units.get(EVERYWHERE, call.params["OrganizationalUnitId"]))}


@handles("organizations:DeleteOrganizationalUnit")
def delete_unit(call: Call) -> Document:
    """Delete a unit; what was attached to it is attached no longer."""
    one = units.get(EVERYWHERE, call.params["OrganizationalUnitId"])["Id"]
    _managed().attached.pop(one, None)
    units.drop(EVERYWHERE, one)
    return {}


@handles("organizations:CreateAccount")
def create_account(call: Call) -> Document:
    """A member account, which is there at once."""
    organization = _managed()
    one = f"{222222222222 + len(accounts.all(EVERYWHERE))}"
    doc = {
        "Id": one,
        "Arn": organization.arn(f"account/{organization.id}/{one}"),
        "Email": call.params["Email"],
        "Name": call.params["AccountName"],
        "Status": "ACTIVE",
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": clock.timestamp(),
    }
    accounts.put(EVERYWHERE, one, doc, tag_map(call.params.get("Tags")))
    status = {"Id": f"car-{uuid.uuid4().hex}", "AccountName": doc["Name"], "State": "SUCCEEDED", "AccountId": one}
    return {"CreateAccountStatus": status}


@handles("organizations:DescribeAccount")
def describe_account(call: Call) -> Document:
    """One account."""
    organization, one = _managed(), call.params["AccountId"]
    if one == organization.manager:
        arn = organization.arn(f"account/{organization.id}/{one}")
        return {"Account": {"Id": one, "Arn": arn, "Name": "management", "Status": "ACTIVE"}}
    return {"Account": shown(accounts.get(EVERYWHERE, one))}


def _check_target(organization: Organization, target: str, code: str = "TargetNotFoundException") -> None:
    known = target in (organization.root, organization.manager)
    if not known and not units.find(EVERYWHERE, target) and not accounts.find(EVERYWHERE, target):
        raise AwsError(code, f"You specified {target}, which doesn't exist.")


def _check_content(kind: str, text: str) -> None:
    malformed = AwsError("MalformedPolicyDocumentException", "The provided policy document does not meet the requirements.")
    try:
        document = json.loads(text)
        rules = document["Statement"] if kind == "SERVICE_CONTROL_POLICY" else document["tags"]
    except (ValueError, KeyError, TypeError):
        raise malformed from None
    if kind == "SERVICE_CONTROL_POLICY":
        for rule in rules if isinstance(rules, list) else [rules]:
            misplaced = "Principal" in rule or "NotPrincipal" in rule
            if misplaced or rule.get("Effect") not in ("Allow", "Deny") or not {"Action", "NotAction"} & set(rule):
                raise malformed
    elif not isinstance(rules, dict):
        raise malformed
    if len(text) > LONGEST.get(kind, 10_000):
        raise AwsError("ConstraintViolationException", "POLICY_CONTENT_LIMIT_EXCEEDED", Reason="POLICY_CONTENT_LIMIT_EXCEEDED")


def _summary(doc: Document) -> Document:
    parts = ("Id", "Arn", "Name", "Description", "Type")
    return {"AwsManaged": False} | {part: doc[part] for part in parts}


def _shown(doc: Document) -> Document:
    return {"Policy": {"PolicySummary": _summary(doc), "Content": doc["Content"]}}


def _full_access() -> Document:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return {
        "PolicySummary": {
            "Id": FULL_ACCESS,
            "Arn": f"arn:aws:organizations::aws:policy/service_control_policy/{FULL_ACCESS}",
            "Name": "FullAWSAccess",
            "Description": "Allows access to every operation",
            "Type": "SERVICE_CONTROL_POLICY",
            "AwsManaged": True,
        },
        "Content": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    }


def _check_name(name: str, apart_from: str | None = None) -> None:
    if any(one["Name"] == name and one["Id"] != apart_from for one in policies.all(EVERYWHERE)):
        raise AwsError("DuplicatePolicyException", "A policy with the same name already exists.")


@handles("organizations:CreatePolicy")
def create_policy(call: Call) -> Document:
    """A policy, which is on nothing yet."""
    organization, params = _managed(), call.params
    _check_name(params["Name"])
    _check_content(params["Type"], params["Content"])
    one = f"p-{uuid.uuid4().hex[:8]}"
    arn = organization.arn(f"policy/{organization.id}/{params['Type'].lower()}/{one}")
    doc = {part: params.get(part) or "" for part in ("Name", "Description", "Type", "Content")}
    doc |= {"Id": one, "Arn": arn}
    return _shown(policies.put(EVERYWHERE, one, doc, tag_map(params.get("Tags"))))


@handles("organizations:UpdatePolicy")
def update_policy(call: Call) -> Document:
    """Change what is given."""
    _managed()
    doc, params = policies.get(EVERYWHERE, call.params["PolicyId"]), call.params
    if params.get("Name"):
        _check_name(params["Name"], doc["Id"])
    if params.get("Content"):
        _check_content(doc["Type"], params["Content"])
    doc |= {part: params[part] for part in ("Name", "Description", "Content") if params.get(part) is not None}
    return _shown(doc)


@handles("organizations:DescribePolicy")
def describe_policy(call: Call) -> Document:
    """One policy with its document."""
    _managed()
    if call.params["PolicyId"] == FULL_ACCESS:
        return {"Policy": _full_access()}
    return _shown(policies.get(EVERYWHERE, call.params["PolicyId"]))


@handles("organizations:ListPolicies")
def list_policies(call: Call) -> Document:
    """The policies of a type, AWS's own among them."""
    _managed()
    kind = call.params["Filter"]
    own = [_full_access()["PolicySummary"]] if kind == "SERVICE_CONTROL_POLICY" else []
    return {"Policies": own + [_summary(one) for one in policies.all(EVERYWHERE) if one["Type"] == kind]}


@handles("organizations:DeletePolicy")
def delete_policy(call: Call) -> Document:
    """Delete a policy that is on nothing."""
    organization, one = _managed(), policies.get(EVERYWHERE, call.params["PolicyId"])["Id"]
    if any(one in attached for attached in organization.attached.values()):
        raise AwsError("PolicyInUseException", "The policy is attached to one or more entities.")
    policies.drop(EVERYWHERE, one)
    return {}


@handles("organizations:AttachPolicy")
def attach(call: Call) -> Document:
    """Put a policy of a type that is switched on onto a target."""
    organization, target = _managed(), call.params["TargetId"]
    doc = policies.get(EVERYWHERE, call.params["PolicyId"])
    _check_target(organization, target)
    if doc["Type"] not in organization.types:
        raise AwsError("PolicyTypeNotEnabledException", "The policy type isn't enabled in this root.")
    attached = organization.attached.setdefault(target, [])
    if doc["Id"] in attached:
        raise AwsError("DuplicatePolicyAttachmentException", "The selected policy is already attached to the target.")
    same = [one for one in attached if policies.get(EVERYWHERE, one)["Type"] == doc["Type"]]
    full = doc["Type"] == "SERVICE_CONTROL_POLICY"
    if len(same) + full >= MOST_ATTACHED.get(doc["Type"], 10):
        reason = "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
        raise AwsError("ConstraintViolationException", "You have attached the most policies there can be.", Reason=reason)
    attached.append(doc["Id"])
    return {}


@handles("organizations:DetachPolicy")
def detach(call: Call) -> Document:
    """Take a policy off a target."""
    organization, target = _managed(), call.params["TargetId"]
    doc = policies.get(EVERYWHERE, call.params["PolicyId"])
    _check_target(organization, target)
    attached = organization.attached.get(target, [])
    if doc["Id"] not in attached:
        raise AwsError("PolicyNotAttachedException", "The policy isn't attached to the specified target.")
    attached.remove(doc["Id"])
    return {}


def _kind(target: str) -> str:
    return "ROOT" if target.startswith("r-") else "ORGANIZATIONAL_UNIT" if target.startswith("ou-") else "ACCOUNT"


@handles("organizations:ListTargetsForPolicy")
def targets(call: Call) -> Document:
    """What a policy is on."""
    organization, one = _managed(), policies.get(EVERYWHERE, call.params["PolicyId"])["Id"]
    found = sorted(target for target, attached in organization.attached.items() if one in attached)
    return {"Targets": [{"TargetId": target, "Type": _kind(target)} for target in found]}


@handles("organizations:ListPoliciesForTarget")
def policies_on(call: Call) -> Document:
    """The policies of a type that are on a target."""
    organization, params = _managed(), call.params
    _check_target(organization, params["TargetId"])
    attached = organization.attached.get(params["TargetId"], [])
    rows = [policies.get(EVERYWHERE, one) for one in attached]
    own = [_full_access()["PolicySummary"]] if params["Filter"] == "SERVICE_CONTROL_POLICY" else []
    return {"Policies": own + [_summary(one) for one in rows if one["Type"] == params["Filter"]]}


@handles("organizations:ListTagsForResource", "organizations:TagResource", "organizations:UntagResource")
def tags(call: Call) -> Document:
    """Read or change tags of policies, units and accounts."""
    _managed()
    one = call.params["ResourceId"]
    found = [shelf.find(EVERYWHERE, one) for shelf in (policies, units, accounts)]
    doc: Any = next((doc for doc in found if doc), None)
    if doc is None:
        raise AwsError("TargetNotFoundException", f"You specified {one}, which doesn't exist.")
    doc["_tags"] |= tag_map(call.params.get("Tags"))
    for key in call.params.get("TagKeys") or []:
        doc["_tags"].pop(key, None)
    return {"Tags": store.tag_list(doc)} if call.target.operation == "ListTagsForResource" else {}
