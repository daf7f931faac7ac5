#!/bin/sh
# The forms of alerts, judged by tools that nobody here wrote: the OASIS schema of CAP 1.2 by libxml2 (PyPI
# lxml), CAP read by PyPI capparser, the Atom feed by PyPI feedparser.
#
#     cargo test --test it forms && tests/peers/cap/run.sh
#
# What is judged is what the program served in that test. Packages go into a temporary directory (kept
# between runs if KENG_PEER_CACHE names one).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
forms=${KENG_FORMS:-${CARGO_TARGET_DIR:-$here/../../../target}/tmp/cap}
[ -e "$forms/feed.atom" ] || { echo "no alerts in $forms: cargo test --test it forms" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
home=${KENG_PEER_CACHE:-$work}/cap
mkdir -p "$home"
if [ ! -x "$home/venv/bin/python" ] || ! "$home/venv/bin/python" -c 'import lxml, capparser, feedparser' 2>/dev/null; then
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
fi
"$home/venv/bin/python" "$here/judge.py" "$forms" "$here/../../fixtures/cap/CAP-v1.2.xsd"
