#!/bin/sh
# Brings SoftHSM, the PKCS#11 token that the tests sign with. $1: the environment.
# What the machine has is used; else Debian's packages are installed (root) or unpacked below the environment.
set -eu
venv=$1
folder="$venv/softhsm"
here="$(cd "$(dirname "$venv")" && pwd)/$(basename "$venv")/softhsm"

[ "${SOFTHSM2_MODULE:-}" ] && [ -f "$SOFTHSM2_MODULE" ] && command -v softhsm2-util > /dev/null && exit 0
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so "$here/usr/lib/softhsm/libsofthsm2.so"; do
    [ -f "$module" ] && exit 0
done

fail() {
    echo "SoftHSM is missing and is the token that keys are tested in; $1" >&2
    echo "Next step: install softhsm2 (apt-get install softhsm2), or point SOFTHSM2_MODULE to its libsofthsm2.so." >&2
    exit 1
}
command -v apt-get > /dev/null || fail "this machine has no apt-get to bring it."
if [ "$(id -u)" = 0 ]; then
    apt-get install -y -qq softhsm2 > /dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq softhsm2 > /dev/null; } \
        || fail "apt-get could not install it."
    exit 0
fi
rm -rf "$folder.part"
mkdir -p "$folder.part"
(cd "$folder.part" && apt-get download -qq softhsm2 softhsm2-common libsofthsm2 > /dev/null) || fail "apt-get could not download it."
for package in "$folder.part"/*.deb; do
    dpkg -x "$package" "$folder.part"
done
rm -rf "$folder" && mv "$folder.part" "$folder"
