#!/usr/bin/env bash
# Makes the bundle twice, from two clones in folders of different names, each with nothing built or packed, and compares them:
#   tests/aws/reproducible.sh [ZIP]: where to leave it
# Takes two full builds. What packages and crates fetched is shared.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"$root/scripts/setup.sh"
"$root/scripts/setup-aws.sh" build
commit="$(git -C "$root" rev-parse HEAD)"
for name in one "another folder"; do
  git clone --quiet "$root" "$work/$name"
  git -C "$work/$name" checkout --quiet "$commit"
  mkdir "$work/$name/.tools"
  for tool in "$root"/.tools/*; do
    [ "${tool##*/}" = packs ] || ln -s "$tool" "$work/$name/.tools/"
  done
  (cd "$work/$name" && env -u CARGO_TARGET_DIR ./scripts/bundle.sh | tail -1)
  mv "$work/$name/dist/framewright.zip" "$work/$name.zip"
  rm -rf "${work:?}/$name"
done
cmp "$work/one.zip" "$work/another folder.zip"
echo "both bundles are the same"
[ $# = 0 ] || cp "$work/one.zip" "$1"
