#!/usr/bin/env bash
# Builds bootstrap for Lambda: optimized as a whole, for glibc 2.34, whatever this machine has, and without paths of this machine in it.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup-aws.sh build
export PATH="$PWD/.tools/aws/build/bin:$PATH"
remap="--remap-path-prefix=$PWD=/framewright --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$(rustc --print sysroot)=/rust"
RUSTFLAGS="$remap" cargo-zigbuild zigbuild --quiet --locked --profile bundle --package worker --target x86_64-unknown-linux-gnu.2.34
