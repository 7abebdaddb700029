"""Logs of services: syslog, HAProxy, and the JSON of GELF and CloudTrail."""

from __future__ import annotations

from ess.formats.attributes import Format
from ess.formats.known.access_logs import REQUEST_COLUMNS
from ess.formats.known.definition import Field, KnownFormat, Made
from ess.schema.types import ColumnType

_S, _I, _IS, _L, _F, _IP = ColumnType.S, ColumnType.I, ColumnType.IS, ColumnType.L, ColumnType.F, ColumnType.IP

_SECONDS, _MILLISECONDS = "the time in seconds since 1970", "the time in milliseconds since 1970"

_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.,]+(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_BSD = r"[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}"
_NEW = (
    rf"(?:<([0-9]{{1,3}})>)?([1-9][0-9]?) ({_ISO}|-) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) "
    r'(-|(?:\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])+)(?: (.*))?'
)
_OLD = rf"(?:<([0-9]{{1,3}})>)?({_BSD}|{_ISO}) ([^ ]+) ([^ :\[]+)(?:\[([^\]]*)\])?: ?(.*)"
_SYSLOG = rf"(?:{_NEW}|{_OLD})"

_TIMES = r"(-?[0-9]+)/(-?[0-9]+)/(-?[0-9]+)/(-?[0-9]+)/(\+?[0-9]+)"
_HAPROXY = (
    r"(?:[^\"]*?: )?([^ ]+):([0-9]+) \[([^\]]+)\] ([^ ]+) ([^ /]+)/([^ ]+) "
    rf"{_TIMES} (-?[0-9]+) (\+?[0-9]+) ([^ ]+) ([^ ]+) ([^ ]{{4}}) "
    r"([0-9]+)/([0-9]+)/([0-9]+)/([0-9]+)/(\+?[0-9]+) ([0-9]+)/([0-9]+)"
    r"(?: \{([^}]*)\})?(?: \{([^}]*)\})? \"(.*)\""
)

_TRAIL = (
    *(Field(name) for name in ("eventVersion", "eventTime", "eventSource", "eventName", "awsRegion")),
    Field("sourceIPAddress", help="an address, or the name of a service"),
    *(Field(name) for name in ("userAgent", "errorCode", "errorMessage")),
    *(Field(f"userIdentity.{name}") for name in ("type", "principalId", "arn", "accountId", "userName", "invokedBy")),
    Field("userIdentity.sessionContext.sessionIssuer.userName", help="the role of a session"),
    *(
        Field(name, help="JSON")
        for name in ("requestParameters", "responseElements", "additionalEventData", "resources")
    ),
    *(Field(name) for name in ("requestID", "eventID", "eventType", "eventCategory", "readOnly", "managementEvent")),
    *(Field(name) for name in ("recipientAccountId", "sharedEventID", "vpcEndpointId")),
)

#: HAProxy's lines are messages of syslog, too, so they come first.
FORMATS = (
    KnownFormat(
        "haproxy",
        "the HTTP log of HAProxy (option httplog), with a syslog header in front or not",
        "https://docs.haproxy.org/3.2/configuration.html#8.2.3",
        Format.PATTERN,
        (
            Field("client_ip", _IP),
            Field("client_port", _I),
            Field("accept_date", help="when the connection came, in the server's time"),
            Field("frontend_name"),
            Field("backend_name"),
            Field("server_name"),
            Field("time_request", _IS, "milliseconds until the request was there (TR)"),
            Field("time_queue", _IS, "milliseconds in queues (Tw)"),
            Field("time_connect", _IS, "milliseconds to connect to the server (Tc)"),
            Field("time_response", _IS, "milliseconds until the response came (Tr)"),
            Field("time_active", _L, "milliseconds in all (Ta)"),
            Field("status_code", _IS),
            Field("bytes_read", _L, "the size of the response"),
            Field("captured_request_cookie"),
            Field("captured_response_cookie"),
            Field("termination_state"),
            Field("actconn", _I),
            Field("feconn", _I),
            Field("beconn", _I),
            Field("srv_conn", _I),
            Field("retries", _I),
            Field("srv_queue", _I),
            Field("backend_queue", _I),
            Field("captured_request_headers"),
            Field("captured_response_headers"),
            Field("http_request", help="the first line of the request"),
        ),
        (
            Made("epoch", _L, f"{_SECONDS}, taken as UTC", "log seconds", ("accept_date",)),
            Made("epoch_ms", _L, f"{_MILLISECONDS}, taken as UTC", "log milliseconds", ("accept_date",)),
            *(Made(each.name, each.type, each.help, each.rule, ("http_request",)) for each in REQUEST_COLUMNS),
        ),
        pattern=_HAPROXY,
        signature=_HAPROXY,
    ),
    KnownFormat(
        "syslog",
        "syslog messages as of RFC 5424 and RFC 3164, with the priority in front or not, and times of either kind",
        "https://www.rfc-editor.org/rfc/rfc5424",
        Format.PATTERN,
        (
            Field("pri", help="facility and severity as a number, blank if it is not written"),
            Field("version", _I),
            Field("timestamp"),
            Field("hostname"),
            Field("app_name", help="the program"),
            Field("procid", help="the process"),
            Field("msgid"),
            Field("structured_data"),
            Field("msg", help="the message"),
        ),
        (
            Made("facility", _S, "e.g. daemon", "syslog facility", ("pri",)),
            Made("severity", _S, "e.g. err", "syslog severity", ("pri",)),
            Made("epoch", _L, f"{_SECONDS}; without a year the last such day", "syslog seconds", ("timestamp",)),
            Made("epoch_ms", _L, _MILLISECONDS, "syslog milliseconds", ("timestamp",)),
        ),
        pattern=_SYSLOG,
        groups=((1, 10), (2,), (3, 11), (4, 12), (5, 13), (6, 14), (7,), (8,), (9, 15)),
        signature=_SYSLOG,
    ),
    KnownFormat(
        "gelf",
        "messages of Graylog in JSON; -d s:name:_name takes an additional field",
        "https://go2docs.graylog.org/current/getting_in_log_data/gelf.html",
        Format.JSON,
        (
            Field("version"),
            Field("host"),
            Field("short_message"),
            Field("full_message"),
            Field("timestamp", _F, "seconds since 1970"),
            Field("level", _I, "the severity of syslog, 3 for an error"),
            Field("facility"),
            Field("line", _I),
            Field("file"),
        ),
        (
            Made("epoch", _L, _SECONDS, "number seconds", ("timestamp",)),
            Made("epoch_ms", _L, _MILLISECONDS, "number milliseconds", ("timestamp",)),
        ),
        signature=r'\{(?=.*"version"\s*:\s*"1\.[01]")(?=.*"host"\s*:)(?=.*"short_message"\s*:).*\}',
    ),
    KnownFormat(
        "cloudtrail",
        "log files of AWS CloudTrail in JSON; -d s:bucket:requestParameters.bucketName takes any other value",
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html",
        Format.JSON,
        _TRAIL,
        (Made("epoch", _L, _SECONDS, "iso seconds", ("eventTime",)),),
        base="Records[*]",
        signature=r'\s*\{\s*"Records"\s*:\s*\[\s*\{(?=.*"event(?:Version|Name)"\s*:).*',
    ),
)
