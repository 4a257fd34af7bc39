#!/usr/bin/env bash
# Takes a stack down and proves that nothing of it is left but its bucket:
#   scripts/destroy.sh [--stack NAME] [--stop] [--bucket-too] [--yes]
# Refuses while renders run; --stop stops them. --bucket-too empties and deletes the bucket with every video in it, after
# asking; --yes does not ask.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup-aws.sh deploy
exec .tools/aws/deploy/bin/python scripts/aws/destroy.py "$@"
