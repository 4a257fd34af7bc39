#!/usr/bin/env bash
# Fetches and checks the pinned tools of tools.lock.json into .tools/: scripts/setup.sh [--render]
# --render: only what rendering and the examples need, without the tools and media of tests. Quick when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."

need() { # need COMMAND WHAT-TO-INSTALL
  command -v "$1" >/dev/null 2>&1 || { echo "setup: missing prerequisite: $1 ($2)" >&2; exit 1; }
}
part="${1:-all}"
case "$part" in
  all | --render) ;;
  *) sed -n '2,3s/^# //p' "$0" >&2; [ "$part" = --help ] && exit 0; exit 2 ;;
esac
need node "install Node.js 20 or newer"
need npm "install npm, it comes with Node.js"
need python3 "apt-get install python3"
need tar "apt-get install tar"
python3 -m pip --version >/dev/null 2>&1 || { echo "setup: missing prerequisite: pip (apt-get install python3-pip)" >&2; exit 1; }
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "setup: the pinned tools are for Linux x86_64, this is $(uname -sm)" >&2; exit 1; }

if [ "$part" = --render ]; then
  exec node scripts/setup.mjs --render
fi
need cargo "install Rust through rustup"
need cc "install a C compiler: apt-get install build-essential"
node scripts/setup.mjs
node scripts/media.mjs
