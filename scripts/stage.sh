#!/usr/bin/env bash
# Puts what the function needs on Lambda into a new directory: scripts/stage.sh DIR [packed|plain] [LEVEL]
# packed: Chrome and FFmpeg are compressed, as hard as LEVEL of zstd says (19), and inflated when the function starts.
# plain: they are as they are, which is too large for a ZIP and right for an image.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
form="${2:-packed}" level="${3:-19}"

if [ $# -lt 1 ] || [ -e "$1" ] || { [ "$form" != packed ] && [ "$form" != plain ]; }; then
  echo "usage: scripts/stage.sh NEW_DIRECTORY [packed|plain] [LEVEL]" >&2
  exit 2
fi
bootstrap="${BOOTSTRAP:-${CARGO_TARGET_DIR:-$root/target}/release/bootstrap}"
[ -x "$bootstrap" ] || { echo "stage: $bootstrap is missing: cargo build --release --locked" >&2; exit 1; }
[ -f "$root/.tools/chrome/.installed" ] || { echo "stage: the tools are missing: scripts/setup.sh" >&2; exit 1; }

mkdir -p "$1/tools"
cp "$bootstrap" "$1/bootstrap"
# -L: .tools may be a symbolic link, or contain some.
cp -RL "$root/.tools/runtime" "$root/.tools/fonts" "$1/tools/"
for tool in chrome ffmpeg ffprobe; do
  if [ "$form" = plain ]; then
    cp -RL "$root/.tools/$tool" "$1/tools/$tool"
    # What a pack says of its files, so that nobody has to read them all to tell these tools from others.
    (cd "$1/tools/$tool" && find . -type f ! -name '.*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sed 's/  / /') \
      > "$1/tools/$tool.digests"
    mv "$1/tools/$tool.digests" "$1/tools/$tool/.digests"
    continue
  fi
  # Packing takes minutes, so what was packed of the same files in the same way is kept.
  # Some tools have others in them, as Chrome has fonts.
  key="$(cat <(find -L "$root/.tools/$tool" -name .installed -print0 | sort -z | xargs -0 cat) "$root/Cargo.lock" "$root/crates/worker/src/tools/pack.rs" <(echo "$level") | sha256sum | cut -c1-16)"
  pack="$root/.tools/packs/$tool-$key"
  if [ ! -d "$pack" ]; then
    mkdir -p "$root/.tools/packs"
    part="$(mktemp -d "$root/.tools/packs/part-XXXXXX")"
    "$bootstrap" pack --level "$level" "$root/.tools/$tool" "$part"
    # Another process may have been faster; its result is the same.
    mv -T "$part" "$pack" 2>/dev/null || rm -rf "$part"
  fi
  cp -R "$pack" "$1/tools/$tool"
done
find "$1" -name .installed -delete
chmod -R a+rX "$1"
