#!/bin/sh
# Clients that nobody here wrote, against our simulated Zalo Bot Platform.
#
#     KENG_BIN=target/release/keng tests/peers/zalo_bot/run.sh
#
# PyPI python-zalo-bot (forms) and zalo-bot-mcp (JSON) do every call they have, in both ways in which an
# idle poll may end; npm @openclaw/zalo does the same where Node is new enough for it. One line for each
# thing that was held against the simulator; exit code 0 only when all of them passed. Packages go into a
# temporary directory (kept between runs if KENG_PEER_CACHE names one); everything else stays on loopback.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
KENG_BIN=${KENG_BIN:-$here/../../../target/release/keng}
[ -x "$KENG_BIN" ] || { echo "no program at KENG_BIN=$KENG_BIN: cargo build --release" >&2; exit 2; }

work=$(mktemp -d)
town=
trap '[ -z "$town" ] || kill "$town" 2>/dev/null || :; rm -rf "$work"' EXIT
home=${KENG_PEER_CACHE:-$work}/zalo-bot
mkdir -p "$home"
# A proxy of the environment must not stand between two programs of one machine.
export NO_PROXY='127.0.0.1,localhost' no_proxy='127.0.0.1,localhost'

if [ ! -x "$home/venv/bin/python" ] || ! "$home/venv/bin/python" -c 'import zalo_bot, zalo_bot_mcp' 2>/dev/null; then
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
fi

port=$("$home/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$KENG_BIN" town --platform zalo_bot --listen "127.0.0.1:$port" &
town=$!
KENG_TOWN=http://127.0.0.1:$port
export KENG_TOWN

"$home/venv/bin/python" "$here/judge.py"

# @openclaw/zalo runs on Node 24.16 and later only, and needs the whole of openclaw beside it.
node=${KENG_NODE:-node}
version=$("$node" --version 2>/dev/null || echo none)
if "$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 24 || (a === 24 && b >= 16) ? 0 : 1)' 2>/dev/null; then
    if [ ! -d "$home/node_modules/@openclaw/zalo" ]; then
        cp "$here/package.json" "$home/"
        (cd "$home" && npm install --ignore-scripts --silent --no-audit --no-fund --no-package-lock)
    fi
    cp "$here/openclaw.mjs" "$home/"
    ZALO_API_URL=$KENG_TOWN "$node" "$home/openclaw.mjs"
else
    echo "NOT ASKED  @openclaw/zalo 2026.9.5: needs Node 24.16 or later, here is $version (KENG_NODE names another one)"
fi
