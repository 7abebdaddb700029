"""Substitution: values reach the command as data, whatever they hold and wherever they stand."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.cluster.substitution import FileValues, Place, column_words, substitute, variables

HOSTILE = """a b$(touch x);'"`touch y`${HOME}\\n|&<>*?#!%file~-e"""


def run(command: str, file: FileValues, folder: Path | None = None) -> bytes:
    ready = substitute(command, Place(1, 2, 3, 4), file)
    environment = {"PATH": os.environ["PATH"], **variables(file)}
    done = subprocess.run(["bash", "-c", ready], env=environment, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, (ready, done.stderr)
    return done.stdout


CONTEXTS = [
    "printf %s @",
    'printf %s "@"',
    "printf %s '@'",
    "printf %s $'@'",
    'printf %s "$(printf %s @)"',
    'printf %s "$(printf %s "@")"',
    "printf %s \"$(printf %s '@')\"",
    'printf %s "`printf %s @`"',
    'printf %s "${UNSET:-@}"',
    'printf %s ${UNSET:-"@"}',
    "(printf %s @) # don't mind \"@",
    'printf %s "it\'s" >/dev/null; printf %s @',
    "case x in x) printf %s @;; esac",
    'if [ -n "@" ]; then printf %s "@"; fi',
]


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_hostile_name_is_harmless_in_each_quoting(context: str, tmp_path: Path) -> None:
    file = FileValues(f"/data/{HOSTILE.replace('/', '')}")
    assert run(context.replace("@", "%FILE"), file, tmp_path) == os.fsencode(HOSTILE)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.text(st.characters(blacklist_characters="\0/\n", blacklist_categories=["Cs"]), min_size=1, max_size=12),
        min_size=1,
        max_size=3,
    ).map("$(echo X>&2)'\"`".join)
)
def test_any_name_survives_all_quotings(name: str) -> None:
    command = "printf '%s\\0' " + " ".join(f"{a}%FILE{a}" for a in ("", '"', "'"))
    assert run(command, FileValues(f"/d/{name}")).split(b"\0")[:3] == [os.fsencode(name)] * 3


def test_names_that_are_not_utf8_pass_through() -> None:
    name = b"caf\xe9 \xff.gz"
    assert run("printf %s %FILE", FileValues("/d/" + os.fsdecode(name))) == name


def test_what_each_string_stands_for() -> None:
    file = FileValues("/data/logs/browse_1.csv.gz", ("s:user", "i:n"), "|")
    assert run("echo %path %file %FILE '%delim'", file) == b"/data/logs browse_1.csv browse_1.csv.gz |\n"
    assert run("echo %node_id %num_nodes %thread_id %num_threads", file) == b"1 2 3 4\n"
    assert run('printf "<%s>" -d %cols', file) == b"<-d><s:user><i:n>"
    assert run('printf "<%s>" "-d %cols"', file) == b"<-d s:user i:n>"
    assert run("printf '<%s>' '%cols'", file) == b"<s:user i:n>"


def test_columns_with_separators_keep_their_spaces() -> None:
    words = column_words("ip:ip sep:' [' s:user")
    assert run('printf "<%s>" %cols', FileValues("/d/f", words)) == b"<ip:ip><sep: [><s:user>"


def test_other_percent_signs_and_escapes_stay() -> None:
    file = FileValues("/d/f.gz")
    assert substitute(r"date +%Y%m%d; printf '%d' 1; echo \%file", Place(), file) == (
        r"date +%Y%m%d; printf '%d' 1; echo \%file"
    )
    assert substitute("echo %file %node_id", Place()) == "echo %file 0"
