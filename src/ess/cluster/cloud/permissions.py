"""The actions that the calls to AWS need, and the policies that grant them: to a master, a laptop and the nodes.

The files of ``docs/aws`` are made from this table, and messages about a missing permission quote it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ess.cluster.cloud.shapes import CLUSTER

_EC2 = "arn:aws:ec2:*:*:"
_OURS = {"Null": {f"aws:ResourceTag/{CLUSTER}": "false"}}
_MADE = {"Null": {f"aws:RequestTag/{CLUSTER}": "false"}}

MASTER, LAPTOP, NODES = "master", "laptop", "nodes"


@dataclass(frozen=True)
class Statement:
    """A statement of policies.

    Attributes:
        sid: Its name.
        actions: What it allows.
        resources: On what.
        condition: Under which condition.
        policies: The policies that have it.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    condition: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    policies: tuple[str, ...] = (MASTER, LAPTOP)

    def content(self) -> dict[str, Any]:
        """The statement as a policy has it."""
        return {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
            **({"Condition": self.condition} if self.condition else {}),
        }


STATEMENTS = (
    Statement(
        "Look",
        (
            "ec2:DescribeImages",
            "ec2:DescribeInstanceTypeOfferings",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeInstances",
            "ec2:DescribeKeyPairs",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeRegions",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSpotPriceHistory",
            "ec2:DescribeSubnets",
            "ec2:DescribeVolumes",
            "pricing:GetProducts",
            "sts:DecodeAuthorizationMessage",
            "sts:GetCallerIdentity",
        ),
    ),
    Statement("LookForWaysOut", ("ec2:DescribeRouteTables",), policies=(LAPTOP,)),
    Statement(
        "FindTheImage",
        ("ssm:GetParameter",),
        ("arn:aws:ssm:*:*:parameter/aws/service/ami-amazon-linux-latest/*",),
    ),
    Statement(
        "MakeWithTags",
        ("ec2:CreateSecurityGroup", "ec2:ImportKeyPair", "ec2:RunInstances"),
        tuple(
            f"{_EC2}{kind}/*"
            for kind in (
                "instance",
                "volume",
                "network-interface",
                "spot-instances-request",
                "security-group",
                "key-pair",
            )
        ),
        _MADE,
    ),
    Statement(
        "MakeFrom",
        ("ec2:CreateSecurityGroup", "ec2:RunInstances"),
        ("arn:aws:ec2:*::image/*", *(f"{_EC2}{kind}/*" for kind in ("subnet", "security-group", "key-pair", "vpc"))),
    ),
    Statement(
        "TagWhatIsMade",
        ("ec2:CreateTags",),
        (f"{_EC2}*",),
        {"StringEquals": {"ec2:CreateAction": ["CreateSecurityGroup", "ImportKeyPair", "RunInstances"]}},
    ),
    Statement(
        "JoinAndLeaveTheGroup",
        ("ec2:ModifyNetworkInterfaceAttribute",),
        (f"{_EC2}network-interface/*", f"{_EC2}security-group/*"),
    ),
    Statement(
        "ChangeAndEnd",
        (
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:DeleteKeyPair",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteVolume",
            "ec2:GetConsoleOutput",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:StartInstances",
            "ec2:StopInstances",
            "ec2:TerminateInstances",
        ),
        tuple(f"{_EC2}{kind}/*" for kind in ("instance", "volume", "security-group", "key-pair")),
        _OURS,
    ),
    Statement(
        "GiveNodesTheirRole",
        ("iam:PassRole",),
        ("arn:aws:iam::*:role/*",),
        {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    ),
    Statement(
        "UseTheSpotMarket",
        ("iam:CreateServiceLinkedRole",),
        ("arn:aws:iam::*:role/aws-service-role/spot.amazonaws.com/*",),
        {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}},
    ),
    Statement("ListTheBucket", ("s3:ListBucket",), ("arn:aws:s3:::YOUR-BUCKET",), policies=(NODES,)),
    Statement(
        "ReadAndWriteItsFiles",
        ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"),
        ("arn:aws:s3:::YOUR-BUCKET/*",),
        policies=(NODES,),
    ),
)

#: The actions that a call may need beside the one of its own name.
BESIDE: Mapping[str, tuple[str, ...]] = {
    "ec2:RunInstances": ("ec2:CreateTags", "iam:PassRole", "iam:CreateServiceLinkedRole"),
    "ec2:CreateSecurityGroup": ("ec2:CreateTags",),
    "ec2:ImportKeyPair": ("ec2:CreateTags",),
}


def actions_of(call: str) -> tuple[str, ...]:
    """The actions that a call may need.

    >>> actions_of("ec2:ImportKeyPair")
    ('ec2:ImportKeyPair', 'ec2:CreateTags')
    """
    return call, *BESIDE.get(call, ())


def policy(name: str) -> str:
    """A policy as JSON, for the files of ``docs/aws``."""
    statements = [statement.content() for statement in STATEMENTS if name in statement.policies]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


def granting(action: str) -> str:
    """The statements that grant one action, on a line.

    >>> granting("ssm:GetParameter").startswith('{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": ')
    True
    """
    found = []
    for statement in STATEMENTS:
        if action in statement.actions:
            content = {**statement.content(), "Action": action}
            del content["Sid"]
            found.append(json.dumps(content))
    return ", ".join(found) or json.dumps({"Effect": "Allow", "Action": action, "Resource": "*"})
