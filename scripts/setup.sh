#!/usr/bin/env bash
# Fetches and checks the pinned tools of tools.lock.json into .tools/. Quick when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."

need() { # need COMMAND WHAT-TO-INSTALL
  command -v "$1" >/dev/null 2>&1 || { echo "setup: missing prerequisite: $1 ($2)" >&2; exit 1; }
}
need cargo "install Rust through rustup"
need cc "install a C compiler: apt-get install build-essential"
need node "install Node.js 20 or newer"
need npm "install npm, it comes with Node.js"
need python3 "apt-get install python3"
need tar "apt-get install tar"
python3 -m pip --version >/dev/null 2>&1 || { echo "setup: missing prerequisite: pip (apt-get install python3-pip)" >&2; exit 1; }
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "setup: the pinned tools are for Linux x86_64, this is $(uname -sm)" >&2; exit 1; }

node scripts/setup.mjs "$@"
node scripts/media.mjs
