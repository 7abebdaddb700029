"""Calls to AWS: who asks, in which region, how often; and what is said when it refuses.

Keys come from the settings (``ess cluster --credentials`` puts them there for one command) or from AWS's own chain:
environment, profiles, SSO, web identity, the role of the machine. They are written nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from ess.cluster.cloud.plan import owner_of
from ess.cluster.cloud.refusals import NO_ROOM, QUOTA, Refused, needs_decoding, no_region, refused, unreachable
from ess.errors import EssError, OptionError
from ess.settings import setting, store_timeout
from ess.stores.aws import configured_region
from ess.stores.kinds import own_credentials

#: How often a call is tried that AWS is too busy for; the library waits longer each time, by chance, 20 s at most.
_ATTEMPTS = 8


class Account:
    """The account of the user.

    Args:
        region: The region; blank for that of the settings or the profile.
        otherwise: The region if these name none.
    """

    def __init__(self, region: str = "", *, otherwise: str = "") -> None:
        import boto3

        self._own = own_credentials("s3")
        profile = self._own.get("AWS_PROFILE")
        given = {
            "aws_access_key_id": self._own.get("AWS_ACCESS_KEY_ID") or None,
            "aws_secret_access_key": self._own.get("AWS_SECRET_ACCESS_KEY") or None,
            "aws_session_token": self._own.get("AWS_SESSION_TOKEN") or None,
        }
        if bool(given["aws_access_key_id"]) != bool(given["aws_secret_access_key"]):
            raise OptionError("half a key", where="AWS", hint="give both, the key and its secret")
        self.region = region or configured_region(self._own) or otherwise
        if not self.region:
            raise no_region()
        if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+", self.region):
            raise OptionError(f"no region '{self.region}'", where="--region", hint="give one like us-east-1")
        with _translating("sts:AssumeRole"):
            self._session = boto3.session.Session(
                aws_access_key_id=given["aws_access_key_id"],
                aws_secret_access_key=given["aws_secret_access_key"],
                aws_session_token=given["aws_session_token"],
                region_name=self.region,
                profile_name=profile if profile not in ("", "default") and not given["aws_access_key_id"] else None,
            )
        self._session.events.register_first("needs-retry.ec2", _final)
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def events(self) -> Any:
        """The library's events: before and after each call."""
        return self._session.events

    def call(
        self, service: str, method: str, parameters: Mapping[str, Any] | None = None, *, region: str = ""
    ) -> dict[str, Any]:
        """Ask for something; what AWS is too busy for is asked again.

        Args:
            service: e.g. ``ec2``.
            method: The operation, as boto3 spells it.
            parameters: Its parameters.
            region: Another region than that of the account.

        Raises:
            Refused: If AWS refuses.
            EssError: If there is no key, or no answer.
        """
        client = self._client(service, region or self.region)
        operation = client.meta.method_to_api_mapping[method]
        with _translating(f"{service}:{operation}", self):
            answer: dict[str, Any] = getattr(client, method)(**(parameters or {}))
        return answer

    def pages(
        self, service: str, method: str, parameters: Mapping[str, Any], result: str, *, region: str = ""
    ) -> Iterator[dict[str, Any]]:
        """The parts of a listing, page by page; ``result`` is its name in the answer."""
        client = self._client(service, region or self.region)
        operation = client.meta.method_to_api_mapping[method]
        with _translating(f"{service}:{operation}", self):
            for page in client.get_paginator(method).paginate(**parameters):
                yield from page.get(result, ())

    @cached_property
    def owner(self) -> str:
        """The user, as the tags of what it makes name him."""
        return owner_of(str(self.call("sts", "get_caller_identity")["Arn"]))

    def decoded(self, text: str) -> str:
        """The meaning of the encoded part of a refusal; blank if the user may not see it."""
        try:
            return str(self.call("sts", "decode_authorization_message", {"EncodedMessage": text})["DecodedMessage"])
        except EssError:
            return ""

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            from botocore.config import Config

            timeout = store_timeout()
            config = Config(
                connect_timeout=timeout,
                read_timeout=max(60.0, timeout),
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            )
            with _translating(service):
                self._clients[service, region] = self._session.client(
                    service,
                    region_name=region,
                    endpoint_url=setting("AWS_ENDPOINT_URL") or None,
                    verify=setting("AWS_CA_BUNDLE") or None,
                    config=config,
                )
        return self._clients[service, region]


class _translating:  # noqa: N801 - used like a function
    """Turns errors of the library into ours."""

    def __init__(self, call: str, account: Account | None = None) -> None:
        self._call, self._account = call, account

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            said = error.response.get("Error", {})
            code, message = str(said.get("Code", "")), str(said.get("Message", ""))
            encoded = needs_decoding(code, message)
            decoded = self._account.decoded(encoded) if encoded and self._account else ""
            raise refused(self._call, code, message, decoded) from error
        if isinstance(error, BotoCoreError):
            raise unreachable(type(error).__name__, str(error)) from error


def _final(response: Any, **_: object) -> None:
    """Have the library take an answer for final that it would wait and ask again for.

    EC2 says that it has no room with status 500, as if it were out of order. Another subnet is the way out.
    """
    if response is not None and response[1].get("Error", {}).get("Code") in NO_ROOM | QUOTA:
        response[0].status_code = 400


__all__ = ["Account", "Refused"]
