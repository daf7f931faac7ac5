#!/bin/sh
# A client that nobody here wrote, against our simulated Zalo Official Account.
#
#     KENG_BIN=target/release/keng tests/peers/zalo_oa/run.sh
#
# PyPI zalo-sdk drives consent, the rotation of tokens, the envelope and its errors, messages, uploads; no
# SDK that can be installed knows groups, so their calls go through its transport and its judgement of
# answers. One line for each thing that was held against the simulator; exit code 0 only when all of them
# passed. Packages go into a temporary directory (kept between runs if KENG_PEER_CACHE names one);
# everything else stays on loopback.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
KENG_BIN=${KENG_BIN:-$here/../../../target/release/keng}
[ -x "$KENG_BIN" ] || { echo "no program at KENG_BIN=$KENG_BIN: cargo build --release" >&2; exit 2; }

work=$(mktemp -d)
town=
trap '[ -z "$town" ] || kill "$town" 2>/dev/null || :; rm -rf "$work"' EXIT
home=${KENG_PEER_CACHE:-$work}/zalo-oa
mkdir -p "$home"
# A proxy of the environment must not stand between two programs of one machine.
export NO_PROXY='127.0.0.1,localhost' no_proxy='127.0.0.1,localhost'

if [ ! -x "$home/venv/bin/python" ] || ! "$home/venv/bin/python" -c 'import zalo_sdk, requests' 2>/dev/null; then
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
fi

port=$("$home/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$KENG_BIN" town --platform zalo_oa --listen "127.0.0.1:$port" &
town=$!
KENG_TOWN=http://127.0.0.1:$port
export KENG_TOWN

"$home/venv/bin/python" "$here/judge.py"
