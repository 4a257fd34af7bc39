#!/usr/bin/env bash
# Renders a composition on a deployed stack: scripts/submit.sh PROJECT [-o OUT.mp4] [--stack NAME] [options of framewright submit]
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"

if [ $# -lt 1 ] || [[ "$1" == -* ]]; then
  echo "usage: scripts/submit.sh PROJECT [-o OUT.mp4] [--stack NAME] [options of framewright submit]" >&2
  exit 2
fi
project="$1"
shift
stack=framewright
output=(-o out.mp4)
format=
rest=()
while [ $# -gt 0 ]; do
  case "$1" in
    --stack)
      [ $# -ge 2 ] || { echo "submit: --stack needs a name" >&2; exit 2; }
      stack="$2"
      shift
      ;;
    --stack=*) stack="${1#--stack=}" ;;
    --format)
      [ $# -ge 2 ] || { echo "submit: --format needs a name" >&2; exit 2; }
      format="$2"
      shift
      ;;
    --format=*) format="${1#--format=}" ;;
    -o* | --output | --output=* | --detach)
      output=()
      rest+=("$1")
      ;;
    *) rest+=("$1") ;;
  esac
  shift
done
if [ -n "$format" ]; then
  rest+=(--format "$format")
  if [ "$format" = png-sequence ]; then name=frames; else name="out.$format"; fi
  [ ${#output[@]} -eq 0 ] || output=(-o "$name")
fi
program="$("$root/scripts/program.sh")"
exec "$program" submit "$project" \
  --deployment "$root/.framewright/$stack.json" ${output[@]+"${output[@]}"} ${rest[@]+"${rest[@]}"}
