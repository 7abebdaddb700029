"""Buckets of S3, and of what else speaks its protocol, over plain HTTP.

Keys are asked for percent-encoded, so that every legal one comes through. The answers are searched for the few elements
that are wanted, which takes a tenth of the time of a parser. No library lists and reads all keys without mixing two
versions of an object; docs/performance.md has the table.
"""

from __future__ import annotations

import contextlib
import functools
import html
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import BinaryIO
from urllib.parse import quote, unquote_to_bytes, urlsplit

from ess.errors import EssError, InputOpenError, OptionError, OutputWriteError
from ess.stores.aws import AwsSigner, configured_region, signer
from ess.stores.kinds import Credentials
from ess.stores.s3_upload import Upload, checksum, remove_left
from ess.stores.store import (
    Entry,
    Folder,
    Item,
    NoSuchObject,
    Sink,
    all_names,
    changed,
    conflict,
    damaged,
    opened,
)
from ess.stores.wire import (
    Answer,
    Client,
    Damaged,
    Replaced,
    Request,
    Signer,
    Unanswered,
    Untrusted,
    byte_range,
    first_then,
    read_object,
    tag,
)

_CODE = re.compile(rb"<Code>([A-Za-z0-9_.]+)</Code>")
_REGION = re.compile(rb"<Region>([a-z0-9-]+)</Region>")
_TRUNCATED = re.compile(rb"<IsTruncated>\s*true\s*</IsTruncated>")
_NEXT = re.compile(rb"<NextContinuationToken>(.*?)</NextContinuationToken>", re.DOTALL)
_OBJECT = re.compile(rb"<Contents>(.*?)</Contents>", re.DOTALL)
_FOLDER = re.compile(rb"<CommonPrefixes>\s*<Prefix>(.*?)</Prefix>\s*</CommonPrefixes>", re.DOTALL)
_KEY = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)
_SIZE = re.compile(rb"<Size>(\d+)</Size>")
_TIME = re.compile(rb"<LastModified>(.*?)</LastModified>")
_TAG = re.compile(rb"<ETag>(.*?)</ETag>")
#: The same four in the order in which AWS has them, which is found in half the time.
_AS_AWS = re.compile(
    r"<Contents><Key>([^<]*)</Key><LastModified>([^<]*)</LastModified>"
    r"<ETag>(?:&quot;|\")?([^<&\"]*)(?:&quot;|\")?</ETag>(?:<Checksum[^/]*/[^/]*>)*"
    r"<Size>([0-9]+)</Size>"
)

_REFUSED = frozenset(
    {
        "AccessDenied",
        "AllAccessDisabled",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnauthorizedAccess",
    }
)
#: A key that is for a limited time and not renewed in time.
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidToken", "RequestExpired"})
_ELSEWHERE = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"})
_CONDITIONS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})

#: Names that are the left part of a host: in others, dots would not fit the certificate.
_HOST_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\Z")
_FIRST_REGION = "us-east-1"


