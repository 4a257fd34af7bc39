#!/usr/bin/env bash
# Makes what the deployment scripts run with, in .tools/aws/: scripts/setup-aws.sh [build] [deploy] [cloud] [asl] [hyperframes]
# build: a linker for another C library than this machine's. deploy: the SAM CLI, cfn-lint and boto3. cloud: stand-ins for AWS
# on this machine, for tests. asl: the checker of state machines. hyperframes: the published HyperFrames SDK and command line,
# which tests drive a stack with. Quick when there is nothing to do.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"

fail() { echo "setup-aws: $*" >&2; exit 1; }

# Installed scripts name their interpreter by its path, so the path is the real one, and moving it means installing again.
mkdir -p "$root/.tools/aws"
tools="$(cd "$root/.tools/aws" && pwd -P)"
exec 9>"$tools/.lock"
flock 9 # Two scripts may start at the same time.

is_there() { # is_there DIR MARKER
  [ -f "$1/.installed" ] && [ "$(cat "$1/.installed")" = "$2" ]
}

environment() { # environment NAME MODULE: a Python environment of scripts/aws/NAME.txt, which has MODULE
  local dir="$tools/$1" list="$root/scripts/aws/$1.txt" marker
  marker="$dir $(sha256sum < "$list")"
  # A Python that was upgraded or removed leaves packages behind that it does not find.
  if is_there "$dir" "$marker" && "$dir/bin/python" -c "import $2" 2>/dev/null; then return 0; fi
  command -v python3 >/dev/null || fail "python3 is missing: apt-get install python3 python3-venv"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "python3 is $(python3 -V 2>&1), 3.10 or newer is needed"
  echo "setup-aws: installing $(grep -c '==' "$list") packages for $1" >&2
  rm -rf "$dir"
  # Debian's Python has no pip to put into an environment, but its own can install into one.
  python3 -m venv --without-pip "$dir" || fail "Python's venv module is missing: apt-get install python3-venv"
  python3 -m pip --python "$dir/bin/python" install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps -r "$list" ||
    fail "the packages of scripts/aws/$1.txt could not be installed"
  echo "$marker" > "$dir/.installed"
}

packages() { # packages NAME FROM WHAT: the npm packages of the lock file in FROM; none of their scripts runs
  local dir="$tools/$1" from="$root/$2" marker
  marker="$(cat "$from"/package*.json | sha256sum)"
  ! is_there "$dir" "$marker" || return 0
  command -v npm >/dev/null || fail "npm is missing: install Node.js 20 or newer"
  echo "setup-aws: installing $3" >&2
  rm -rf "$dir"
  mkdir "$dir"
  cp "$from"/package*.json "$dir"
  (cd "$dir" && npm ci --silent --no-audit --no-fund --ignore-scripts) || fail "$3 could not be installed"
  # Programs of upstream's worker for every system, which no client runs: 400 MB.
  rm -rf "$dir/node_modules/ffprobe-static/bin" "$dir/node_modules/@sparticuz/chromium/bin"
  echo "$marker" > "$dir/.installed"
}

[ $# -gt 0 ] || set -- build deploy cloud asl hyperframes
for part in "$@"; do
  case "$part" in
    build) environment build ziglang ;;
    deploy | cloud) environment "$part" botocore ;;
    asl) packages asl scripts/aws/asl asl-validator ;;
    hyperframes) packages hyperframes tests/hyperframes "the HyperFrames SDK and command line" ;;
    *) fail "build, deploy, cloud, asl or hyperframes, not $part" ;;
  esac
done
