"""The policies of docs/aws: every call that the code makes is in them, and nothing else is."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.cluster.cloud import belongings
from ess.cluster.cloud.account import Account
from ess.cluster.cloud.permissions import BESIDE, LAPTOP, MASTER, NODES, STATEMENTS, policy
from ess.cluster.cloud.place import Place
from ess.cluster.cloud.shapes import CLUSTER
from ess.errors import EssError
from ess.stores.kinds import Credentials
from ess.stores.s3 import Bucket
from ess.stores.store import PIECE
from tests.cluster.cloud.ec2 import REGION, Ec2, account, answer, machines, order, refusal, refuse, watch
from tests.store_servers import BUCKET, Moto

pytestmark = pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")

DOCS = Path(__file__).resolve().parents[3] / "docs" / "aws"

#: AWS asks for these by itself when something is made.
IMPLIED = {action for actions in BESIDE.values() for action in actions}


def allowed(name: str) -> set[str]:
    content = json.loads((DOCS / f"{name}.json").read_text("utf-8"))
    return {action for statement in content["Statement"] for action in statement["Action"]}


@contextlib.contextmanager
def as_user(cloud: Ec2, name: str, statements: list[dict[str, object]], patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work with the key of a user who has these permissions, which moto enforces."""
    cloud.iam.create_user(UserName=name)
    key = cloud.iam.create_access_key(UserName=name)["AccessKey"]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    cloud.iam.put_user_policy(UserName=name, PolicyName="given", PolicyDocument=document)
    try:
        with patch.context() as inner:
            inner.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
            inner.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
            yield
    finally:
        cloud.iam.delete_user_policy(UserName=name, PolicyName="given")
        cloud.iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        cloud.iam.delete_user(UserName=name)


