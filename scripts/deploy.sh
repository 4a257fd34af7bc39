#!/usr/bin/env bash
# Deploys the stack to the AWS account that the environment or AWS_PROFILE names, or updates it:
#   scripts/deploy.sh [--stack NAME] [--parameter Key=Value ...] [-- more arguments of sam deploy]
# NAME is framewright if not given. Parameters are those of sam/template.yaml; an update keeps those that are not named.
set -euo pipefail
cd "$(dirname "$0")/.."
export SAM_CLI_TELEMETRY=0
# The SAM CLI and boto3 read only the older of the two names.
[ -z "${AWS_REGION:-}" ] || export AWS_DEFAULT_REGION="$AWS_REGION"

fail() { echo "deploy: $*" >&2; exit "${status:-1}"; }
usage() { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }

stack=framewright image="" overrides=()
while [ $# -gt 0 ]; do
  case "$1" in
    --stack) stack="${2:?deploy: --stack needs a name}"; shift 2 ;;
    --parameter)
      [[ "${2:-}" =~ ^[A-Za-z]+= ]] || status=2 fail "--parameter needs Key=Value, not '${2:-}'"
      key="${2%%=*}" value="${2#*=}"
      grep -q "^  $key:\$" <(sed -n '/^Parameters:/,/^Mappings:/p' sam/template.yaml) || status=2 fail "sam/template.yaml has no parameter $key"
      [ "$key" != ImageUri ] || image="$value"
      overrides+=("$key=\"${value//\"/\\\"}\"") # As the SAM CLI reads values with spaces.
      shift 2
      ;;
    --) shift; break ;;
    *) usage ;;
  esac
done
[[ "$stack" =~ ^[A-Za-z][A-Za-z0-9-]{0,39}$ ]] || status=2 fail "a stack's name is a letter and at most 39 letters, digits and hyphens, not '$stack'"

./scripts/setup-aws.sh deploy
tools=.tools/aws/deploy/bin
"$tools/python" scripts/aws/stack.py whoami

template=sam/template.yaml
if [ -n "$image" ]; then
  # The SAM CLI uploads what CodeUri names also when no function uses it: a few bytes stand in for it.
  packed="$(mktemp -d)"
  trap 'rm -rf "$packed"' EXIT
  mkdir "$packed/sam" "$packed/dist"
  cp sam/template.yaml sam/render.asl.json "$packed/sam/"
  "$tools/python" -m zipfile -c "$packed/dist/framewright.zip" sam/template.yaml
  template="$packed/sam/template.yaml"
  echo "deploy: $stack with the image $image" >&2
else
  [ -f dist/framewright.zip ] || ./scripts/bundle.sh
  echo "deploy: $stack with dist/framewright.zip of $(date -r dist/framewright.zip '+%F %T'), $(stat -c %s dist/framewright.zip) bytes" >&2
fi

given=()
[ ${#overrides[@]} = 0 ] || given=(--parameter-overrides "${overrides[@]}")
"$tools/python" -m samcli deploy --template-file "$template" --stack-name "$stack" --resolve-s3 --no-progressbar \
  --capabilities CAPABILITY_IAM --tags "framewright:stack=$stack" --no-confirm-changeset --no-fail-on-empty-changeset \
  --on-failure DELETE "${given[@]}" "$@" < /dev/null

"$tools/python" scripts/aws/stack.py outputs "$stack" ".framewright/$stack.json"
named=""
[ "$stack" = framewright ] || named=" --stack $stack"
cat >&2 <<NEXT
deploy: $stack is ready. Render a video with it:
  scripts/submit.sh fixtures/projects/title-card -o out.mp4$named
and take it down again with:
  scripts/destroy.sh$named
NEXT
