#!/bin/sh
# Brings the reference implementation of our log's formats (golang.org/x/mod, Debian's package) and a Go that
# compiles it: an independent verifier in the tests. Does nothing where both are there.
set -eu

source=/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog
if [ -d "$source" ] && { command -v go > /dev/null || [ -x /usr/lib/go/bin/go ]; }; then
    exit 0
fi
say() {
    echo "The independent verifier of the audit log (Debian: golang-go, golang-golang-x-mod-dev) is missing." >&2
    echo "Next step: apt-get install --no-install-recommends golang-go golang-golang-x-mod-dev" >&2
    exit 1
}
[ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || say
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends golang-go golang-golang-x-mod-dev > /dev/null || say