def on_all(actions: set[str]) -> list[dict[str, object]]:
    """These actions on everything: moto knows no ARNs of EC2 and no conditions."""
    return [{"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}]


def joined(cloud: Ec2, name: str) -> None:
    """Put the machine of the tests into a group."""
    found = cloud.api.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]
    interface = cloud.api.describe_network_interfaces(NetworkInterfaceIds=[cloud.master.interface])["NetworkInterfaces"]
    groups = [each["GroupId"] for each in interface[0]["Groups"]]
    cloud.api.modify_network_interface_attribute(
        NetworkInterfaceId=cloud.master.interface, Groups=[*groups, found[0]["GroupId"]]
    )


def whole_life(used: Account, place: Place | None, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that the package can ask of AWS."""
    source = machines(used, place)
    source.order(order())
    source.make(tag, range(2))
    source.host_keys(source.list(tag)[0])
    source.bill(tag)
    monkeypatch.setenv("ESS_CLUSTER_FROM", "198.51.100.7")  # the caller has moved
    source.stop(tag)
    source.start(tag)
    volume = used.call("ec2", "describe_volumes", {})["Volumes"][0]
    lost = {"AvailabilityZone": volume["AvailabilityZone"], "Size": 1, "TagSpecifications": []}
    tags = [{"Key": "essentia-cluster", "Value": tag}, {"Key": "essentia-owner", "Value": used.owner}]
    lost["TagSpecifications"] = [{"ResourceType": "volume", "Tags": tags}]
    account().call("ec2", "create_volume", lost)  # as if it had been left behind
    source.end(tag)
    belongings.regions(used)
    source.order(order(spot=True))
    busy = refusal("UnauthorizedOperation", "Encoded authorization failure message: abc", 403)
    refuse(used, "RunInstances", busy)
    with pytest.raises(EssError, match="may not do ec2:RunInstances or"):
        source.make(tag, [0])
    source.end(tag)


@pytest.mark.parametrize("name", [MASTER, LAPTOP])
def test_the_calls_of_a_whole_life_are_those_of_the_policy(
    cloud: Ec2, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = None
    if name == MASTER:
        place = cloud.master
    made: set[str] = set()
    # The volume that is left behind is made by an administrator.
    given = on_all(allowed(name) | {"ec2:CreateVolume"})
    with monkeypatch.context() as patch, as_user(cloud, f"user-of-{name}-{REGION}", given, patch):
        used = account()
        watch(used, lambda call, _: made.add(call))
        used.events.register("before-send.sts.DecodeAuthorizationMessage", lambda **_: answer(403, "<x/>"))
        if place is None:  # a master that is gone has left itself in the group
            used.events.register("after-call.ec2.StartInstances", lambda **_: joined(cloud, f"essentia-cloud-{name}"))
        whole_life(used, place, f"cloud-{name}", patch)
    assert made == allowed(name) - IMPLIED


def test_what_aws_asks_for_by_itself_is_granted_too() -> None:
    every = {action for statement in STATEMENTS for action in statement.actions}
    assert every >= IMPLIED and every >= BESIDE.keys()
    for name in (MASTER, LAPTOP):
        assert allowed(name) >= IMPLIED


def test_only_what_is_tagged_may_be_changed() -> None:
    # One is bound to the calls that make something; the other puts the master into the group, and takes it out.
    free = {"ec2:CreateTags", "ec2:ModifyNetworkInterfaceAttribute"}
    for statement in STATEMENTS:
        for action in statement.actions:
            verb = action.partition(":")[2]
            if action.startswith("ec2:") and not verb.startswith("Describe") and action not in free:
                tagged = any(f"Tag/{CLUSTER}" in key for key in str(statement.condition).split("'"))
                assert tagged or statement.sid == "MakeFrom", action


def test_a_permission_that_the_server_refuses_is_named(cloud: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = allowed(LAPTOP) - {"ec2:ImportKeyPair"}
    with as_user(cloud, f"lacking-{REGION}", on_all(lacking), monkeypatch):
        source = machines()
        source.order(order())
        with pytest.raises(EssError, match=r"user/lacking.* may not do ec2:ImportKeyPair; add to its policy: \{"):
            source.make("cloud-lacking", [0])
        source.end("cloud-lacking")


def statements_of_nodes(without: str = "") -> list[dict[str, object]]:
    content = json.loads(policy(NODES).replace("YOUR-BUCKET", BUCKET))["Statement"]
    for statement in content:
        statement["Action"] = [action for action in statement["Action"] if action != without]
    return [statement for statement in content if statement["Action"]]


def use_files() -> list[str]:
    """The things that a node does with cloud files; those that it may not."""
    store = Bucket(
        BUCKET,
        Credentials(tuple((name, value) for name, value in _environment().items())),
    )
    failed = []

    def write() -> None:
        with store.create("out/large") as sink:
            sink.write(b"x" * (PIECE + 1))
            sink.write(b"y")

    def give_up() -> None:
        with contextlib.suppress(KeyboardInterrupt), store.create("out/none") as sink:
            sink.write(b"x" * (PIECE + 1))
            raise KeyboardInterrupt

    def read() -> None:
        with store.open("in") as file:
            assert file.read() == b"content"

    for name, do in (("list", lambda: list(store.entries())), ("read", read), ("write", write), ("give up", give_up)):
        try:
            do()
        except EssError:
            failed.append(name)
    return failed


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")}


def test_nodes_may_read_and_write_the_files_of_the_bucket_and_nothing_else(
    cloud: Ec2, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = Moto(cloud.server)
    s3.put("in", b"content")
    with as_user(cloud, f"node-{REGION}", statements_of_nodes(), monkeypatch):
        assert use_files() == []
        with pytest.raises(EssError, match="may not"):
            machines().list("cloud-any")
    lacking = {"s3:ListBucket": ["list"], "s3:GetObject": ["read"], "s3:PutObject": ["write", "give up"]}
    for number, (action, fails) in enumerate(lacking.items()):
        with as_user(cloud, f"node-{number}-{REGION}", statements_of_nodes(action), monkeypatch):
            assert use_files() == fails
    with as_user(cloud, f"node-9-{REGION}", statements_of_nodes("s3:AbortMultipartUpload"), monkeypatch):
        use_files()
    uploads = s3._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    assert [upload["Key"] for upload in uploads] == ["out/none"]  # what cannot be given up stays
