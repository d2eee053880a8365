#!/bin/sh
# The tests marked long, one after the other. $1: the environment; the rest goes to pytest.
set -eu
venv=$1
shift
. scripts/loopback.sh

"$venv/bin/python" -m tests.postgres "$venv/bin/python" -m pytest -m long "$@"
