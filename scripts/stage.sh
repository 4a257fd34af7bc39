#!/usr/bin/env bash
# Puts what the function needs on Lambda into a new directory: scripts/stage.sh DIR [plain|brotli|zstd]
# The last word says how Chrome travels: as it is, as its package compresses it, or as `bootstrap pack` does.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"

if [ $# -lt 1 ] || [ -e "$1" ]; then
  echo "usage: scripts/stage.sh NEW_DIRECTORY [plain|brotli|zstd]" >&2
  exit 2
fi
bootstrap="${BOOTSTRAP:-${CARGO_TARGET_DIR:-$root/target}/release/bootstrap}"
[ -x "$bootstrap" ] || { echo "stage: $bootstrap is missing: cargo build --release --locked" >&2; exit 1; }
[ -d "$root/.tools/chrome-pack" ] || { echo "stage: the tools are missing: scripts/setup.sh" >&2; exit 1; }

# What Lambda's own C library must know, since nothing else does.
newest="$(objdump -T "$bootstrap" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)"
if [ "$(printf '%s\n' GLIBC_2.34 "$newest" | sort -V | tail -1)" != GLIBC_2.34 ]; then
  echo "stage: bootstrap needs $newest, Lambda has GLIBC_2.34" >&2
  exit 1
fi

mkdir -p "$1/tools"
cp "$bootstrap" "$1/bootstrap"
for part in ffmpeg ffprobe runtime fonts; do
  cp -R "$root/.tools/$part" "$1/tools/$part"
done
case "${2:-brotli}" in
  plain) cp -R "$root/.tools/chrome" "$1/tools/chrome" ;;
  brotli) cp -R "$root/.tools/chrome-pack" "$1/tools/chrome" ;;
  zstd) "$bootstrap" pack "$root/.tools/chrome" "$1/tools/chrome" ;;
  *) echo "stage: plain, brotli or zstd, not $2" >&2; exit 2 ;;
esac
find "$1" -name .installed -delete
chmod -R a+rX "$1"
