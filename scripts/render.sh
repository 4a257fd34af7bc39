#!/usr/bin/env bash
# Renders a composition to a video, setting up what is needed first: scripts/render.sh PROJECT OUT.mp4 [options of framewright render]
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"

if [ $# -lt 2 ]; then
  echo "usage: scripts/render.sh PROJECT OUT.mp4 [options of framewright render]" >&2
  exit 2
fi
project="$1"
out="$2"
shift 2
program="$("$root/scripts/program.sh")"
exec "$program" render "$project" --output "$out" --tools "$root/.tools" "$@"
