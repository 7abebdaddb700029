"""A bucket with many keys and no content, by the S3 protocol: listings only, as quick as this machine can send them.

Pages are made of pieces that are ready. No signature is checked, and nothing is kept of what was asked. This file is
run as a program: ``-m bench.listing_s3 BUCKET COUNT``; it prints its port.
"""

from __future__ import annotations

import socket
import sys
from bisect import bisect_left, bisect_right
from datetime import date, timedelta
from urllib.parse import parse_qs, quote, urlsplit

from bench.http_server import serve

_PAGE = 1000


def keys(count: int) -> list[str]:
    """So many keys of fifty sources, in the order of their bytes."""
    found = []
    for number in range(count):
        day = date(2024, 1, 1) + timedelta(days=number // 50 % 700)
        found.append(f"logs/app{number % 50:02}/{day:%Y/%m/%d}/part-{number:07}.csv.gz")
    return sorted(found)


class _Bucket:
    def __init__(self, name: str, count: int) -> None:
        self.keys = keys(count)
        self.head = (
            f"<?xml version='1.0'?><ListBucketResult><Name>{name}</Name><EncodingType>url</EncodingType>".encode()
        )
        self.pieces = [
            f"<Contents><Key>{quote(key)}</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{number:032x}&quot;</ETag><Size>{1000 + number % 9000}</Size></Contents>".encode()
            for number, key in enumerate(self.keys)
        ]

    def listing(self, query: dict[str, list[str]]) -> bytes:
        prefix = query.get("prefix", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        most = int(query.get("max-keys", [str(_PAGE)])[0])
        begin = max(bisect_left(self.keys, prefix), bisect_right(self.keys, after))
        end = bisect_left(self.keys, prefix + "\U0010ffff")
        if query.get("delimiter"):
            return self._folders(prefix, begin, end, most)
        stop = min(end, begin + most)
        more = b"<IsTruncated>false</IsTruncated>"
        if stop < end:
            token = quote(self.keys[stop - 1]).encode()
            more = b"<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>" % token.replace(
                b"%", b"%25"
            )
        return b"".join((self.head, more, *self.pieces[begin:stop], b"</ListBucketResult>"))

    def _folders(self, prefix: str, begin: int, end: int, most: int) -> bytes:
        found: list[bytes] = []
        while begin < end and len(found) < most:
            name, slash, _ = self.keys[begin][len(prefix) :].partition("/")
            if slash:
                folder = f"{prefix}{name}/"
                found.append(f"<CommonPrefixes><Prefix>{quote(folder)}</Prefix></CommonPrefixes>".encode())
                begin = bisect_left(self.keys, folder + "\U0010ffff")
            else:
                found.append(self.pieces[begin])
                begin += 1
        return b"".join((self.head, b"<IsTruncated>false</IsTruncated>", *found, b"</ListBucketResult>"))


def main(name: str, count: int) -> None:
    """Serve until killed."""
    bucket = _Bucket(name, count)

    def answer(connection: socket.socket, request: str) -> None:
        body = bucket.listing(parse_qs(urlsplit(request.split(" ", 2)[1]).query))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    serve(answer)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
