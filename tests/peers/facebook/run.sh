#!/bin/sh
# Clients that nobody here wrote, against our simulated Facebook Page.
#
#     KENG_BIN=target/release/keng tests/peers/facebook/run.sh
#
# Meta's own facebook-business (PyPI) and messaging-api-messenger (npm) post, answer, change and delete, and
# read our errors; the verifier of @warriorteam/messenger-sdk (npm) holds the signatures of our webhooks and
# the known vectors. One line for each thing that was held against the simulator; exit code 0 only when all
# of them passed. Packages go into a temporary directory (kept between runs if KENG_PEER_CACHE names one);
# everything else stays on loopback.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
KENG_BIN=${KENG_BIN:-$here/../../../target/release/keng}
[ -x "$KENG_BIN" ] || { echo "no program at KENG_BIN=$KENG_BIN: cargo build --release" >&2; exit 2; }

work=$(mktemp -d)
town=
trap '[ -z "$town" ] || kill "$town" 2>/dev/null || :; rm -rf "$work"' EXIT
home=${KENG_PEER_CACHE:-$work}/facebook
mkdir -p "$home"
# A proxy of the environment must not stand between two programs of one machine.
export NO_PROXY='127.0.0.1,localhost' no_proxy='127.0.0.1,localhost'

if [ ! -x "$home/venv/bin/python" ] || ! "$home/venv/bin/python" -c 'import facebook_business' 2>/dev/null; then
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
fi
if [ ! -d "$home/node_modules/messaging-api-messenger" ] || [ ! -d "$home/node_modules/@warriorteam/messenger-sdk" ]; then
    cp "$here/package.json" "$home/"
    (cd "$home" && npm install --ignore-scripts --silent --no-audit --no-fund --no-package-lock)
fi

port=$("$home/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$KENG_BIN" town --platform facebook --listen "127.0.0.1:$port" &
town=$!
KENG_TOWN=http://127.0.0.1:$port
export KENG_TOWN

"$home/venv/bin/python" "$here/judge.py"
cp "$here/judge.mjs" "$home/"
node "$home/judge.mjs" "$here/vectors.json"
