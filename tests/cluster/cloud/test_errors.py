"""Errors as AWS words them, replayed: each says what to change; what is only busy is asked again, in bounded time."""

from __future__ import annotations

import json
import time

import pytest

from ess.cluster.cloud.account import Account
from ess.cluster.cloud.permissions import STATEMENTS
from ess.cluster.cloud.refusals import Refused, needs_decoding, refused, unreachable
from ess.errors import EssError, OptionError
from tests.cluster.cloud.ec2 import Ec2, account, answer, machines, order, refusal, refuse

CLUSTER = "cloud-errors"

pytestmark = pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")

VCPU = (
    "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the "
    "specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an "
    "adjustment to this limit."
)
DENIED = (
    "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ann is not authorized to "
    "perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1:123456789012:instance/* because no identity-based "
    "policy allows the ec2:RunInstances action. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abc"
)
OPAQUE = (
    "You are not authorized to perform this operation. "
    "Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abc"
)


@pytest.mark.parametrize(
    ("code", "message", "status", "said"),
    [
        ("VcpuLimitExceeded", VCPU, 400, "--number: .*vCPU limit of 32.*have the limit of vCPUs raised"),
        ("InvalidAMIID.NotFound", "The image id '[ami-0abc]' does not exist", 400, r"--image: .*ami-0abc.*one region"),
        ("InvalidAMIID.Malformed", 'Invalid id: "x" (expecting "ami-...")', 400, "--image: .*as ami-"),
        (
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            400,
            "another command has just launched these nodes with other options; see: ess cluster status",
        ),
        ("RequestExpired", "Request has expired.", 400, "AWS: the key has expired; log in again"),
        ("ExpiredToken", "The security token included in the request is expired", 400, "the key has expired"),
        (
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
            401,
            "the key was not accepted",
        ),
        ("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded", 400, "--spot: .*leave out --spot"),
        ("PendingVerification", "Your request for accessing resources is being validated", 400, "some minutes"),
        ("Unheard", "Something\nnew.", 400, r"ec2:RunInstances: Something new \(Unheard\)"),
    ],
)
def test_an_error_says_what_to_change(cloud: Ec2, code: str, message: str, status: int, said: str) -> None:
    used = account()
    asked = refuse(used, "RunInstances", refusal(code, message, status))
    source = machines(used)
    source.order(order())
    with pytest.raises(EssError, match=said) as caught:
        source.make(CLUSTER, [0])
    assert len(asked) == 1 and "\n" not in str(caught.value)
    source.end(CLUSTER)


