"""The script that each machine starts with: it ends the machine when a limit is reached (:mod:`limits`).

It is the whole of the user data and holds no secret. It runs at every start, before anything else of ours, and needs
a shell and ``shutdown`` only; no permission, no network and no process of Essentia. Files for others:

- ``/run/essentia/active``: touched by whoever works (a job, a command of the database), at least once a minute.
- ``/var/lib/essentia/limits``: other limits than those it came with, as ``idle=30 ends=0 runs=0``; for root only.
- ``/var/lib/essentia/minutes``: how long the machine has run in all; ``ended``: why it was ended the last time.
"""

from __future__ import annotations

from ess.cluster.cloud.limits import Deadlines

#: EC2 takes no more user data, in bytes.
MOST_BYTES = 16384

_SCRIPT = """\
#cloud-boothook
#!/bin/sh
# Essentia: ends this machine when it has been idle, has grown old, or has used its budget.
idle=@idle@ ends=@ends@ runs=@runs@
state=$ESSENTIA_ROOT/var/lib/essentia run=$ESSENTIA_ROOT/run/essentia
umask 022
mkdir -p "$state" "$run"
mkdir "$run/timer" 2>/dev/null || exit 0  # one of them is enough; the folder is gone after a restart
: >>"$run/active"
chmod 666 "$run/active"

watch() {
    minutes=$(cat "$state/minutes" 2>/dev/null)
    case $minutes in '' | *[!0-9]*) minutes=0 ;; esac
    still=0 seen=
    while :; do
        # A clock that jumps does not matter for idleness: it counts looks, not times.
        mark=$(stat -c %y "$run/active" 2>/dev/null)
        if [ "$mark" = "$seen" ]; then still=$((still + 1)); else still=0 seen=$mark; fi
        if [ -r "$state/limits" ]; then . "$state/limits"; fi
        reason=
        if [ "$idle" -gt 0 ] && [ "$still" -ge "$idle" ]; then reason=idle; fi
        if [ "$runs" -gt 0 ] && [ "$minutes" -ge "$runs" ]; then reason=budget; fi
        if [ "$ends" -gt 0 ] && [ "$(date +%s)" -ge "$ends" ]; then reason=max-age; fi
        if [ -n "$reason" ]; then
            echo "$reason" >"$state/ended"
            shutdown -h now "Essentia: --$reason"
        fi
        sleep 60
        minutes=$((minutes + 1))
        echo "$minutes" >"$state/minutes.new" && mv -f "$state/minutes.new" "$state/minutes"
    done
}

# exec: with redirections of the function, dash would keep the output open, and who starts this would wait for ever.
(exec </dev/null >"$run/timer/log" 2>&1; watch) &
"""


def user_data(limits: Deadlines) -> str:
    """The script with these limits in it.

    >>> user_data(Deadlines(30, 0, 120)).splitlines()[3]
    'idle=30 ends=0 runs=120'
    """
    text = _SCRIPT
    for name, value in (("idle", limits.idle), ("ends", limits.ends), ("runs", limits.runs)):
        text = text.replace(f"@{name}@", str(value))
    return text
