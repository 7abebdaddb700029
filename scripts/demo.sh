#!/usr/bin/env bash
# The main job, from raw logs to the answer, as a user would type it: make demo
# Works below .demo (made anew each time) and leaves no process and no port behind.
#
#   scripts/demo.sh              on a local cluster of two workers
#   scripts/demo.sh --embedded   the same commands without a cluster: one machine, the same result
set -euo pipefail
cd "$(dirname "$0")/.."

workers=2
[ "${1:-}" = --embedded ] && workers=0

root=$PWD
place=${DEMO_DIR:-$root/.demo}
rm -rf "$place"
mkdir -p "$place"
export PATH="$root/.venv/bin:$PATH"
# State, settings and ports of its own: the demo must not touch what the user already has.
export ESS_CACHE_DIR="$place/.ess" ESS_WORK_DIR="$place/.conf"
ESS_UDB_PORT=${DEMO_PORT:-$(python "$root/scripts/left_over.py" free-ports)}
export ESS_UDB_PORT
cd "$place"
scripts=$(realpath --relative-to=. "$root/scripts")

bold='' dim='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; fi

say() { printf '\n%s# %s%s\n' "$dim" "$*" "$plain"; }
# Prints a command as it would be typed, then runs exactly that text.
run() {
    printf '%s$ %s%s\n' "$bold" "$1" "$plain"
    eval "$1"
}
# Whatever happens, nothing stays behind.
stop_all() {
    ess udbd stop >/dev/null 2>&1 || true
    if [ "$workers" -gt 0 ]; then ess cluster terminate -y >/dev/null 2>&1 || true; fi
}
trap stop_all EXIT

say "1. Sample data: thirty days of compressed logs of a shop, with the dirt that logs have"
run "python $scripts/sample_logs.py logs"

if [ "$workers" -gt 0 ]; then
    say "2. A cluster of two worker processes on this machine"
    run 'ess cluster create --number 2'
fi

say "3. Point at the folder and group its files; columns, delimiter and dates are found by looking"
say "   (refID holds a number, or nothing, or TBD: we say that it is a number, so that TBD is rejected)"
run 'ess select local'
run 'ess category add purchase "logs/*purchase_*"'
run 'ess summary'
run 'ess category change columnspec purchase "S:purchaseDate S:userID I:articleID f:price I:refID"'
run 'ess summary purchase'

say "4. A database in memory: a table of sales by user in order of time, and a vector of totals by user"
run 'ess create database wood'
run 'ess create table allsales s,pkey:userid i,tkey:ptime i:articleid f:price i:refid'
run 'ess create vector usersales s,pkey:userid i,+last:articleid f,+add:total'
run 'ess udbd start'
python "$root/scripts/left_over.py" note "$place/running.json"

say "5. Clean and import thirty days: real times for dates, article numbers moved by one from 15 September on"
run "ess stream purchase 2014-09-01 2014-09-30 \"aq_pp -f,+1,eok - -d %cols \\
    -eval i:ptime 'DateToTime(purchaseDate,\\\"Y.m.d.H.M.S\\\")' \\
    -eval is:t 'ptime - DateToTime(\\\"2014-09-15\\\",\\\"Y.m.d\\\")' \\
    -if -filt 't>0' -eval articleID 'articleID+1' -endif -imp wood:allsales\""

say "6. Sort by time, sum by user, and ask for the ten best"
run 'ess exec "aq_udb -ord wood:allsales"'
run 'ess exec "aq_udb -exp wood:allsales -o,notitle - | aq_pp -f - -d s:userid X i:articleid f:total X -imp wood:usersales"'
run 'ess exec "aq_udb -exp wood:usersales -sort,dec total -top 10"'

say "7. Every row is accounted for: the line at the end of step 5, and both of its ends counted independently"
run 'zcat logs/purchase_*.gz | grep -c -v ^purchaseDate'
run 'ess exec "aq_udb -exp wood:allsales -o,notitle -" | wc -l'

say "8. Nothing stays behind"
if [ "$workers" -gt 0 ]; then
    run 'ess cluster terminate'
else
    run 'ess udbd stop'
fi
python "$root/scripts/left_over.py" check "$place/running.json"
trap - EXIT
