"""Who signs a call, with which token and by which clock: what AWS refuses before it looks at the call itself.

Any credentials are good, except a key that looks like IAM's and is none of this account's, and temporary credentials of
STS after their time. Clocks are compared only with `--check-clock`, because tests move this cloud's.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from . import clock, switches
from .errors import AwsError
from .gateway import Call
from .iam import backend
from .registry import handles, on_reset
from .wire import Target

# How far a signature may be from the service's clock (IAM User Guide: Signature Version 4, "Troubleshooting").
OLDEST = timedelta(minutes=15)
NEWEST = timedelta(minutes=5)

_KEY = re.compile(r"Credential=([^/,]*)/")
_LONG_TERM = re.compile(r"AKIA[A-Z0-9]{16}")

# When the temporary credentials that were given out here end, by session token.
_ends: dict[str, float] = {}


@on_reset
def forget() -> None:
    """Forget all temporary credentials."""
    _ends.clear()


@handles("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:GetFederationToken", "sts:GetSessionToken")
def temporary(call: Call) -> dict[str, Any]:
    """Temporary credentials, whose time is this cloud's."""
    answer = call.forward()
    usual = 3600 if call.target.operation.startswith("AssumeRole") else 43200
    end = clock.now() + float(call.params.get("DurationSeconds") or usual)
    _ends[answer["Credentials"]["SessionToken"]] = end
    answer["Credentials"]["Expiration"] = datetime.fromtimestamp(int(end), UTC)
    return answer


def check(target: Target, environ: dict[str, Any]) -> None:
    """Refuse a call that AWS would not take from this caller at this time."""
    found = _KEY.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None:
        return
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
    if token in _ends and _ends[token] < clock.now():
        raise _expired(target)
    if _LONG_TERM.fullmatch(found[1]) and not token and not _active(found[1]):
        raise _unknown(target)
    if switches.current.check_clock:
        _compare(target, environ.get("HTTP_X_AMZ_DATE", ""))


def _active(key: str) -> bool:
    keys = (one for user in backend().users.values() for one in user.access_keys)
    return any(one.access_key_id == key and one.status == "Active" for one in keys)


def _compare(target: Target, date: str) -> None:
    """Refuse a signature that is too old or not yet good."""
    try:
        signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return
    now = datetime.fromtimestamp(int(clock.now()), UTC)
    if now - OLDEST <= signed <= now + NEWEST:
        return
    if target.service == "s3":
        message = "The difference between the request time and the current time is too large."
        raise AwsError("RequestTimeTooSkewed", message, 403)
    if target.service == "ec2":
        raise AwsError("RequestExpired", "Request has expired.", 400)
    shown = lambda time: f"{time:%Y%m%dT%H%M%SZ}"
    if signed < now:
        limit = f"{shown(now - OLDEST)} ({shown(now)} - 15 min.)"
        message = f"Signature expired: {shown(signed)} is now earlier than {limit}"
    else:
        limit = f"{shown(now + NEWEST)} ({shown(now)} + 5 min.)"
        message = f"Signature not yet current: {shown(signed)} is still later than {limit}"
    code = "SignatureDoesNotMatch" if _query(target) else "InvalidSignatureException"
    raise AwsError(code, message, 403)


def _expired(target: Target) -> AwsError:
    if target.service == "s3":
        return AwsError("ExpiredToken", "The provided token has expired.", 400)
    if target.service == "ec2":
        return AwsError("RequestExpired", "Request has expired.", 400)
    code = "ExpiredToken" if _query(target) else "ExpiredTokenException"
    return AwsError(code, "The security token included in the request is expired", 403)


def _unknown(target: Target) -> AwsError:
    if target.service == "s3":
        message = "The AWS Access Key Id you provided does not exist in our records."
        return AwsError("InvalidAccessKeyId", message, 403)
    if target.service == "ec2":
        return AwsError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    code = "InvalidClientTokenId" if _query(target) else "UnrecognizedClientException"
    return AwsError(code, "The security token included in the request is invalid.", 403)


def _query(target: Target) -> bool:
    """Whether a service speaks the query protocol, which has its own names for what goes wrong with a signature."""
    return target.protocol == "query"
