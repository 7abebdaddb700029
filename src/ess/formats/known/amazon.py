"""Logs of AWS that are lines with blanks between the fields: load balancers and S3.

AWS adds fields at the end now and then: lines of older logs have fewer, which are blank then, and fields behind
those that are known here are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence

from ess.formats.attributes import Format
from ess.formats.known.access_logs import REQUEST_COLUMNS
from ess.formats.known.definition import Field, KnownFormat, Made
from ess.schema.types import ColumnType

_S, _I, _L, _F, _IP = ColumnType.S, ColumnType.I, ColumnType.L, ColumnType.F, ColumnType.IP

#: How a field stands in the line.
_WORD = r'([^ "]+)'
_QUOTED = r'"((?:[^"\\]|\\.)*+)"'
_QUOTED_OR_NOT = rf"(?:{_QUOTED}|[^ ]*)"
#: Of a user agent that has quotes of its own, which are not escaped, the one before a blank ends it.
_LOOSE = r'(?:"((?:[^"\\]|\\.)*+|.*?)"|-)'
_BRACKETS = r"\[([^\]]*)\]"
_SOCKET = r"(?:\[?([0-9A-Fa-f.:]+?)\]?:([0-9]+)|-)"
#: Where a name begins with one of these, the time is in UTC.
_ISO = r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?)"

_EPOCH = (
    Made("epoch", _L, "the time in seconds since 1970", "iso seconds", ("time",)),
    Made("epoch_ms", _L, "the time in milliseconds since 1970", "iso milliseconds", ("time",)),
)
_LOG_EPOCH = Made("epoch", _L, "the time in seconds since 1970", "log seconds", ("time",))
_BALANCERS = "https://docs.aws.amazon.com/elasticloadbalancing/latest/"

_Part = tuple[str, tuple[Field, ...]]


def _part(form: str, *fields: Field) -> _Part:
    return form, fields


def _word(title: str, kind: ColumnType = _S, text: str = "") -> _Part:
    return _WORD, (Field(title, kind, text),)


def _quoted(title: str, text: str = "") -> _Part:
    return _QUOTED_OR_NOT, (Field(title, help=text, escaped=True),)


def _socket(name: str, text: str) -> _Part:
    return _SOCKET, (
        Field(f"{name}_ip", _IP, f"the address of the {text}"),
        Field(f"{name}_port", _I, f"the port of the {text}"),
    )


def _lines(
    name: str, summary: str, source: str, parts: Sequence[_Part], least: int, made: tuple[Made, ...]
) -> KnownFormat:
    """The format whose lines have these parts, at least the first ``least``, with a blank between two."""
    forms = [form for form, _ in parts]
    pattern = " ".join(forms[:least])
    for form in forms[least:]:
        pattern += f"(?: {form}"
    pattern += "(?: .*)?" + ")?" * (len(forms) - least)
    fields = tuple(field for _, fields in parts for field in fields)
    return KnownFormat(name, summary, source, Format.PATTERN, fields, made, pattern=pattern, signature=pattern)


_CLASSIC = (
    _part(_ISO, Field("time", help="when the response was sent, in UTC")),
    _word("elb", text="the load balancer"),
    _socket("client", "client"),
    _socket("backend", "instance"),
    _word("request_processing_time", _F, "seconds until the request was sent on"),
    _word("backend_processing_time", _F, "seconds until the response began"),
    _word("response_processing_time", _F, "seconds until the response was sent on"),
    _word("elb_status_code", _I, "the status from the load balancer"),
    _word("backend_status_code", _I, "the status from the instance"),
    _word("received_bytes", _L, "the size of the request"),
    _word("sent_bytes", _L, "the size of the response"),
    _quoted("request", "the first line of the request"),
    _quoted("user_agent", "the program of the user"),
    _word("ssl_cipher"),
    _word("ssl_protocol"),
)
_APPLICATION = (
    _part(r"(https?|h2|grpcs|wss?)", Field("type", help="http, https, h2, grpcs, ws or wss")),
    _part(_ISO, Field("time", help="when the response was sent, in UTC")),
    _word("elb", text="the load balancer"),
    _socket("client", "client"),
    _socket("target", "target"),
    _word("request_processing_time", _F, "seconds until the request was sent on"),
    _word("target_processing_time", _F, "seconds until the response began"),
    _word("response_processing_time", _F, "seconds until the response was sent on"),
    _word("elb_status_code", _I, "the status from the load balancer"),
    _word("target_status_code", _I, "the status from the target"),
    _word("received_bytes", _L, "the size of the request"),
    _word("sent_bytes", _L, "the size of the response"),
    _quoted("request", "the first line of the request"),
    _part(_LOOSE, Field("user_agent", help="the program of the user", escaped=True)),
    _word("ssl_cipher"),
    _word("ssl_protocol"),
    _word("target_group_arn"),
    _quoted("trace_id"),
    _quoted("domain_name"),
    _quoted("chosen_cert_arn"),
    _word("matched_rule_priority"),
    _word("request_creation_time", text="when the request came, in UTC"),
    _quoted("actions_executed"),
    _quoted("redirect_url"),
    _quoted("error_reason"),
    _quoted("target_port_list", "the targets that were tried, as address:port"),
    _quoted("target_status_code_list"),
    _quoted("classification"),
    _quoted("classification_reason"),
    _word("conn_trace_id"),
    _quoted("transformed_host"),
    _quoted("transformed_uri"),
    _quoted("request_transform_status"),
)
_NETWORK = (
    _part(r"(tls)", Field("type", help="tls")),
    _word("version", text="the version of the log's form"),
    _part(_ISO, Field("time", help="when the connection ended, in UTC")),
    _word("elb", text="the load balancer"),
    _word("listener"),
    _socket("client", "client"),
    _socket("destination", "target"),
    _word("connection_time", _L, "milliseconds from beginning to end"),
    _word("tls_handshake_time", _L, "milliseconds of the TLS handshake"),
    _word("received_bytes", _L, "the bytes from the client"),
    _word("sent_bytes", _L, "the bytes to the client"),
    _word("incoming_tls_alert"),
    _word("chosen_cert_arn"),
    _word("chosen_cert_serial"),
    _word("tls_cipher"),
    _word("tls_protocol_version"),
    _word("tls_named_group"),
    _word("domain_name"),
    _word("alpn_fe_protocol"),
    _word("alpn_be_protocol"),
    _part(r"([^ ]+)", Field("alpn_client_preference_list")),
    _word("tls_connection_creation_time"),
)
_STORE = (
    _part(r"([0-9a-f]{64}|[^ ]+)", Field("bucket_owner")),
    _word("bucket"),
    _part(_BRACKETS, Field("time", help="when the request came, e.g. 06/Feb/2019:00:00:38 +0000")),
    _word("remote_ip", _IP, "the address of the requester"),
    _word("requester", text="the user, - for an anonymous one"),
    _word("request_id"),
    _part(r"([A-Z0-9]+\.[^ ]+)", Field("operation", help="e.g. REST.GET.OBJECT")),
    _word("key", text="the object, URL-encoded"),
    _quoted("request_uri", "the first line of the request"),
    _word("http_status", _I),
    _word("error_code"),
    _word("bytes_sent", _L, "the size of the response"),
    _word("object_size", _L),
    _word("total_time", _L, "milliseconds, as the server sees it"),
    _word("turn_around_time", _L, "milliseconds until the response began"),
    _quoted("referer", "the page that the request came from"),
    _part(_LOOSE, Field("user_agent", help="the program of the user", escaped=True)),
    _word("version_id"),
    _word("host_id"),
    _word("signature_version"),
    _word("cipher_suite"),
    _word("authentication_type"),
    _word("host_header"),
    _word("tls_version"),
    _word("access_point_arn"),
    _word("acl_required"),
    _word("source_region"),
)
_STORE_MADE = (
    _LOG_EPOCH,
    *(Made(each.name, each.type, each.help, each.rule, ("request_uri",)) for each in REQUEST_COLUMNS),
)

FORMATS = (
    _lines(
        "alb",
        "access logs of AWS Application Load Balancers",
        _BALANCERS + "application/load-balancer-access-logs.html",
        _APPLICATION,
        17,
        (*_EPOCH, *REQUEST_COLUMNS),
    ),
    _lines(
        "elb",
        "access logs of AWS Classic Load Balancers",
        _BALANCERS + "classic/access-log-collection.html",
        _CLASSIC,
        12,
        (*_EPOCH, *REQUEST_COLUMNS),
    ),
    _lines(
        "nlb",
        "access logs of AWS Network Load Balancers",
        _BALANCERS + "network/load-balancer-access-logs.html",
        _NETWORK,
        16,
        _EPOCH,
    ),
    _lines(
        "s3access",
        "server access logs of Amazon S3",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html",
        _STORE,
        17,
        _STORE_MADE,
    ),
)
