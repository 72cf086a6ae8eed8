#!/usr/bin/env bash
# Installs what a target of the Makefile needs and the machine does not have: setup.sh demo | test | bench.
# Debian and Ubuntu by apt; elsewhere it says what is missing.
set -euo pipefail

missing=()
need() { # command, package
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
have_postgres() {
  command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

need gcc gcc # SQLite is C
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
need espeak-ng espeak-ng # text-to-speech
case "${1:-demo}" in
  test | bench)
    need sipp sip-tester
    need baresip baresip-core
    need kamailio kamailio # a proxy in the path, and sipcapture
    need ip iproute2 # a network namespace, for a phone behind NAT
    need chromium chromium
    need node nodejs
    need npm npm
    have_postgres || missing+=(postgresql)
    [ -e /usr/include/opus/opus.h ] || missing+=(libopus-dev pkg-config) # for -tags opus only
    ;;
esac

[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
  echo "Please install: ${missing[*]} (this script knows only apt)" >&2
  exit 1
fi
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
echo "Installing ${missing[*]} ..."
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
