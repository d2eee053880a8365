#!/bin/sh
# Every test, on SQLite and on a PostgreSQL that is started here. $1: the environment; the rest goes to pytest.
set -eu
venv=$1
shift
. scripts/loopback.sh

command -v curl > /dev/null || { echo "curl is missing and is one of the tested clients; install it (apt-get install curl)." >&2; exit 1; }
command -v openssl > /dev/null || { echo "openssl is missing and checks our certificates; install it (apt-get install openssl)." >&2; exit 1; }
sh scripts/install_soap_client.sh "$venv"
sh scripts/install_nginx.sh "$venv"
sh scripts/install_go_verifier.sh
sh scripts/install_softhsm.sh "$venv"

# Tests that start servers or Airflow run alone; the others share the cores.
"$venv/bin/python" -m tests.postgres "$venv/bin/python" -m pytest -n 2 --dist loadgroup -m "not serial and not long" "$@"
"$venv/bin/python" -m tests.postgres "$venv/bin/python" -m pytest -m "serial and not long" "$@"
