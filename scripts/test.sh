#!/usr/bin/env bash
# Sets up what is needed and runs every check: formatting, lints, docs, boundaries, scripts, template, unit and end-to-end tests.
set -euo pipefail
cd "$(dirname "$0")/.."

./scripts/setup.sh
./scripts/setup-aws.sh deploy cloud asl hyperframes

echo "== scripts"
.tools/shellcheck/shellcheck scripts/*.sh tests/aws/*.sh .ci/run

echo "== format, lints, docs"
cargo fmt --check
cargo clippy --locked --release --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --locked --release --no-deps --document-private-items --quiet

echo "== boundaries"
forbid() { # forbid CRATE PATTERN WHY: no dependency of CRATE has such a name
  if cargo tree --locked -p "$1" -e normal --prefix none | sed 1d | grep -E "$2"; then
    echo "crates/$1 must not know $3" >&2
    exit 1
  fi
}
forbid compose '^(aws|lambda|chromiumoxide|render|store|worker)' "Chrome, FFmpeg, AWS or what is built on it"
forbid render '^(aws|lambda|store|worker)' "AWS, Lambda or how files travel"
forbid store '^(chromiumoxide|lambda|render|worker)' "Chrome, Lambda or what is rendered"
python3 scripts/check-layers.py
python3 tests/test_layers.py

echo "== dependencies"
.tools/cargo-deny/cargo-deny --locked check licenses bans sources

echo "== page scripts"
node --test tests/page/*.test.mjs

echo "== what is deployed"
./scripts/lint-deploy.sh

echo "== Rust"
observed="${CARGO_TARGET_DIR:-target}/tmp/observed-codes"
rm -rf "$observed"
cargo test --locked --release
cargo test --locked --release --test e2e -- --ignored --exact codes::every_code_has_been_provoked

echo "== cost and capacity"
python3 tests/test_capacity.py

echo "== a bundle and its deployment"
bundle="$(mktemp -d)"
trap 'rm -rf "$bundle"' EXIT
./scripts/bundle.sh --bootstrap "${CARGO_TARGET_DIR:-target}/release/bootstrap" --level 9 --output "$bundle/framewright.zip"
./tests/aws/deploy.sh "$bundle/framewright.zip" Deployed Preflight HyperFrames
