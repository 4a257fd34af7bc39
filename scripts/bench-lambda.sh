#!/usr/bin/env bash
# Measures the function under the emulator: cold and warm starts by the way Chrome is packed, and transfers with S3.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh
exec cargo test --quiet --release --locked --package worker --test e2e -- --ignored --nocapture --test-threads 1 measure_
