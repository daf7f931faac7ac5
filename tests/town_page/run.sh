#!/bin/sh
# The town's page in a real browser, against the real bot.
#
#     KENG_BIN=target/release/keng tests/town_page/run.sh [--shots DIR]
#
# Starts `keng demo` with a clock that hardly moves, opens its page in headless Chromium at 1,280 and 360 pixels, and does what a newcomer would:
# see walk.mjs, one line for each thing seen; exit code 0 only when all of it was. Chromium comes from the system's
# packages (CHROMIUM names another one; as root it is installed if there is none), playwright-core and axe-core from
# npm into a temporary directory (kept between runs if KENG_PEER_CACHE names one). Everything stays on loopback.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
KENG_BIN=${KENG_BIN:-$here/../../target/release/keng}
[ -x "$KENG_BIN" ] || { echo "no program at KENG_BIN=$KENG_BIN: cargo build --release" >&2; exit 2; }

CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || :)}
if [ -z "$CHROMIUM" ]; then
    [ "$(id -u)" = 0 ] || { echo "no Chromium: install your system's package, or set CHROMIUM" >&2; exit 2; }
    apt-get -qq update
    apt-get -qq install --no-install-recommends -y chromium fonts-noto-color-emoji >/dev/null
    CHROMIUM=$(command -v chromium)
fi
export CHROMIUM

work=$(mktemp -d)
demo=
trap '[ -z "$demo" ] || { kill "$demo" 2>/dev/null || :; wait "$demo" 2>/dev/null || :; }; rm -rf "$work"' EXIT
home=${KENG_PEER_CACHE:-$work}/town-page
mkdir -p "$home"
# A proxy of the environment must not stand between two programs of one machine.
export NO_PROXY='127.0.0.1,localhost' no_proxy='127.0.0.1,localhost'

if [ ! -d "$home/node_modules/axe-core" ] || ! cmp -s "$here/package.json" "$home/package.json"; then
    cp "$here/package.json" "$home/"
    (cd "$home" && npm install --ignore-scripts --silent --no-audit --no-fund --no-package-lock)
fi
cp "$here/walk.mjs" "$home/"

"$KENG_BIN" demo --page 127.0.0.1:0 --speed 1 >"$work/demo.log" 2>&1 &
demo=$!
page=
tries=0
while [ -z "$page" ]; do
    kill -0 "$demo" 2>/dev/null || { cat "$work/demo.log" >&2; echo "the demo ended before its page was there" >&2; exit 1; }
    [ $((tries += 1)) -lt 600 ] || { cat "$work/demo.log" >&2; echo "no page after a minute" >&2; exit 1; }
    page=$(sed -n 's|.*\(http://127\.0\.0\.1:[0-9]*\)/town.*|\1|p' "$work/demo.log" | head -n 1)
    [ -n "$page" ] || sleep 0.1
done

status=0
node "$home/walk.mjs" "$page" "$@" || status=$?
[ "$status" = 0 ] || tail -n 40 "$work/demo.log" >&2
bot=$(ps -o pid= --ppid "$demo" | tr -d ' ')
kill "$demo"
wait "$demo" || :
demo=
tries=0
while [ "$status" = 0 ] && [ -n "$(ps -o pid= -p "${bot:?the demo has no bot}" || :)" ]; do
    [ $((tries += 1)) -lt 50 ] || { echo "the bot outlived its town" >&2; exit 1; }
    sleep 0.1
done
exit "$status"
