#!/usr/bin/env bash
# Deploys the stack to the AWS account that the environment or AWS_PROFILE names, or updates it:
#   scripts/deploy.sh [--stack NAME] [--parameter Key=Value ...] [--bundle ZIP] [--force] [--replace] [--hyperframes DIR]
#                     [-- arguments of sam deploy]
# NAME is framewright if not given. Parameters are those of sam/template.yaml; an update keeps those that are not named.
# scripts/bundle.sh runs first, unless --bundle names a ZIP that it has made, or the stack runs an image. --force updates while
# renders run, too. --replace writes over .framewright/NAME.json also if that is of a stack in another account or region.
# Before it deploys, the account is asked whether it can have the stack; afterwards the function draws a frame.
# --hyperframes also writes DIR/.hyperframes/lambda-stack-NAME.json, by which the hyperframes command finds the stack in DIR.
set -euo pipefail
from="$PWD"
cd "$(dirname "$0")/.."
export SAM_CLI_TELEMETRY=0
# The SAM CLI and boto3 read only the older of the two names.
[ -z "${AWS_REGION:-}" ] || export AWS_DEFAULT_REGION="$AWS_REGION"

fail() { echo "deploy: $*" >&2; exit "${status:-1}"; }
usage() { sed -n '2,9s/^# //p' "$0" >&2; exit 2; }

unset image # Set, even to nothing, if it is named.
stack=framewright bundle="" hyperframes="" force="" replace=() overrides=() parameters=()
while [ $# -gt 0 ]; do
  case "$1" in
    --stack) stack="${2:?deploy: --stack needs a name}"; shift 2 ;;
    --bundle) bundle="$(cd "$from" && realpath -m -- "${2:?deploy: --bundle needs a ZIP}")"; shift 2 ;;
    --hyperframes) hyperframes="$(cd "$from" && realpath -m -- "${2:?deploy: --hyperframes needs a directory}")"; shift 2 ;;
    --force) force=1; shift ;;
    --replace) replace=(--replace); shift ;;
    --parameter)
      [[ "${2:-}" =~ ^[A-Za-z]+= ]] || status=2 fail "--parameter needs Key=Value, not '${2:-}'"
      key="${2%%=*}" value="${2#*=}"
      grep -q "^  $key:\$" <(sed -n '/^Parameters:/,/^Mappings:/p' sam/template.yaml) || status=2 fail "sam/template.yaml has no parameter $key"
      [ "$key" != ImageUri ] || image="$value"
      parameters+=("$2")
      overrides+=("$key=\"${value//\"/\\\"}\"") # As the SAM CLI reads values with spaces.
      shift 2
      ;;
    --) shift; break ;;
    *) usage ;;
  esac
done
[[ "$stack" =~ ^[A-Za-z][A-Za-z0-9-]{0,39}$ ]] || status=2 fail "a stack's name is a letter and at most 39 letters, digits and hyphens, not '$stack'"
[ -z "$hyperframes" ] || [ -d "$hyperframes" ] || status=2 fail "--hyperframes: $hyperframes is no directory"
[ -z "$bundle" ] || [ -f "$bundle" ] || status=2 fail "--bundle: $bundle is not there"

./scripts/setup-aws.sh deploy
tools=.tools/aws/deploy/bin
ask() { "$tools/python" scripts/aws/stack.py "$@"; }
ask place ".framewright/$stack.json" ${replace[@]+"${replace[@]}"}
preflight() { "$tools/python" scripts/aws/preflight.py "$@"; }
preflight check sam/render.asl.json ${parameters[@]+"${parameters[@]}"}
[ -n "$force" ] || ask idle "$stack"
[ -n "${image+named}" ] || image="$(ask image "$stack")"

packed="$(mktemp -d)"
trap 'rm -rf "$packed"' EXIT
template="$packed/sam/template.yaml"
mkdir "$packed/sam" "$packed/dist"
cp sam/template.yaml sam/render.asl.json "$packed/sam/"
if [ -n "$image" ]; then
  [ -z "$bundle" ] || status=2 fail "the stack runs the image $image: --bundle needs --parameter ImageUri="
  preflight image "$image"
  # The SAM CLI uploads what CodeUri names also when no function uses it: a small placeholder is uploaded instead.
  "$tools/python" -m zipfile -c "$packed/dist/framewright.zip" sam/template.yaml
  echo "deploy: $stack with the image $image" >&2
else
  if [ -n "$bundle" ]; then
    "$tools/python" -m zipfile -l "$bundle" > /dev/null 2>&1 || fail "--bundle: $bundle is no ZIP"
    python3 scripts/bundle/check.py "$bundle" >&2 || fail "--bundle: $bundle does not run on Lambda"
  else
    echo "deploy: bundling what changed; the first time takes some ten minutes on two cores" >&2
    ./scripts/bundle.sh >&2
    bundle="$PWD/dist/framewright.zip"
  fi
  ln -s "$bundle" "$packed/dist/framewright.zip"
  echo "deploy: $stack with $bundle of $(date -r "$bundle" '+%F %T'), $(stat -Lc %s "$bundle") bytes" >&2
  # Renders may have begun since.
  [ -n "$force" ] || ask idle "$stack"
fi

given=()
[ ${#overrides[@]} = 0 ] || given=(--parameter-overrides "${overrides[@]}")
"$tools/python" -m samcli deploy --template-file "$template" --stack-name "$stack" --resolve-s3 --no-progressbar \
  --capabilities CAPABILITY_IAM --tags "framewright:stack=$stack" --no-confirm-changeset --no-fail-on-empty-changeset \
  --on-failure DELETE "${given[@]}" "$@" < /dev/null 2>&1 | tee "$packed/said" || {
  preflight explain "$packed/said"
  exit 1
}

ask outputs "$stack" ".framewright/$stack.json"
[ -z "$hyperframes" ] || echo "deploy: $(ask hyperframes "$stack" "$hyperframes")" >&2
preflight probe "$(ask output "$stack" FunctionName)" >&2
named=""
[ "$stack" = framewright ] || named=" --stack $stack"
cat >&2 <<NEXT
deploy: $stack is ready. Render a video with it:
  scripts/submit.sh fixtures/projects/title-card -o out.mp4$named
and take it down again with:
  scripts/destroy.sh$named
NEXT
