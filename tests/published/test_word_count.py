"""The word count of the public tutorial."""

from __future__ import annotations

from pathlib import Path

from tests.published.shell import Shell


def test_the_most_frequent_words_are_the_published_ones(machine: Shell, shared: Path) -> None:
    machine.run("ess create database mapreduce")
    machine.run("ess create vector wordcount s,pkey:word i,+add:count")
    machine.run("ess udbd start")
    text = shared / "published/wordcount/pg98.txt"
    machine.run(
        f"tr -s '[[:punct:][:space:]]' '\\n' < '{text}' | aq_pp -d s:word -eval i:count 1 -imp mapreduce:wordcount"
    )
    best = machine.run("aq_udb -exp mapreduce:wordcount -sort,dec count -top 10")
    assert best == (shared / "published/wordcount/top10.csv").read_bytes()