class Bucket:
    """A bucket; see :class:`ess.stores.store.Store`.

    Raises:
        OptionError: If the credentials make no sense.
    """

    flat = True
    ranged = True
    late = True

    scheme = "s3"
    endpoint_variable = "AWS_ENDPOINT_URL"
    key_hint = (
        "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and what they may do; "
        "AWS_NO_SIGN_REQUEST=1 reads public buckets"
    )

    def __init__(self, name: str, credentials: Credentials) -> None:
        self.address = f"{self.scheme}://{name}"
        self._name = name
        self._credentials = credentials
        self._region = configured_region(credentials) or _FIRST_REGION
        self._endpoint, self._endpoint_variable = _endpoint(credentials)
        self._client, self._root = self._connect()
        self._sign: Signer = signer(credentials, self._region)
        self._extra = {"x-amz-request-payer": "requester"} if credentials.get("AWS_REQUEST_PAYER") else {}

    @property
    def place(self) -> str:
        """Its address on the network."""
        return f"{self._client.host}{self._root}"

    def at(self, key: str) -> str:
        """The address of a key."""
        return f"{self.address}/{key}"

    # Looking ---------------------------------------------------------------------------------------------------------

    def require(self, *, writing: bool) -> None:
        """See that the bucket is there and lets us in."""
        self._page({"max-keys": "1"}, "", writing=writing)
        if writing:
            remove_left(self)

    def entries(self, prefix: str = "", *, start_after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin with ``prefix``, a page of a thousand at a time."""
        wanted = {"prefix": prefix, "start-after": start_after}
        for page, decode in self._pages(wanted, prefix):
            yield from _entries(page, decode)

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        """The objects and folders directly in a folder; an object named like the folder itself is one of them."""
        for page, decode in self._pages({"prefix": folder, "delimiter": "/"}, folder):
            for part in _FOLDER.findall(page):
                yield Folder(decode(part))
            for part in _OBJECT.findall(page):
                entry = _entry(part, decode)
                if wanted(entry.key[len(folder) :]):
                    yield entry

    def is_folder(self, key: str) -> bool:
        """True if any key begins like that."""
        page, _ = self._page({"prefix": f"{key}/", "max-keys": "1"}, key, writing=False)
        return _OBJECT.search(page) is not None

    def head(self, key: str) -> Entry:
        """The size, time and version of an object."""
        answer = self.ask("HEAD", key)
        modified = answer.headers.get("Last-Modified", "")
        return Entry(key, int(answer.headers.get("Content-Length", "0")), _http_time(modified), tag(answer.headers))

    # Reading and writing ---------------------------------------------------------------------------------------------

    def open(self, key: str, *, offset: int = 0, length: int | None = None, version: str = "") -> BinaryIO:
        """The bytes of an object, of one version; a connection that breaks off goes on at its byte."""
        pieces = self._pieces(key, offset, length, version)
        first = next(pieces, b"")  # so that what is wrong is said by this call
        return opened(first_then(first, pieces))

    def _pieces(self, key: str, offset: int, length: int | None, version: str) -> Generator[bytes]:
        end = None if length is None else offset + length

        def request(at: int, expected: str) -> Request:
            headers = {**self._extra, **byte_range(at, end)}
            if "Range" not in headers:
                headers["x-amz-checksum-mode"] = "ENABLED"
            if expected:
                headers["If-Match"] = f'"{expected}"'
            return Request("GET", self._target(key), headers)

        def explain(answer: Answer) -> EssError | None:
            return None if self._corrected(answer) else self._explained(answer, key, writing=False)

        try:
            for piece in read_object(
                lambda asked: self._client.begin(asked, self._sign),  # a correction changes both
                request,
                offset=offset,
                end=end,
                version=version,
                explain=explain,
            ):
                self._renewed = False
                yield piece
        except Replaced:
            raise changed(self.at(key)) from None
        except Damaged:
            raise damaged(self.at(key)) from None
        except Unanswered as failure:
            raise self._silent(failure, key, writing=False) from None

    @contextlib.contextmanager
    def create(self, key: str) -> Iterator[Sink]:
        """Write an object in parts; one that is not finished is not seen."""
        writer = Upload(self, key)
        try:
            yield writer
            writer.finish()
        except BaseException:
            writer.abandon()
            raise

    def put(self, key: str, content: bytes, *, expected: str | None = None) -> None:
        """Write an object with one request."""
        headers = checksum(content)
        if expected is not None:
            headers |= {"If-Match": f'"{expected}"'} if expected else {"If-None-Match": "*"}
        try:
            self.ask("PUT", key, body=content, headers=headers)
        except NoSuchObject:
            raise conflict(self.at(key)) from None

    def delete(self, key: str) -> None:
        """Remove an object."""
        with contextlib.suppress(NoSuchObject):
            self.ask("DELETE", key)

    def remove(self, folder: str) -> None:
        """Remove all objects whose keys begin with ``folder/``, one by one: not every store can do several at once."""
        for entry in list(self.entries(f"{folder}/")):
            self.delete(entry.key)

    # Requests --------------------------------------------------------------------------------------------------------

    def _connect(self) -> tuple[Client, str]:
        """The server, and the path of the bucket there."""
        authorities = self._credentials.get("AWS_CA_BUNDLE")
        base, root = self._endpoint, f"/{quote(self._name)}"
        if not base:
            host = f"s3.{self._region}.amazonaws.com" + (".cn" if self._region.startswith("cn-") else "")
            base = f"https://{host}"
            if _HOST_NAME.match(self._name):
                base, root = f"https://{self._name}.{host}", ""
        return Client(base, where="AWS_CA_BUNDLE", authorities=authorities), root

    def _target(self, key: str, query: Mapping[str, str] | None = None) -> str:
        words = "&".join(
            f"{name}={_quoted(value, '')}" if value else f"{name}=" for name, value in sorted((query or {}).items())
        )
        return f"{self._root}/{_quoted(key, '/')}" + (f"?{words}" if words else "")

    def _send(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, *, writing: bool
    ) -> Answer:
        """An answer of the right region, with a key that is not too old; whatever its status."""
        while True:
            try:
                request = Request(method, self._target(key, query), {**self._extra, **headers}, body)
                answer = self._client.send(request, self._sign)
            except Unanswered as failure:
                raise self._silent(failure, key, writing=writing) from None
            if answer.status < 300:
                self._renewed = False
            if answer.status < 300 or not self._corrected(answer):
                return answer

    def ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """An answer that is no failure.

        Raises:
            EssError: That says what else it is.
        """
        writing = method not in ("GET", "HEAD")
        answer = self._send(method, key, query or {}, headers or {}, body, writing=writing)
        if answer.status < 300 and not (method == "POST" and _CODE.search(answer.body)):
            return answer
        raise self._explained(answer, key, writing=writing)

    def _page(self, query: Mapping[str, str], key: str, *, writing: bool) -> tuple[bytes, Callable[[bytes], str]]:
        """A page of a listing, and what makes text of a key in it."""
        query = {"list-type": "2", "encoding-type": "url", **query}
        answer = self._send("GET", "", query, {}, b"", writing=writing)
        if answer.status >= 300:
            raise self._explained(answer, key, writing=writing, listing=True)
        return answer.body, _from_url if b"<EncodingType>url" in answer.body else _from_xml

    def _pages(self, query: Mapping[str, str], key: str) -> Iterator[tuple[bytes, Callable[[bytes], str]]]:
        query = {name: value for name, value in query.items() if value}
        while True:
            page, decode = self._page(query, key, writing=False)
            yield page, decode
            following = _NEXT.search(page)
            if not _TRUNCATED.search(page) or following is None:
                return
            query = {**query, "continuation-token": _from_xml(following[1])}

    def _corrected(self, answer: Answer) -> bool:
        """True if the same request may succeed now: the region is known, or another key."""
        code = _code(answer)
        region = answer.headers.get("x-amz-bucket-region", "") or _found(_REGION, answer.body)
        if not self._endpoint and region and region != self._region and answer.status in (301, 307, 400, 403, 404):
            self._region = region
            self._client, self._root = self._connect()
            self._sign = signer(self._credentials, region)
            return True
        if self._endpoint and code == "AuthorizationHeaderMalformed" and region and region != self._region:
            self._region = region
            self._sign = signer(self._credentials, region)
            return True
        if answer.status == 400 and not answer.body and not self._asked:  # an answer to HEAD cannot say what is wrong
            self._asked = True
            before = self._region
            with contextlib.suppress(EssError):
                self.require(writing=False)
            return self._region != before
        if code in _EXPIRED and isinstance(self._sign, AwsSigner) and not self._renewed:
            self._renewed = True
            self._sign.forget()
            return True
        self._renewed = False
        return False

    _renewed = False
    _asked = False

    def _explained(self, answer: Answer, key: str, *, writing: bool, listing: bool = False) -> EssError:
        """The error for an answer; nothing of what the store has said but its code comes along."""
        where = self.at(key) if key else self.address
        kind = OutputWriteError if writing else InputOpenError
        code, status = _code(answer), answer.status
        if code == "NoSuchBucket" or (status == 404 and listing):
            return kind(
                "there is no such bucket", where=where, hint=f"make it, or mend its name or {self.endpoint_variable}"
            )
        if status == 404 or code == "NoSuchKey":
            if writing and not code:
                return kind("there is no such bucket", where=where, hint="make it, or mend its name")
            return NoSuchObject("there is no such object", where=where)
        if status == 412 or code in _CONDITIONS:
            return conflict(where) if writing else changed(where)
        if code == "RequestTimeTooSkewed":
            return kind("the clock of this machine is wrong, says the store", where=where, hint="set it")
        if code in _REFUSED or status in (401, 403):
            return kind(
                f"the store refuses access{f' ({code})' if code else ''}",
                where=where,
                hint=self.key_hint,
            )
        if code in _ELSEWHERE:
            return kind("the bucket is in another region", where=where, hint="set AWS_REGION to the bucket's region")
        if code == "NotImplemented":
            return kind("the store does not know such a request", where=where, hint="use another kind of store")
        if code == "InvalidObjectState":
            return kind("the object is archived", where=where, hint="restore it first")
        reason = ", ".join(filter(None, (code, f"HTTP status {status}")))
        return kind(f"the store has failed ({reason})", where=where, hint="try again; see the store's own log")

    def _silent(self, failure: Unanswered, key: str, *, writing: bool) -> EssError:
        kind = OutputWriteError if writing else InputOpenError
        where = self.at(key) if key else self.address
        if failure.status:
            code = _found(_CODE, failure.body)
            reason = ", ".join(filter(None, (code, f"HTTP status {failure.status}")))
            what = (
                "the store is too busy"
                if code == "SlowDown" or failure.status in (429, 503)
                else "the store has failed"
            )
            return kind(
                f"{what} ({reason})", where=where, hint="try again later; ESS_STORE_TIMEOUT says how long to try"
            )
        if isinstance(failure, Untrusted):
            return kind(
                "the certificate of the store is not one that this machine trusts",
                where=where,
                hint="set AWS_CA_BUNDLE to a file of the authorities to trust",
            )
        return kind(
            "the store cannot be reached, or does not answer",
            where=where,
            hint=f"check {self.endpoint_variable} and the network",
        )


def _entries(page: bytes, decode: Callable[[bytes], str]) -> Iterable[Entry]:
    """The objects of a page: a thousand, so what can be done for all at once is."""
    found = _AS_AWS.findall(page.decode("utf-8", "surrogateescape"))
    if len(found) != page.count(b"<Contents>"):
        return [_entry(part, decode) for part in _OBJECT.findall(page)]
    keys = "".join([key for key, _, _, _ in found])
    if "&" in keys or "%" in keys or "+" in keys:
        found = [
            (decode(key.encode("utf-8", "surrogateescape")), modified, tag, size) for key, modified, tag, size in found
        ]
    return [Entry(key, int(size), _xml_time(modified), tag) for key, modified, tag, size in found]


def _entry(part: bytes, decode: Callable[[bytes], str]) -> Entry:
    return Entry(
        decode(_KEY.search(part)[1]),  # type: ignore[index]  # every server has these three
        int(_SIZE.search(part)[1]),  # type: ignore[index]
        _xml_time(_TIME.search(part)[1].decode("ascii")),  # type: ignore[index]
        _bare(found[1]) if (found := _TAG.search(part)) else "",
    )


def _bare(tag: bytes) -> str:
    return tag.replace(b"&quot;", b"").strip(b'"').decode("latin-1")


@functools.lru_cache(maxsize=1024)
def _xml_time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _http_time(text: str) -> float:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).astimezone(UTC).timestamp()
    except ValueError:
        return 0.0


def _quoted(text: str, safe: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=f"{safe}-._~")


def _from_url(text: bytes) -> str:
    if b"%" not in text and b"+" not in text:
        return text.decode("utf-8", "surrogateescape")
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "surrogateescape")


def _from_xml(text: bytes) -> str:
    return html.unescape(text.decode("utf-8", "surrogateescape"))


def _code(answer: Answer) -> str:
    return _found(_CODE, answer.body)


def _found(pattern: re.Pattern[bytes], text: bytes) -> str:
    found = pattern.search(text)
    return found[1].decode("ascii", "replace") if found else ""


def _endpoint(credentials: Credentials) -> tuple[str, str]:
    """The address of another store than that of AWS, and the variable that says so; blank for AWS."""
    variable = next((name for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL") if credentials.get(name)), "")
    if not variable:
        return "", ""
    with contextlib.suppress(ValueError):
        url = urlsplit(credentials.get(variable))
        plain = url.path in ("", "/") and not url.query and not url.fragment and "@" not in url.netloc
        if url.scheme in ("http", "https") and url.hostname and plain and url.port != 0:
            return f"{url.scheme}://{url.netloc}", variable
    raise OptionError("it is not the address of a store", where=variable, hint="give https://Host or https://Host:Port")
