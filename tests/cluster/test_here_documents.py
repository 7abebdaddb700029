"""Values in here-documents: bash itself is the judge."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ess.cluster.quoting import here_documents, quoting_of
from ess.cluster.substitution import FileValues, Place, substitute, variables
from ess.errors import OptionError

BASH = shutil.which("bash") or "bash"
#: What bash gets in the place of %FILE, to see where it comes out. It begins with nothing that could belong to a name.
MARK = "=MARK="

#: File names that would do harm as text.
names = st.text(alphabet=st.sampled_from("a \t\n'\"\\$`(){}%#&;<>|*?!~EOF"), max_size=12).map(lambda text: text + "z")
pieces = [
    "%FILE",
    " ",
    "x",
    "'",
    '"',
    "$ ",
    "\\\\",
    "\t",
    "$(printf %s '%FILE')",
    '"%FILE"',
    "'%FILE'",
    "#",
    "(",
    ")",
    "$HOME",
    "`:`",
]
texts = st.lists(st.lists(st.sampled_from(pieces), max_size=6).map("".join), max_size=4)
delimiters = st.sampled_from(["EOF", "'EOF'", '"EOF"', "\\EOF", "'E F'", "E'O'F", "'a$b'"])


def run(command: str, environment: dict[str, str]) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": "/h", **environment}
    done = subprocess.run([BASH, "-c", command], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@settings(max_examples=60)
@given(names, texts, delimiters, st.sampled_from(["<<", "<<-", "<< "]), st.booleans())
@example("EOF\nz", ["%FILE"], "'EOF'", "<<", False)
@example("z", ["$HOME%FILE"], "EOF", "<<", False)
@example("$(id)`id`\\z", ['"%FILE"', "$HOME"], "'EOF'", "<<-", True)
def test_a_name_comes_out_as_it_is(name: str, lines: list[str], delimiter: str, operator: str, nested: bool) -> None:
    ending = run(f"printf %s {delimiter}", {})
    here = f"cat {operator}{delimiter}\n" + "".join(f"{line}\n" for line in lines)
    here += ("\t" if operator == "<<-" else "") + f"{ending}\n"
    command = f'printf %s "$({here})"\necho end "%FILE"\n' if nested else f'{here}echo end "%FILE"\n'
    wanted = run(command.replace("%FILE", MARK), {}).replace(MARK, name)
    assert run(substitute(command, Place(), FileValues(name)), {"ESS_FILE_NAME": name}) == wanted


def test_here_documents_in_a_row_and_nested() -> None:
    command = "cat <<A - <<'B'; cat <<<%FILE\n1 %FILE\nA\n2 %FILE $x\nB\n"
    command += 'echo "$(cat <<C\n3 "%FILE"\nC\n)" $((1<<2)) %FILE\n'
    name = "a'b $c"
    out = run(substitute(command, Place(), FileValues(name)), variables(FileValues(name)))
    assert out == f'2 {name} $x\n{name}\n3 "{name}" 4 {name}\n'


def test_a_comment_and_a_shift_are_none() -> None:
    for command in (
        "# <<A\n%FILE",
        "echo $((1 << 2))\n%FILE",
        "((x <<= 2))\n%FILE",
        "echo '<<A'\n%FILE",
        "cat <<<A\n%FILE",
    ):
        assert here_documents(command) == []
        assert quoting_of(command)[-5].value == "plain"


def test_one_that_cannot_take_a_name_is_refused() -> None:
    with pytest.raises(OptionError, match="write "):
        substitute("echo `cat <<'A'\n%FILE\nA\n`", Place(), FileValues("x"))
    assert substitute("echo `cat <<'A'\nx\nA\n`", Place(), FileValues("x")) == "echo `cat <<'A'\nx\nA\n`"
