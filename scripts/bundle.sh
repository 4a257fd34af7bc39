#!/usr/bin/env bash
# Makes the ZIP that Lambda runs, dist/framewright.zip, and checks it: scripts/bundle.sh [--output ZIP] [--bootstrap FILE] [--level N]
# The same sources make the same bytes. With --bootstrap that program is bundled instead of one that is built for Lambda, and
# may need a newer C library than Lambda has; --level says how hard zstd tries (19).
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
cd "$root"

output=dist/framewright.zip bootstrap="" level=19 native=()
while [ $# -gt 0 ]; do
  case "$1" in
    --output) output="${2:?--output needs a file}"; shift 2 ;;
    --bootstrap) bootstrap="${2:?--bootstrap needs a file}" native=(--native); shift 2 ;;
    --level) level="${2:?--level needs a number}"; shift 2 ;;
    *) sed -n '2,4s/^# //p' "$0" >&2; [ "$1" = --help ] && exit 0; exit 2 ;;
  esac
done

./scripts/setup.sh
if [ -z "$bootstrap" ]; then
  ./scripts/build.sh
  bootstrap="${CARGO_TARGET_DIR:-target}/x86_64-unknown-linux-gnu/bundle/bootstrap"
fi

mkdir -p "$(dirname "$output")"
work="$(mktemp -d)"
# Written beside the output and renamed when it is complete and checked.
zip="$(mktemp "$output.XXXXXX")"
trap 'rm -rf "$work" "$zip"' EXIT
BOOTSTRAP="$bootstrap" ./scripts/stage.sh "$work/staged" packed "$level"
python3 scripts/bundle/notice.py "$root" "$work/staged"
python3 scripts/bundle/archive.py "$work/staged" "$zip"

echo "== the bundle"
# Every tool is run once, as it is in the bundle.
mkdir "$work/scratch"
"$work/staged/bootstrap" probe --tools "$work/staged/tools" --scratch "$work/scratch"
python3 scripts/bundle/check.py ${native[@]+"${native[@]}"} "$zip" "$work"/scratch/*-pack-*
chmod 644 "$zip"
mv "$zip" "$output"
echo "$(sha256sum "$output" | cut -d' ' -f1)  $output"
