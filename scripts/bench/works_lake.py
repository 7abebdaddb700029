"""The works of the data lake: listings, the index, and names."""

from __future__ import annotations

import subprocess

from bench import programs
from bench.data import Data
from bench.equal import Columns
from bench.lake import BUCKET, Lake
from bench.work import OUT, Contestant, Goal, Work, python, tool


def keys(data: Data) -> Work:
    """All keys of a bucket."""
    count = data.keys
    lake = Lake(data.folder / "lake-keys", ("bench.listing_s3", str(count)))
    ours = f"echo key; {tool('ess')} ls -r --nameonly '*'"
    return Work(
        "keys",
        f"list {count:,} keys of an S3 server on this machine",
        (
            Contestant("ess ls", ("bash", "-c", ours), stdout=True, environment=lake.environment),
            Contestant(
                "boto3's paginator", python(programs.BOTO3_LIST, BUCKET, OUT), "boto3", environment=lake.environment
            ),
        ),
        (Goal("at most a tenth of boto3's paginator", {"boto3's paginator": 0.1}),),
        Columns(("text",), sort_by=(0,)),
        begin=lake.begin,
        end=lake.end,
    )


def index(data: Data) -> Work:
    """Listings and summaries of an index."""
    lake = Lake(data.folder / "lake-index", commands=(python(programs.FILL_INDEX, data.names),))
    ess = tool("ess")
    commands = {
        "ess ls --cat": (ess, "ls", "--cat", "app07"),
        "ess ls --cat --dates": (ess, "ls", "--cat", "all", "--dates", "2014-09-01", "2014-09-07"),
        "ess summary": (ess, "summary"),
        "ess ls --cat of all": (ess, "ls", "--cat", "all"),
    }
    fast = [label for label in commands if not label.endswith("all")]
    return Work(
        "index",
        f"`ess` on an index of {data.names:,} files in 50 categories, and in one",
        tuple(
            Contestant(label, command, stdout=True, environment=lake.environment, output=False)
            for label, command in commands.items()
        ),
        (
            *(Goal(f"`{label}` under 1 s", constant=1.0, of=label) for label in fast),
            *(Goal(f"`{label}` under 200 MB", constant=200.0, memory=True, of=label) for label in commands),
        ),
        begin=lake.begin,
        end=lake.end,
    )


def classify(data: Data) -> Work:
    """Names, their categories and dates."""
    names = data.folder / f"names-{data.names}.txt"

    def begin() -> None:
        if not names.exists():
            subprocess.run(python(programs.NAMES, data.names, names), check=True)

    return Work(
        "classify",
        f"{data.names:,} names into 50 categories, with dates, on one core",
        (
            Contestant("all at once", python(programs.CLASSIFY, names, 1, OUT)),
            Contestant("one at a time", python(programs.CLASSIFY, names, 0, OUT)),
        ),
        (Goal("under 10 s", constant=10.0),),
        Columns(("number", "text", "number")),
        begin=begin,
    )


WORKS = {"keys": keys, "index": index, "classify": classify}
