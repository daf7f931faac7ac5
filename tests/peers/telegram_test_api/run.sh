#!/bin/sh
# `keng serve` against npm telegram-test-api, a Bot API server that nobody here wrote.
#
#     KENG_BIN=target/release/keng tests/peers/telegram_test_api/run.sh
#
# A user writes an untagged and a tagged message in a group; exit code 0 only when the tagged one got
# exactly one receipt and the untagged one nothing. Everything happens on loopback; the npm packages
# and the store go into a temporary directory (kept between runs if KENG_PEER_CACHE names one).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
KENG_BIN=${KENG_BIN:-$here/../../../target/release/keng}
[ -x "$KENG_BIN" ] || { echo "no program at KENG_BIN=$KENG_BIN: cargo build --release" >&2; exit 2; }
KENG_BIN=$(cd "$(dirname "$KENG_BIN")" && pwd)/$(basename "$KENG_BIN")
export KENG_BIN

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
home=${KENG_PEER_CACHE:-$work}/telegram-test-api
mkdir -p "$home"
cp "$here/package.json" "$here/talk.mjs" "$home/"
if [ ! -d "$home/node_modules/telegram-test-api" ]; then
    (cd "$home" && npm install --silent --no-audit --no-fund --no-package-lock)
fi

KENG_PEER_WORK=$work node "$home/talk.mjs"
