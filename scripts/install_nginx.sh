#!/bin/sh
# Brings nginx, before which the gateway is tested. $1: the environment; the package is unpacked there and nothing of it
# is started, which installing it would do, on every address. A machine's own nginx serves as well.
set -eu
venv=$1
binary="$venv/nginx/usr/sbin/nginx"

works() { "$1" -v > /dev/null 2>&1; }

if command -v nginx > /dev/null || { [ -x "$binary" ] && works "$binary"; }; then
    exit 0
fi
command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || {
    echo "nginx is missing and is one of the tested proxies; install it." >&2
    exit 1
}
folder=$(cd "$venv" && pwd)/nginx
rm -rf "$folder"
mkdir -p "$folder"
# The lists of a new machine are empty; only root may fetch them.
(cd "$folder" && { apt-get download -qq nginx || { apt-get update -qq && apt-get download -qq nginx; }; }) || {
    echo "nginx is missing and could not be downloaded; install it (apt-get install nginx)." >&2
    exit 1
}
dpkg-deb -x "$folder"/nginx_*.deb "$folder"
works "$binary" || {
    echo "nginx was unpacked and does not run; install it (apt-get install nginx)." >&2
    "$binary" -v >&2
    exit 1
}
