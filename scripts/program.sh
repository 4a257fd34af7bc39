#!/usr/bin/env bash
# Fetches what rendering needs, builds the program, and prints its path: scripts/program.sh
# Cargo calls it bootstrap, as Lambda does; the name for people is a link beside it.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
target="${CARGO_TARGET_DIR:-$root/target}"

need() { # need COMMAND WHAT-TO-INSTALL
  command -v "$1" >/dev/null 2>&1 || { echo "framewright: missing prerequisite: $1 ($2)" >&2; exit 1; }
}
need cargo "install Rust through rustup"
need cc "install a C compiler: apt-get install build-essential"
if [ ! -x "$target/release/bootstrap" ]; then
  echo "framewright: the first run fetches 150 MB of tools (400 MB on disk) and builds the program, which takes five to" >&2
  echo "framewright: fifteen minutes and 1.2 GB in ${target#"$root/"}/; later runs start at once" >&2
fi
"$root/scripts/setup.sh" --render >&2
cargo build --release --locked --manifest-path "$root/Cargo.toml" --package worker >&2
ln -sfn bootstrap "$target/release/framewright"
echo "$target/release/framewright"
