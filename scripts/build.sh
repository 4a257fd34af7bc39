#!/usr/bin/env bash
# Builds bootstrap for Lambda: optimized as a whole, for glibc 2.34, whatever this machine has, and without paths of this machine in it.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup-aws.sh build
export PATH="$PWD/.tools/aws/build/bin:$PATH"
remap=(
  "--remap-path-prefix=$PWD=/framewright"
  "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  "--remap-path-prefix=$(rustc --print sysroot)=/rust"
)
# Separated by a character that no path contains.
flags="$(printf '%s\x1f' "${remap[@]}")"
CARGO_ENCODED_RUSTFLAGS="${flags%$'\x1f'}" \
  cargo-zigbuild zigbuild --quiet --locked --profile bundle --package worker --target x86_64-unknown-linux-gnu.2.34

built="${CARGO_TARGET_DIR:-target}/x86_64-unknown-linux-gnu/bundle/bootstrap"
newest="$(objdump -T "$built" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)"
if [ "$(printf '%s\n' GLIBC_2.34 "$newest" | sort -V | tail -1)" != GLIBC_2.34 ]; then
  echo "build: bootstrap needs $newest, Lambda has GLIBC_2.34" >&2
  exit 1
fi
