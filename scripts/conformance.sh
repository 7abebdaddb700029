#!/usr/bin/env bash
# Runs the published cases of ../shared (or $ESS_SHARED) with the tools of .venv and says how many match.
# Cases of later issues fail: the run fails only when fewer pass than scripts/conformance.floor says.
# Arguments go to the runner, e.g. --only aq-emod --show.
set -uo pipefail
cd "$(dirname "$0")/.."
runner=${ESS_SHARED:-../shared}/conformance/run.py
if [ ! -f "$runner" ]; then
    echo "conformance: not run: $runner is not on this machine (set ESS_SHARED to the folder that has it)"
    exit 0
fi
floor=$(cat scripts/conformance.floor)
said=$(.venv/bin/python "$runner" --bin .venv/bin "$@")
printf '%s\n' "$said" | sed '$d'
last=$(printf '%s\n' "$said" | tail -n 1)
passed=${last%% passed*}
# "55 cases: 31 as published" and not "31 passed, 24 failed": that form is the test runner's.
failed=${last##*, }
echo "conformance: $passed cases as published, ${failed%% *} not (later issues), at least $floor are required"
[ $# -gt 0 ] && exit 0
case $passed in
    '' | *[!0-9]*) echo "conformance: no count in the runner's last line: $last" >&2; exit 1 ;;
esac
if [ "$passed" -lt "$floor" ]; then
    echo "conformance: $passed is less than the $floor of scripts/conformance.floor" >&2
    exit 1
fi
