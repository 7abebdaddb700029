"""The errors of AWS in words that say what to change."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ess.cluster.cloud.permissions import actions_of, granting
from ess.errors import InitializationError, OptionError

#: Another subnet may have what this one has not.
NO_ROOM = frozenset(
    {"InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientFreeAddressesInSubnet", "Unsupported"}
)

#: The account may not have more: no subnet helps.
QUOTA = frozenset({"VcpuLimitExceeded", "InstanceLimitExceeded", "MaxSpotInstanceCountExceeded"})

_KEY = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_FORBIDDEN = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "UnauthorizedAccess"})
_BUSY = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown"})

_HINTS: Mapping[str, tuple[str, str]] = {
    "InvalidAMIID.NotFound": ("--image", "an image belongs to one region; leave it out for Amazon Linux 2023"),
    "InvalidAMIID.Malformed": ("--image", "give an image as ami-0123456789abcdef0, or leave it out"),
    "InvalidAMIID.Unavailable": ("--image", "give another, or leave it out for Amazon Linux 2023"),
    "InvalidInstanceType": ("--type", "give a type of EC2, e.g. m7i.large"),
    "InvalidSubnetID.NotFound": ("--subnet", "name one of this region, or leave it out"),
    "InvalidSubnetID.Malformed": ("--subnet", "give it as subnet-0123456789abcdef0"),
    "InsufficientInstanceCapacity": ("--type", "give another --type or --region, a smaller --number, or try later"),
    "InsufficientHostCapacity": ("--type", "give another --type or --region, or try later"),
    "InsufficientFreeAddressesInSubnet": ("--subnet", "name another, or a smaller --number"),
    "Unsupported": ("--type", "give another --type, or a --subnet in another zone"),
    "VcpuLimitExceeded": (
        "--number",
        "give fewer or a smaller --type, or have the limit of vCPUs raised (console of Service Quotas, EC2)",
    ),
    "InstanceLimitExceeded": ("--number", "give fewer, or have the limit raised (console of Service Quotas, EC2)"),
    "MaxSpotInstanceCountExceeded": (
        "--spot",
        "give fewer, leave out --spot, or have the limit of spot vCPUs raised (console of Service Quotas, EC2)",
    ),
    "SpotMaxPriceTooLow": ("--spot", "leave it out, or give another --type"),
    "IdempotentParameterMismatch": (
        "ess cluster create",
        "another command has just launched these nodes with other options; see: ess cluster status",
    ),
    "InvalidBlockDeviceMapping": ("--disk", "give a larger one"),
    "InvalidIamInstanceProfile.NotFound": ("--role", "name an instance profile of this account"),
    "OptInRequired": ("--region", "the region has to be switched on for the account, or give another"),
    "PendingVerification": ("AWS", "AWS checks the account first; this takes some minutes, at most hours"),
    "Blocked": ("AWS", "the account is blocked; ask AWS"),
    "VPCIdNotSpecified": ("--subnet", "there is no default VPC; name a subnet"),
    "SecurityGroupLimitExceeded": ("AWS", "delete groups that nobody uses; ess cluster status --all shows ours"),
    "IncorrectInstanceState": ("AWS", "see: ess cluster status"),
    "IncorrectState": ("AWS", "see: ess cluster status"),
}


class Refused(InitializationError):
    """An error that AWS has answered with; ``code`` is its own word for it."""

    def __init__(self, what: str, *, code: str, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.code = code


def refused(call: str, code: str, message: str, decoded: str = "", user: str = "") -> Refused:
    """The error for an answer of AWS.

    Args:
        call: Service and operation, e.g. ``ec2:RunInstances``.
        code: AWS's word for the error.
        message: Its message.
        decoded: What STS made of the encoded part of it, if it has one.
        user: Who asks, if that is known.
    """
    said = _short(message)
    if code in _FORBIDDEN:
        return _forbidden(call, code, message, decoded, user)
    if code in _EXPIRED:
        return Refused(
            "the key has expired", code=code, where="AWS", hint="log in again (aws sso login), or give another key"
        )
    if code in _KEY:
        return Refused(f"the key was not accepted ({said})", code=code, where="AWS", hint="check key and secret")
    if code in _BUSY:
        return Refused("too many requests, also after waiting", code=code, where=call, hint="try again in some minutes")
    where, hint = _HINTS.get(code, (call, "see AWS's page about error codes of EC2"))
    return Refused(f"{said} ({code})", code=code, where=where, hint=hint)


def needs_decoding(code: str, message: str) -> str:
    """The encoded part of a message that does not name the action that is missing; blank if there is none.

    >>> needs_decoding("UnauthorizedOperation", "You are not. Encoded authorization failure message: aB-_3")
    'aB-_3'
    """
    found = re.search(r"Encoded authorization failure message: ([\w=+/-]+)", message)
    return found[1] if code in _FORBIDDEN and found and not _named(message) else ""


def unreachable(kind: str, message: str) -> InitializationError | OptionError:
    """The error for a failure of the library before there is an answer; ``kind`` is the name of its class."""
    if kind in ("NoCredentialsError", "PartialCredentialsError"):
        return OptionError(
            "there is no key",
            where="AWS",
            hint="give --credentials FILE.csv, log in (aws sso login), or use a machine with a role",
        )
    if "SSO" in kind or "Token" in kind or "Credential" in kind or kind == "LoginRefreshRequired":
        return OptionError(f"no key can be had ({kind})", where="AWS", hint="log in again (aws sso login)")
    if kind in ("ProfileNotFound", "ConfigParseError", "ConfigNotFound"):
        return OptionError("the profile cannot be read", where="AWS_PROFILE", hint="see ~/.aws/config")
    if kind in ("NoRegionError", "InvalidRegionError"):
        return no_region()
    return InitializationError(
        f"no answer ({_short(message)})", where="AWS", hint="check the network, and the name of the region"
    )


def no_region() -> OptionError:
    """The error if nothing says which region."""
    return OptionError(
        "no region is named", where="--region", hint="give one, e.g. us-east-1, or set AWS_REGION or the profile's"
    )


def _forbidden(call: str, code: str, message: str, decoded: str, user: str) -> Refused:
    named = _named(message) or _decoded_action(decoded)
    actions = (named,) if named else actions_of(call)
    whose = re.search(r"User: (arn:\S+)", message)
    who = whose[1] if whose else user or "the user"
    return Refused(
        f"{who} may not do {' or '.join(actions)}",
        code=code,
        where="AWS",
        hint=f"add to its policy: {', '.join(granting(action) for action in actions)} (docs/aws has it all)",
    )


def _named(message: str) -> str:
    found = re.search(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z0-9]+)", message)
    return found[1] if found else ""


def _decoded_action(decoded: str) -> str:
    try:
        content: Any = json.loads(decoded or "{}")
        return str(content["context"]["action"])
    except (ValueError, KeyError, TypeError):
        return ""


def _short(message: str) -> str:
    """The first sentence or two, on one line."""
    text = " ".join(message.split()).rstrip(".")
    return text if len(text) <= 300 else text[:300] + "..."
