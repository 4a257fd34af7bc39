#!/usr/bin/env bash
# Makes an archive that renders where it is unpacked, without Rust, Node.js or Python:
#   scripts/release.sh [--output FILE.tar.gz] [--program FILE]
# With --program that file is taken instead of one that is built for glibc 2.34 and newer.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
cd "$root"

version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)"
name="framewright-$version-linux-x86_64"
output="dist/$name.tar.gz" program=""
while [ $# -gt 0 ]; do
  case "$1" in
    --output) output="${2:?--output needs a file}"; shift 2 ;;
    --program) program="${2:?--program needs a file}"; shift 2 ;;
    *) sed -n '2,4s/^# //p' "$0" >&2; [ "$1" = --help ] && exit 0; exit 2 ;;
  esac
done

./scripts/setup.sh --render
if [ -z "$program" ]; then
  ./scripts/build.sh
  program="${CARGO_TARGET_DIR:-target}/x86_64-unknown-linux-gnu/bundle/bootstrap"
fi

mkdir -p "$(dirname "$output")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
staged="$work/$name"
BOOTSTRAP="$program" ./scripts/stage.sh "$staged" plain
python3 scripts/bundle/notice.py . "$staged"
mv "$staged/bootstrap" "$staged/framewright"
"$staged/framewright" man "$staged/man"
mkdir "$staged/completions"
for shell in bash zsh fish; do
  "$staged/framewright" completions "$shell" > "$staged/completions/framewright.$shell"
done
cp README.md CHANGELOG.md "$staged/"
cp -R docs "$staged/docs"
# The archive is only made of what renders.
"$staged/framewright" doctor
"$staged/framewright" new "$work/first" --quiet
"$staged/framewright" still "$work/first" --at 2s --output "$work/first.png" --quiet
chmod -R a+rX "$staged"
part="$(mktemp "$output.XXXXXX")"
trap 'rm -rf "$work" "$part"' EXIT
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - "$name" | gzip -n -6 > "$part"
chmod 644 "$part"
mv "$part" "$output"
echo "$(sha256sum "$output" | cut -d' ' -f1)  $output"