@pytest.mark.parametrize(
    ("code", "status"),
    [("RequestLimitExceeded", 503), ("Throttling", 400), ("Unavailable", 503), ("InternalError", 500)],
)
def test_what_aws_is_too_busy_for_is_asked_again_after_a_while(
    cloud: Ec2, monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    used = account()
    busy = refusal(code, "Request limit exceeded.", status)
    asked = refuse(used, "DescribeInstances", busy, busy)
    assert machines(used).list(CLUSTER) == []
    assert len(asked) == 3 and len(waited) == 2 and all(0 <= seconds <= 2 for seconds in waited)


def test_a_service_that_stays_busy_is_given_up_in_bounded_time(cloud: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    used = account()
    asked = refuse(used, "DescribeInstances", *[refusal("RequestLimitExceeded", "Request limit exceeded.", 503)] * 20)
    with pytest.raises(EssError, match="too many requests, also after waiting; try again in some minutes"):
        machines(used).list(CLUSTER)
    assert len(asked) == 8 and sum(waited) <= 100 and len(set(waited)) > 3  # by chance, so that not all come at once


def test_no_room_is_an_answer_and_not_waited_for(cloud: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    used = account()
    asked = refuse(used, "RunInstances", *[refusal("InsufficientInstanceCapacity", "No m7i.large here.", 500)] * 40)
    source = machines(used)
    source.order(order())
    with pytest.raises(EssError, match=r"--type: No m7i.large here \(Insuff.*; give another --type or --region"):
        source.make(CLUSTER, [0])
    assert len(asked) == len(cloud.subnets) and waited == []
    source.end(CLUSTER)


def test_a_missing_permission_is_named_with_the_statement_that_grants_it(cloud: Ec2) -> None:
    used = account()
    refuse(used, "RunInstances", refusal("UnauthorizedOperation", DENIED, 403))
    source = machines(used)
    source.order(order())
    with pytest.raises(Refused) as caught:
        source.make(CLUSTER, [0])
    assert caught.value.what == "arn:aws:iam::123456789012:user/ann may not do ec2:RunInstances"
    shown = caught.value.hint.removeprefix("add to its policy: ").removesuffix(" (docs/aws has it all)")
    statements = json.loads(f"[{shown}]")
    assert {statement["Action"] for statement in statements} == {"ec2:RunInstances"} and len(statements) == 2
    source.end(CLUSTER)


@pytest.mark.parametrize("decodes", [True, False])
def test_an_encoded_message_is_decoded_where_that_is_allowed(cloud: Ec2, decodes: bool) -> None:
    used = account()
    meaning = json.dumps({"allowed": False, "context": {"action": "iam:PassRole", "resource": "arn:aws:iam::1:role/x"}})
    result = (
        '<DecodeAuthorizationMessageResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<DecodeAuthorizationMessageResult><DecodedMessage>{meaning}</DecodedMessage>"
        "</DecodeAuthorizationMessageResult></DecodeAuthorizationMessageResponse>"
    )
    denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    decoded = answer(200, result) if decodes else answer(403, denied)
    used.events.register("before-send.sts.DecodeAuthorizationMessage", lambda **_: decoded)
    refuse(used, "RunInstances", refusal("UnauthorizedOperation", OPAQUE, 403))
    source = machines(used)
    source.order(order(role="reader"))
    all_of_them = "ec2:RunInstances or ec2:CreateTags or iam:PassRole or iam:CreateServiceLinkedRole"
    with pytest.raises(Refused, match=f"may not do {'iam:PassRole' if decodes else all_of_them}; add to its policy"):
        source.make(CLUSTER, [0])
    source.end(CLUSTER)


def test_every_action_of_the_policies_can_be_named() -> None:
    for action in {action for statement in STATEMENTS for action in statement.actions}:
        said = f"User: arn:aws:iam::1:user/a is not authorized to perform: {action} on resource: x"
        error = refused("ec2:RunInstances", "AccessDenied", said)
        assert f"may not do {action}" in str(error) and f'"Action": "{action}"' in str(error)


def test_what_can_be_decoded() -> None:
    assert needs_decoding("UnauthorizedOperation", OPAQUE) == "4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abc"
    assert needs_decoding("UnauthorizedOperation", DENIED) == ""  # it names the action
    assert needs_decoding("AuthFailure", OPAQUE) == ""


# Keys and regions -----------------------------------------------------------------------------------------------------


def test_without_a_region_or_with_an_odd_one_nothing_is_asked(cloud: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="--region: no region 'us east'; give one like us-east-1"):
        Account("us east")
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(OptionError, match="--region: no region is named; give one, e.g. us-east-1"):
        Account()


def test_without_a_key_or_with_half_of_one_or_a_wrong_one(cloud: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong" + cloud.secret[5:])
    with pytest.raises(EssError, match="AWS: the key was not accepted"):
        machines().list(CLUSTER)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(OptionError, match="AWS: half a key; give both"):
        machines()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    with pytest.raises(OptionError, match="AWS: there is no key; give --credentials FILE.csv, log in"):
        machines().list(CLUSTER)


def test_no_answer_names_the_network(cloud: Ec2, monkeypatch: pytest.MonkeyPatch, port_base: int) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port_base}")
    with pytest.raises(EssError, match="AWS: no answer .*; check the network, and the name of the region"):
        machines().list(CLUSTER)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("SSOTokenLoadError", "log in again"),
        ("UnauthorizedSSOTokenError", "log in again"),
        ("TokenRetrievalError", "log in again"),
        ("CredentialRetrievalError", "log in again"),
        ("ProfileNotFound", "see ~/.aws/config"),
        ("NoRegionError", "no region is named"),
    ],
)
def test_errors_of_the_chain_of_keys(kind: str, said: str) -> None:
    assert said in str(unreachable(kind, "x"))
