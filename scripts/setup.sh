#!/bin/sh
# Makes a virtual environment with the locked versions: scripts/setup.sh <folder>
# Needs a Python of at least 3.11 with venv, and nothing else. Every download is checked against its locked hash.
set -eu
venv=$1

python=""
for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
    # A name may exist and still not run (a version manager's shim), or be too old: ask it.
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: no Python 3.11 or newer was found; install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi

if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    rm -rf "$venv"
    if ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        echo "setup: $python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2
        exit 1
    fi
fi

echo "setup: $("$venv/bin/python" --version) in $venv"
pip="$venv/bin/python -m pip --disable-pip-version-check"
$pip install --quiet --require-hashes -r requirements/dev.txt
$pip install --quiet --no-deps --no-build-isolation --editable .
