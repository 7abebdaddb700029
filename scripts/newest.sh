#!/bin/sh
# Runs the tests on the newest supported Python that this machine has, in a virtual environment of its own, .venv-newest.
# The supported ones are those of pyproject.toml's classifiers; .venv, where `make test` runs them, has the oldest.
# Found on PATH, and among the versions of pyenv, which it need not have chosen. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-newest

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

supported=$(sed -n 's/.*Python :: \(3\.[0-9][0-9]*\)".*/\1/p' pyproject.toml | sort -t. -k2,2nr)
present=$(version_of .venv/bin/python)
newest=""
for version in $supported; do
    [ "$version" = "$present" ] && break
    for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python3; do
        if [ "$(version_of "$python")" = "$version" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            newest=$version
            break 2
        fi
    done
done
if [ -z "$newest" ]; then
    echo "newest: this machine has no supported Python that is newer than $present, on which make test runs; not run"
    exit 0
fi

[ "$(version_of $venv/bin/python)" = "$newest" ] || rm -rf $venv
needed="requirements/dev.txt pyproject.toml launchers/bin scripts/setup.sh"
# shellcheck disable=SC2086 - these are several words
if [ ! -f $venv/.set-up ] || [ -n "$(find $needed -newer $venv/.set-up)" ]; then
    PYTHON=$python sh scripts/setup.sh $venv
    touch $venv/.set-up
fi
echo "newest: the tests on Python $newest ($python)"
exec $venv/bin/python -m pytest -n "${TEST_WORKERS:-4}" --dist loadfile --no-loadscope-reorder "$@"
