#!/bin/sh
# Every test, on SQLite and on a PostgreSQL that is started here. $1: the environment; the rest goes to pytest.
# Two parts go on side by side, because what starts servers or Airflow mostly waits: most tests share the cores two at a
# time, and the others run one after the other as soon as the tools they need are there.
set -eu
venv=$1
shift
. scripts/loopback.sh

command -v curl > /dev/null || { echo "curl is missing and is one of the tested clients; install it (apt-get install curl)." >&2; exit 1; }
command -v openssl > /dev/null || { echo "openssl is missing and checks our certificates; install it (apt-get install openssl)." >&2; exit 1; }

scratch=$(mktemp -d)
shared=
stop() {
    [ -z "$shared" ] || kill "$shared" 2> /dev/null || true
    rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 130' INT TERM

# Two sessions of pytest in one temporary folder would clear away each other's.
"$venv/bin/python" -m tests.postgres "$venv/bin/python" -m pytest --basetemp "$scratch/shared" -n 2 --dist loadgroup \
    -m "not serial and not tools and not long" "$@" > "$scratch/shared.log" 2>&1 &
shared=$!

sh scripts/install_soap_client.sh "$venv"
sh scripts/install_nginx.sh "$venv"
sh scripts/install_go_verifier.sh
sh scripts/install_softhsm.sh "$venv"

alone=0 beside=0
"$venv/bin/python" -m tests.postgres "$venv/bin/python" -m pytest --basetemp "$scratch/alone" \
    -m "(serial or tools) and not long" "$@" || alone=$?
echo "The tests that share the cores:"
wait "$shared" || beside=$?
shared=
cat "$scratch/shared.log"
# 5: of the tests that were asked for none is in this part.
[ "$alone" = 5 ] && [ "$beside" != 5 ] && alone=0
[ "$beside" = 5 ] && [ "$alone" = 0 ] && beside=0
exit $((alone > beside ? alone : beside))
