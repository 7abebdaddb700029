"""Logs below titles: W3C extended logs, those of CloudFront and VPC flow logs; and any file with titles."""

from __future__ import annotations

from ess.formats.attributes import Format
from ess.formats.known.definition import Field, KnownFormat, Made, Titles
from ess.schema.types import ColumnType

_S, _I, _L, _F, _IP = ColumnType.S, ColumnType.I, ColumnType.L, ColumnType.F, ColumnType.IP

#: A file whose first record names its columns.
TITLED = KnownFormat(
    "title", "records below titles", "https://www.rfc-editor.org/rfc/rfc4180", Format.SEPARATED, (), titles=Titles.FIRST
)

_EPOCH = Made("epoch", _L, "date and time in seconds since 1970", "day and time", ("date", "time"))

_W3C = (
    Field("date", help="the day, in UTC"),
    Field("time", help="the time of the day, in UTC"),
    Field("c-ip", _IP, "the client"),
    Field("s-ip", _IP, "the server"),
    Field("r-ip", _IP, "the remote host"),
    Field("c-port", _I),
    Field("s-port", _I),
    Field("r-port", _I),
    Field("cs-method"),
    Field("cs-uri"),
    Field("cs-uri-stem", help="the path"),
    Field("cs-uri-query", help="the query"),
    Field("cs-username"),
    Field("cs-host"),
    Field("cs-version"),
    Field("cs(User-Agent)", help="the program of the user"),
    Field("cs(Referer)", help="the page that the request came from"),
    Field("cs(Cookie)"),
    Field("sc-status", _I, "the status of the response"),
    Field("sc-substatus", _I),
    Field("sc-win32-status", _L),
    Field("sc-bytes", _L, "the size of the response"),
    Field("cs-bytes", _L, "the size of the request"),
    Field("time-taken", _F, "how long it took: in IIS milliseconds, else seconds"),
    Field("s-sitename"),
    Field("s-computername"),
)

_CLOUDFRONT = (
    Field("date", help="the day, in UTC"),
    Field("time", help="when the server was done with the request, in UTC"),
    Field("x-edge-location", help="the edge location, e.g. DFW3"),
    Field("sc-bytes", _L, "the size of the response"),
    Field("c-ip", _IP, "the viewer"),
    Field("cs-method"),
    Field("cs(Host)", help="the domain of the distribution"),
    Field("cs-uri-stem", help="the path"),
    Field("sc-status", _I, "the status of the response, 000 if the viewer was gone"),
    Field("cs(Referer)"),
    Field("cs(User-Agent)", help="URL-encoded"),
    Field("cs-uri-query"),
    Field("cs(Cookie)"),
    Field("x-edge-result-type", help="Hit, Miss, Error and others"),
    Field("x-edge-request-id"),
    Field("x-host-header"),
    Field("cs-protocol"),
    Field("cs-bytes", _L, "the size of the request"),
    Field("time-taken", _F, "seconds"),
    Field("x-forwarded-for"),
    Field("ssl-protocol"),
    Field("ssl-cipher"),
    Field("x-edge-response-result-type"),
    Field("cs-protocol-version"),
    Field("fle-status"),
    Field("fle-encrypted-fields"),
    Field("c-port", _I),
    Field("time-to-first-byte", _F, "seconds"),
    Field("x-edge-detailed-result-type"),
    Field("sc-content-type"),
    Field("sc-content-len", _L),
    Field("sc-range-start"),
    Field("sc-range-end"),
)

#: The fields of version 2, the usual ones.
_FLOW = (
    Field("version", _I),
    Field("account-id"),
    Field("interface-id"),
    Field("srcaddr", _IP, "where it comes from"),
    Field("dstaddr", _IP, "where it goes"),
    Field("srcport", _I),
    Field("dstport", _I),
    Field("protocol", _I, "the number of the protocol, 6 for TCP"),
    Field("packets", _L),
    Field("bytes", _L),
    Field("start", _L, "the first packet, in seconds since 1970"),
    Field("end", _L, "the last packet, in seconds since 1970"),
    Field("action", help="ACCEPT or REJECT"),
    Field("log-status", help="OK, NODATA or SKIPDATA"),
)
_MORE_FLOW = (
    *(Field(name) for name in ("vpc-id", "subnet-id", "instance-id")),
    Field("tcp-flags", _I),
    Field("type", help="IPv4, IPv6 or EFA"),
    Field("pkt-srcaddr", _IP, "the address in the packet"),
    Field("pkt-dstaddr", _IP, "the address in the packet"),
    *(Field(name) for name in ("region", "az-id", "sublocation-type", "sublocation-id")),
    Field("pkt-src-aws-service"),
    Field("pkt-dst-aws-service"),
    Field("flow-direction", help="ingress or egress"),
    Field("traffic-path", _I),
    *(
        Field(f"ecs-{name}")
        for name in (
            "cluster-arn",
            "cluster-name",
            "container-instance-arn",
            "container-instance-id",
            "container-id",
            "second-container-id",
            "service-name",
            "task-definition-arn",
            "task-arn",
            "task-id",
        )
    ),
    Field("reject-reason"),
    Field("resource-id"),
    Field("encryption-status"),
)
_VPCFLOW = KnownFormat(
    "vpcflow",
    "VPC flow logs of AWS: the first line names the fields, or they are the usual ones of version 2",
    "https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html",
    Format.SEPARATED,
    (*_FLOW, *_MORE_FLOW),
    titles=Titles.LINE,
    order=tuple(field.title for field in _FLOW),
    separator=b" ",
    signature=r"[2-9] (?:[0-9]{12}|\S+) eni-\S+ \S+ \S+ [0-9-]+ [0-9-]+ [0-9-]+ [0-9-]+ [0-9-]+ [0-9]+ [0-9]+"
    r" (?:ACCEPT|REJECT|-) (?:OK|NODATA|SKIPDATA)",
)

FORMATS = (
    KnownFormat(
        "cloudfront",
        "standard logs of Amazon CloudFront",
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html",
        Format.SEPARATED,
        _CLOUDFRONT,
        (_EPOCH,),
        titles=Titles.DIRECTIVE,
        order=tuple(field.title for field in _CLOUDFRONT),
    ),
    KnownFormat(
        "w3c",
        "W3C extended logs, as those of IIS: lines #Fields name the fields, also anew in the middle of a file",
        "https://www.w3.org/TR/WD-logfile",
        Format.SEPARATED,
        _W3C,
        (_EPOCH,),
        titles=Titles.DIRECTIVE,
        quoted=True,
    ),
    _VPCFLOW,
)


def flow_format(text: str) -> KnownFormat:
    """The format of VPC flow logs with other fields: ``${version} ${account-id} ...``.

    >>> flow_format("${version} ${start}").order
    ('version', 'start')
    """
    from dataclasses import replace

    titles = tuple(word.strip("${}") for word in text.split())
    return replace(_VPCFLOW, order=titles)
