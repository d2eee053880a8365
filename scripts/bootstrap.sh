#!/bin/sh
# Makes the virtual environment named in $1 from requirements.lock.
# uv itself comes from the same lock, by hash, so nothing unpinned ever runs.
set -eu
venv=$1
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] < (3, 14)))' || {
    echo "Xinqiao needs Python 3.11, 3.12 or 3.13; '$python' is $("$python" --version 2>&1)." >&2
    echo "Next step: make PYTHON=/path/to/python3.11 <target>" >&2
    exit 1
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"

if ! [ -x "$venv/bin/uv" ]; then
    # One requirement of the lock with its continuation lines.
    sed -n '/^uv==/,/[^\\]$/p' requirements.lock > "$venv/uv.txt"
    "$venv/bin/python" -m pip install --quiet --no-deps --require-hashes -r "$venv/uv.txt"
fi
sync() {
    VIRTUAL_ENV="$venv" "$venv/bin/uv" pip sync --quiet --require-hashes --compile-bytecode "$@" requirements.lock
}
# Government networks often have a certificate authority of their own: then the machine's list is asked.
sync 2> "$venv/uv.log" || sync --system-certs || { cat "$venv/uv.log" >&2; exit 1; }
VIRTUAL_ENV="$venv" "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
echo "environment ready: $venv"
