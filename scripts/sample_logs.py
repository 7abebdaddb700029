"""Writes sample logs: 30 days of gzip files like those a shop would keep, with the dirt such files have.

    python scripts/sample_logs.py FOLDER [--days 30] [--purchases 1300] [--browses 10000] [--seed 2014]

The same arguments give the same bytes. Each day gets `browse_YYYYMMDD.gz` (eventDate,userID,articleID) and
`purchase_YYYYMMDD.gz` (purchaseDate,userID,articleID,price,refID): a header line, CRLF line ends, rows in order
of time. Of the purchases about 1.6 % have `TBD` where the number of the referring article belongs, a fifth has it
blank, and each day has a few records that are too short, too long, or hold bytes that are not UTF-8.
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections import Counter
from datetime import date, datetime, time, timedelta
from pathlib import Path

FIRST_DAY = date(2014, 9, 1)
USERS = 8000
ARTICLES = 52
SHORT_A_DAY, LONG_A_DAY, NOT_UTF8_A_DAY = 2, 2, 3
TBD_SHARE, REFERRED_SHARE = 0.016, 0.8


def times_of(day: date, count: int, chance: random.Random) -> list[str]:
    """``count`` times of a day in ascending order, as ``2014-09-01T00:00:02``."""
    midnight = datetime.combine(day, time())
    seconds = sorted(chance.randrange(86400) for _ in range(count))
    return [(midnight + timedelta(seconds=second)).isoformat() for second in seconds]


def browse_rows(day: date, count: int, chance: random.Random) -> list[bytes]:
    """The browse records of a day."""
    return [
        f"{at},{chance.randint(1, USERS)},{chance.randint(1, ARTICLES)}".encode() for at in times_of(day, count, chance)
    ]


def purchase_rows(day: date, count: int, prices: list[str], chance: random.Random, dirt: Counter[str]) -> list[bytes]:
    """The purchase records of a day; ``dirt`` counts what was put in."""
    special = chance.sample(range(count), SHORT_A_DAY + LONG_A_DAY + NOT_UTF8_A_DAY)
    short, long = set(special[:SHORT_A_DAY]), set(special[SHORT_A_DAY : SHORT_A_DAY + LONG_A_DAY])
    not_utf8 = set(special[SHORT_A_DAY + LONG_A_DAY :])
    rows: list[bytes] = []
    for number, at in enumerate(times_of(day, count, chance)):
        article = chance.randint(1, ARTICLES)
        fields = [at.encode(), b"%d" % chance.randint(1, USERS), b"%d" % article, prices[article].encode(), b""]
        draw = chance.random()
        if number in short:
            fields, kind = fields[:3], "too short"
        elif number in long:
            fields, kind = [*fields, b"web", b"again"], "too long"
        elif number in not_utf8:
            fields[1], kind = b"M\xfcller%d" % chance.randint(1, 20), "not UTF-8"
        elif draw < TBD_SHARE:
            fields[4], kind = b"TBD", "TBD"
        elif draw < TBD_SHARE + REFERRED_SHARE:
            fields[4], kind = b"%d" % chance.randint(1, ARTICLES), "clean"
        else:
            kind = "blank refID"
        dirt[kind] += 1
        rows.append(b",".join(fields))
    return rows


def write(path: Path, header: bytes, rows: list[bytes]) -> None:
    """Write one gzip file, without a time stamp or name in it, so that its bytes depend on its content alone."""
    with path.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as out:
        out.write(b"\r\n".join([header, *rows, b""]))


def write_all(folder: Path, *, days: int, purchases: int, browses: int, seed: int) -> Counter[str]:
    """Write all files and give how many purchase records there are of each kind."""
    chance = random.Random(seed)
    prices = [f"{chance.uniform(0.5, 5.0):.2f}" for _ in range(ARTICLES + 1)]
    dirt: Counter[str] = Counter()
    folder.mkdir(parents=True, exist_ok=True)
    for day in (FIRST_DAY + timedelta(days=number) for number in range(days)):
        bought, seen = (round(count * chance.uniform(0.9, 1.1)) for count in (purchases, browses))
        rows = purchase_rows(day, bought, prices, chance, dirt)
        write(folder / f"purchase_{day:%Y%m%d}.gz", b"purchaseDate,userID,articleID,price,refID", rows)
        write(folder / f"browse_{day:%Y%m%d}.gz", b"eventDate,userID,articleID", browse_rows(day, seen, chance))
    return dirt


def main() -> None:
    """Read the arguments, write the files, say what was written."""
    parser = argparse.ArgumentParser(description="Write sample logs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--purchases", type=int, default=1300, help="purchases a day, about")
    parser.add_argument("--browses", type=int, default=10000, help="browse events a day, about")
    parser.add_argument("--seed", type=int, default=2014)
    given = parser.parse_args()
    dirt = write_all(given.folder, days=given.days, purchases=given.purchases, browses=given.browses, seed=given.seed)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(dirt.items()))
    print(f"wrote {2 * given.days} files to {given.folder}: {sum(dirt.values())} purchases ({kinds})")


if __name__ == "__main__":
    main()
