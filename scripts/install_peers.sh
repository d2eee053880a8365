#!/bin/sh
# Installs what `xinqiao bench` is compared with, each in an environment of its own. $1: our environment, $2: the folder.
# Each comes from its own hash lock (scripts/peers/), so that a comparison is with versions that can be named.
set -eu
venv=$1
folder=$2

for peer in dlt singer sqlite-utils; do
    lock="scripts/peers/$peer.lock"
    [ -f "$folder/$peer/.lock" ] && cmp -s "$lock" "$folder/$peer/.lock" && continue
    rm -rf "${folder:?}/$peer"
    "$venv/bin/python" -m venv --without-pip "$folder/$peer"
    sync() {
        VIRTUAL_ENV="$folder/$peer" "$venv/bin/uv" pip sync --quiet --require-hashes --compile-bytecode "$@" "$lock"
    }
    # Government networks often have a certificate authority of their own: then the machine's list is asked.
    sync 2> "$folder/$peer.log" || sync --system-certs || { cat "$folder/$peer.log" >&2; exit 1; }
    rm -f "$folder/$peer.log"
    # The lock is copied in last, so that an installation that was cut off is done again.
    cp "$lock" "$folder/$peer/.lock"
done
echo "peers ready: $folder"
