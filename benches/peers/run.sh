#!/usr/bin/env bash
# Kẻng and the bots of other libraries, in turn, in one run, against the same make-believe Telegram:
# the ratios of the design. Installs grammY and aiogram into a scratch directory.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp grammy.mjs aiogram_bot.py "$scratch"
(cd "$scratch" && npm install --silent --no-audit --no-fund grammy@1.46.0)
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet aiogram==3.31.0 uvloop
export KENG_PEERS="grammY:node $scratch/grammy.mjs;aiogram:$scratch/venv/bin/python $scratch/aiogram_bot.py"
cd ../..
cargo bench --bench town -- peers
