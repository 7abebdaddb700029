"""The inputs of the benchmark: made once for each size, always the same for the same size.

The purchases are a month of the published sample log if it lies beside the repository, else a month drawn from a seed
with the same columns, dirt and spread. The month is repeated, each time a month later, up to the number of rows.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

SAMPLE = Path("../shared/published/woodworking/diy_woodworking")
TITLES = ("purchaseDate", "userID", "articleID", "price", "refID")

#: Of the rows drawn from the seed, as of those in the sample: these have no number in ``refID``.
_SPOILT = 0.016
_MONTH_ROWS = 41_000
_DATE = "%Y-%m-%dT%H:%M:%S"
#: One row in so many is spoilt in `Data.dirty`, and one in so many is not UTF-8 in `Data.not_utf8`.
_DIRTY_EVERY = 50
_FOREIGN_EVERY = 20

_SECTIONS = ("shop", "blog", "help", "img", "account", "api")
_AGENTS = (
    "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/37.0.2062.120 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like Gecko) Version/7.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:32.0) Gecko/20100101 Firefox/32.0",
)


@dataclass(frozen=True)
class Data:
    """The inputs; each is made when it is first asked for.

    Args:
        folder: Where they are put.
        rows: How many purchases; the access log has two fifths of that, as the goals are for 5 and 2 million.
        table_rows: How many clients the look-up table knows.
        small_files: How many small files there are, of about 10 KB each.
        many_files: How many files of 2 KB there are where they are many.
        clients_at_once: How many clients there are where many come at once.
        keys: How many keys a bucket has that is listed.
        names: How many names of files an index has, and how many are compared with categories.
    """

    folder: Path
    rows: int
    table_rows: int = 100_000
    small_files: int = 1000
    many_files: int = 10_000
    clients_at_once: int = 200
    stream_files: int = 60
    keys: int = 300_000
    names: int = 1_000_000

    @property
    def stream_rows(self) -> int:
        """The number of rows of ``stream``: 3 million of 5."""
        return self.rows * 3 // 5

    @property
    def log_lines(self) -> int:
        """The number of lines of the access log."""
        return self.rows * 2 // 5

    @cached_property
    def purchases(self) -> Path:
        """CSV with ``TITLES`` and CRLF."""
        path = self._path("purchases", ".csv")
        if not path.exists():
            _in_place(path, _as_csv(_grown(_month(), self.rows)))
        return path

    def keyed_purchases(self, keys: int) -> Path:
        """The same with other users: ``keys`` of them, drawn evenly."""
        path = self._path(f"purchases_{keys}_keys", ".csv")
        if not path.exists():
            rows = _grown(_month(), self.rows)
            users = np.random.default_rng(keys).integers(1, keys, size=self.rows, endpoint=True)
            _in_place(path, _as_csv(rows.with_columns(pl.Series("userID", users).cast(pl.String))))
        return path

    def shuffled_purchases(self, keys: int) -> Path:
        """The same in a random order."""
        path = self._path(f"purchases_{keys}_keys_shuffled", ".csv")
        if not path.exists():
            titles, *lines = self.keyed_purchases(keys).read_bytes().split(b"\r\n")[:-1]
            order = np.random.default_rng(keys).permutation(len(lines)).tolist()
            _in_place(path, b"\r\n".join([titles, *(lines[place] for place in order), b""]))
        return path

    def pieces(self, source: Path, count: int) -> list[Path]:
        """A file cut into so many, each with the titles; the rows are dealt out one after the other."""
        files = [source.with_suffix("") / f"{number:04}.csv" for number in range(count)]
        if not all(path.exists() for path in files):
            titles, *lines = source.read_bytes().split(b"\r\n")[:-1]
            for number, path in enumerate(files):
                _in_place(path, b"\r\n".join([titles, *lines[number::count], b""]))
        return files

    @cached_property
    def compressed(self) -> Path:
        """``purchases``, gzipped."""
        path = self._path("purchases", ".csv.gz")
        if not path.exists():
            _in_place(path, gzip.compress(self.purchases.read_bytes(), 6, mtime=0))
        return path

    @cached_property
    def dirty(self) -> Path:
        """``purchases`` with one row in fifty spoilt in one of several ways."""
        path = self._path("dirty", ".csv")
        if not path.exists():
            titles, *lines = self.purchases.read_bytes().split(b"\r\n")[:-1]
            for number in range(7, len(lines), _DIRTY_EVERY):
                lines[number] = _spoilt(lines[number], number // _DIRTY_EVERY)
            _in_place(path, b"\r\n".join([titles, *lines, b""]))
        return path

    @cached_property
    def dirty_kept(self) -> Path:
        """The good rows of ``dirty``."""
        path = self._path("dirty_kept", ".csv")
        if not path.exists():
            titles, *lines = self.purchases.read_bytes().split(b"\r\n")[:-1]
            good = [line for number, line in enumerate(lines) if number % _DIRTY_EVERY != 7]
            _in_place(path, b"\r\n".join([titles, *good, b""]))
        return path

    @cached_property
    def not_utf8(self) -> Path:
        """``purchases`` with user names that are Latin-1 in one row of twenty."""
        path = self._path("not_utf8", ".csv")
        if not path.exists():
            titles, *lines = self.purchases.read_bytes().split(b"\r\n")[:-1]
            for number in range(3, len(lines), _FOREIGN_EVERY):
                date, user, rest = lines[number].split(b",", 2)
                lines[number] = b",".join([date, b"Ren\xe9 " + user, rest])
            _in_place(path, b"\r\n".join([titles, *lines, b""]))
        return path

    @cached_property
    def access_log(self) -> Path:
        """An Apache log in the combined format."""
        path = self._path("access", ".log")
        if not path.exists():
            _in_place(path, _access_log(self.log_lines, self.table_rows))
        return path

    @cached_property
    def clients(self) -> Path:
        """CSV with ``host,customer,segment``, one row a client; nine of ten clients of the log are in it."""
        path = self._path(f"clients_{self.table_rows}", ".csv")
        if not path.exists():
            chance = random.Random(3)
            rows = [f"{_host(n)},customer {n},{chance.choice('ABCD')}\n" for n in range(self.table_rows)]
            chance.shuffle(rows)
            _in_place(path, "".join(["host,customer,segment\n", *rows]).encode())
        return path

    @cached_property
    def small(self) -> Path:
        """A folder of small purchase files."""
        folder = self._path("small", "")
        if not folder.exists():
            folder.mkdir(parents=True)
            titles, *lines = self.purchases.read_bytes().split(b"\r\n")[:-1]
            for number in range(self.small_files):
                begin = number * 275 % max(1, len(lines) - 275)
                part = [titles, *lines[begin : begin + 275], b""]
                (folder / f"{number:04}.csv").write_bytes(b"\r\n".join(part))
        return folder

    @cached_property
    def stream(self) -> Path:
        """A folder of gzipped purchase files, each with the titles."""
        folder = self._path("stream", "")
        if not folder.exists():
            titles, *lines = self.purchases.read_bytes().split(b"\r\n")[: self.stream_rows + 1]
            each = -(-len(lines) // self.stream_files)
            files = {
                f"{number:04}.csv.gz": gzip.compress(
                    b"\r\n".join([titles, *lines[number * each : (number + 1) * each], b""]), 6, mtime=0
                )
                for number in range(self.stream_files)
            }
            _whole(folder, files)
        return folder

    @cached_property
    def tiny(self) -> Path:
        """A folder of purchase files of 2 KB."""
        return self._folder_of_tiny("tiny", self.small_files)

    @cached_property
    def many(self) -> Path:
        """The same, and many of them."""
        return self._folder_of_tiny("many", self.many_files)

    def _folder_of_tiny(self, name: str, count: int) -> Path:
        folder = self._path(name, "")
        if not folder.exists():
            _whole(folder, self._tiny_files(count))
        return folder

    @cached_property
    def tiny_compressed(self) -> Path:
        """The same, gzipped."""
        folder = self._path("tiny_gz", "")
        if not folder.exists():
            files = self._tiny_files(self.small_files).items()
            _whole(folder, {f"{name}.gz": gzip.compress(content, 6, mtime=0) for name, content in files})
        return folder

    def _tiny_files(self, count: int) -> dict[str, bytes]:
        titles, *lines = self.purchases.read_bytes().split(b"\r\n")[:-1]
        begins = (number * 55 % max(1, len(lines) - 55) for number in range(count))
        return {
            f"{number:05}.csv": b"\r\n".join([titles, *lines[begin : begin + 55], b""])
            for number, begin in enumerate(begins)
        }

    @cached_property
    def ten_rows(self) -> Path:
        """The first ten purchases."""
        path = self._path("ten", ".csv")
        if not path.exists():
            with self.purchases.open("rb") as file:
                _in_place(path, b"".join(next(file) for _ in range(11)))
        return path

    def _path(self, name: str, ending: str) -> Path:
        return self.folder / f"{name}_{self.rows}{ending}"


def _in_place(path: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def _whole(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a folder so that it is there as a whole or not at all."""
    part = folder.with_name(f"{folder.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (part / name).write_bytes(content)
    part.rename(folder)


def _month() -> pl.DataFrame:
    """A month of purchases, all columns as text."""
    files = sorted(SAMPLE.glob("purchase_*.gz"))
    if files:
        return pl.concat([pl.read_csv(gzip.decompress(file.read_bytes()), infer_schema=False) for file in files])
    draw = np.random.default_rng(2014)
    seconds = np.sort(draw.integers(0, 30 * 86400, size=_MONTH_ROWS))
    begin = datetime(2014, 9, 1)
    dates = [(begin + timedelta(seconds=second)).strftime(_DATE) for second in seconds.tolist()]
    kinds = draw.random(_MONTH_ROWS)
    numbers = draw.integers(1, 52, size=_MONTH_ROWS, endpoint=True).tolist()
    refs = [
        "TBD" if kind < _SPOILT else str(number) if kind < 0.366 else None
        for kind, number in zip(kinds.tolist(), numbers, strict=True)
    ]
    columns = (
        dates,
        draw.integers(1, 8000, size=_MONTH_ROWS).astype(str).tolist(),
        draw.integers(1, 52, size=_MONTH_ROWS, endpoint=True).astype(str).tolist(),
        [f"{cents / 100:.2f}" for cents in draw.integers(50, 500, size=_MONTH_ROWS).tolist()],
        refs,
    )
    return pl.DataFrame(dict(zip(TITLES, columns, strict=True)), schema=dict.fromkeys(TITLES, pl.String))


def _grown(month: pl.DataFrame, rows: int) -> pl.DataFrame:
    """The month again and again, each time thirty days later."""
    times = month.get_column("purchaseDate").str.to_datetime(_DATE)
    copies = [
        month.with_columns((times + timedelta(days=30 * number)).dt.strftime(_DATE).alias("purchaseDate"))
        for number in range(-(-rows // month.height))
    ]
    return pl.concat(copies).head(rows)


def _as_csv(rows: pl.DataFrame) -> bytes:
    target = BytesIO()
    rows.write_csv(target, line_terminator="\r\n", quote_style="never")
    return target.getvalue()


def _spoilt(line: bytes, kind: int) -> bytes:
    date, user, article, price, _ = line.split(b",")
    ways = (
        b",".join([date, user, article]),
        b",".join([date, user, b"n/a", price, b""]),
        b",".join([date, user, article, price + b"?", b""]),
        b",".join([date, b'"' + user, article, price, b""]),
        b",".join([date, user, article + b"00000000000000000000", price, b""]),
        b",".join([date, b'"' + user + b'"x', article, price, b""]),
    )
    return ways[kind % len(ways)]


def _host(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _access_log(lines: int, clients: int) -> bytes:
    draw = np.random.default_rng(99)
    hosts = (draw.random(lines) ** 2 * clients * 10 / 9).astype(np.int64).tolist()
    begin = datetime(2014, 9, 1, tzinfo=UTC)
    step = 30 * 86400 / lines
    sections = draw.integers(0, len(_SECTIONS), size=lines).tolist()
    pages = draw.integers(1, 5000, size=lines).tolist()
    sizes = draw.integers(0, 60_000, size=lines).tolist()
    agents = draw.integers(0, len(_AGENTS), size=lines).tolist()
    states = draw.choice([200, 200, 200, 304, 404, 500], size=lines).tolist()
    written: list[str] = []
    second, stamp = -1, ""
    for number in range(lines):
        if int(number * step) != second:
            second = int(number * step)
            stamp = (begin + timedelta(seconds=second)).strftime("%d/%b/%Y:%H:%M:%S +0000")
        size = sizes[number]
        written.append(
            f"{_host(hosts[number])} - - [{stamp}]"
            f' "GET /{_SECTIONS[sections[number]]}/item-{pages[number]}.html?s={number} HTTP/1.1"'
            f" {states[number]} {size if size > 600 else '-'}"
            f' "http://www.example.com/{_SECTIONS[pages[number] % 6]}/" "{_AGENTS[agents[number]]}"\n'
        )
    return "".join(written).encode()


def titles_of(path: Path) -> list[str]:
    """The titles of a CSV file without quotes."""
    with path.open("rb") as file:
        return file.readline().decode("latin-1").strip().split(",")
