#!/usr/bin/env bash
# Checks the template and the state machine that it deploys; needs neither an account nor, once set up, a network.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup-aws.sh deploy asl
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 PYTHONDONTWRITEBYTECODE=1
python=.tools/aws/deploy/bin/python
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT

echo "== template as it is written"
"$python" -m samcli validate --lint --template-file sam/template.yaml
# Nothing is built, but a template that `sam build` cannot read should not be deployed either.
"$python" -m samcli build --template-file sam/template.yaml --build-dir "$out/built" > "$out/build.log" 2>&1 ||
  { cat "$out/build.log" >&2; exit 1; }

echo "== template as it is deployed"
"$python" scripts/aws/expand.py sam/template.yaml "$out"
.tools/aws/deploy/bin/cfn-lint "$out/template.json"

echo "== state machine"
checker="$(cd .tools/aws/asl && pwd -P)/node_modules/.bin/asl-validator"
(cd "$out" && "$checker" --json-path ./definition.json)

echo "== our own promises"
"$python" tests/aws/test_template.py
