#!/usr/bin/env bash
# Measures rendering at 1080p against what Chrome alone takes in the same run: scripts/bench.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh
cargo build --quiet --release --locked --package worker
exec python3 scripts/bench.py "${CARGO_TARGET_DIR:-target}/release/bootstrap" "${1:-3}"
