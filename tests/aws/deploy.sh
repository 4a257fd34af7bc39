#!/usr/bin/env bash
# Deploys to a cloud on this machine, renders, and takes down again: tests/aws/deploy.sh [BUNDLE.zip [CLASS]]
# With a bundle, the real function renders a composition; without one, a function that only answers stands in for it. CLASS is one
# of the classes of tests: Deployed, the properties of a stack; Preflight, what is asked before and after; HyperFrames, what HyperFrames' own command line does with one;
# Lifecycle, creating, updating and deleting stacks.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
"$root/scripts/setup-aws.sh" deploy cloud hyperframes
if [ $# -gt 0 ]; then
  FRAMEWRIGHT_BUNDLE="$(realpath "$1")"
  shift
fi
export FRAMEWRIGHT_BUNDLE="${FRAMEWRIGHT_BUNDLE:-}" PYTHONDONTWRITEBYTECODE=1
exec "$root/.tools/aws/cloud/bin/python" "$root/tests/aws/test_deployment.py" "$@"
