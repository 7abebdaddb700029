#!/usr/bin/env bash
# Runs the published cases of ../shared (or $ESS_SHARED) with the tools of .venv and says how many match: once through the
# tool server, as a user has it, and once without (ESS_WARM=0).
# Cases of later issues fail: the run fails only when fewer pass, in one of the two ways, than scripts/conformance.floor
# says, or when the two ways differ. Arguments go to the runner, e.g. --only aq-emod --show.
set -uo pipefail
cd "$(dirname "$0")/.."
runner=${ESS_SHARED:-../shared}/conformance/run.py
if [ ! -f "$runner" ]; then
    echo "conformance: not run: $runner is not on this machine (set ESS_SHARED to the folder that has it)"
    exit 0
fi
floor=$(cat scripts/conformance.floor)
# A tool server of this run's own, which ends soon after it.
ESS_RUNTIME_DIR=$(mktemp -d /tmp/ess-XXXXXX)
export ESS_RUNTIME_DIR ESS_WARM_IDLE=5
trap 'rm -rf "$ESS_RUNTIME_DIR"' EXIT
code=0
for way in "without the tool server:0" "through the tool server:1"; do
    if [ "${way##*:}" = 1 ]; then
        # The first command of all starts the server and runs directly.
        .venv/bin/aq_pp -h >/dev/null
        for _ in {1..150}; do
            [ -n "$(find "$ESS_RUNTIME_DIR" -name '*.sock')" ] && break
            sleep 0.2
        done
    fi
    said=$(ESS_WARM=${way##*:} .venv/bin/python "$runner" --bin .venv/bin "$@")
    [ "${way##*:}" = 0 ] && printf '%s\n' "$said" | sed '$d'
    last=$(printf '%s\n' "$said" | tail -n 1)
    passed=${last%% passed*}
    failed=${last##*, }
    # "31 cases as published" and not "31 passed, 24 failed": that form is the test runner's.
    echo "conformance: ${way%:*} $passed cases as published, ${failed%% *} not (later issues), at least $floor are required"
    [ "${way##*:}" = 1 ] && [ "$said" != "$before" ] && {
        echo "conformance: the tool server makes a difference:" >&2
        diff <(printf '%s\n' "$before") <(printf '%s\n' "$said") >&2
        code=1
    }
    before=$said
    [ $# -gt 0 ] && continue
    case $passed in
        '' | *[!0-9]*)
            echo "conformance: no count in the runner's last line: $last" >&2
            exit 1
            ;;
    esac
    if [ "$passed" -lt "$floor" ]; then
        echo "conformance: $passed is less than the $floor of scripts/conformance.floor" >&2
        code=1
    fi
done
exit $code
