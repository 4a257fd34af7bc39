#!/usr/bin/env bash
# Renders a composition to a video, setting up what is needed first: scripts/render.sh PROJECT OUT.mp4 [options]
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"

if [ $# -lt 2 ]; then
  echo "usage: scripts/render.sh PROJECT OUT.mp4 [options of bootstrap render]" >&2
  exit 2
fi
project="$1"
out="$2"
shift 2
"$root/scripts/setup.sh"
cargo build --quiet --release --locked --manifest-path "$root/Cargo.toml" --package worker
exec "${CARGO_TARGET_DIR:-$root/target}/release/bootstrap" render "$project" --output "$out" --tools "$root/.tools" "$@"
