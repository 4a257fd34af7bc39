#!/usr/bin/env bash
# Runs every sample event in a container as the SAM CLI does, and then the image of Dockerfile.lambda: tests/aws/containers.sh
# Needs a Docker engine (DOCKER_HOST says which). S3 is a stand-in that listens where only containers are. Where Amazon's base image cannot be fetched, it makes do with a Debian that debootstrap makes.
# BUILDER names another image to build in; IMAGE one that is built already.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
cd "$root"
./scripts/setup.sh
./scripts/setup-aws.sh deploy cloud
[ -f dist/framewright.zip ] || ./scripts/bundle.sh
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test DOCKER_BUILDKIT=0
amazon=public.ecr.aws/lambda/provided
# The address of this machine for containers.
bridge="$(docker network inspect bridge --format '{{index .Options "com.docker.network.bridge.name"}}')"
gateway="$(ip -4 -oneline address show "$bridge" | sed -E 's#.* inet ([0-9.]+)/.*#\1#')"
s3="http://$gateway:5587"
work="$(mktemp -d)"
ending=()
finish() {
  [ ${#ending[@]} = 0 ] || kill "${ending[@]}" 2>/dev/null || true
  docker rm -f framewright-test > /dev/null 2>&1 || true
  docker rmi -f "$amazon:al2023-rapid-x86_64" > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

echo "== base image"
base="$amazon:al2023"
if ! docker pull --quiet "$base" 2>/dev/null; then
  echo "Amazon's image cannot be fetched: a Debian stands in" >&2
  base=framewright-base:stand-in
  if ! docker image inspect "$base" > /dev/null 2>&1; then
    debootstrap --variant=minbase bookworm "$work/root" > /dev/null
    tar -C "$work/root" --exclude=./proc --exclude=./sys --exclude=./dev -c . | docker import - "$base" > /dev/null
  fi
fi
# The SAM CLI puts the emulator into an image of its own, and fetches nothing if that is there. Its S3 is the stand-in, so it must
# not stay.
mkdir "$work/rapid"
cp .tools/lambda/aws-lambda-rie "$work/rapid/aws-lambda-rie-x86_64"
cat > "$work/rapid/Dockerfile" <<RAPID
FROM $base
RUN mkdir -p /var/task /var/runtime /opt /var/rapid
COPY aws-lambda-rie-x86_64 /var/rapid/aws-lambda-rie
RUN chmod 755 /var/rapid/aws-lambda-rie
WORKDIR /var/task
ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime AWS_ENDPOINT_URL_S3=$s3
RAPID
docker build --quiet --tag "$amazon:al2023-rapid-x86_64" "$work/rapid" 2> /dev/null

echo "== S3"
.tools/aws/cloud/bin/moto_server -H "$gateway" -p 5587 > "$work/s3.log" 2>&1 &
ending+=($!)
tar -czf "$work/project.tar.gz" -C fixtures/projects/title-card .
.tools/aws/cloud/bin/python tests/aws/bucket.py "$s3" render-bucket projects/title-card/project.tar.gz "$work/project.tar.gz"
echo '{"RenderFunction": {"HYPERFRAMES_RENDER_BUCKET": "render-bucket/projects,render-bucket/work,render-bucket/outputs"}}' > "$work/env.json"

answers() { # answers FIELD ANSWER: the field must be there
  .tools/aws/cloud/bin/python -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" <<< "$2"
}
event() { # event NAME HASH: the sample with the plan's hash
  sed "s/\"PlanHash\": \"[^\"]*\"/\"PlanHash\": \"$2\"/; s/\"ChunkIndex\": [0-9][0-9]*/\"ChunkIndex\": ${3:-0}/" "sam/events/$1.json"
}
echo "== sam local invoke"
local_invoke() {
  .tools/aws/deploy/bin/python -m samcli local invoke RenderFunction --template-file sam/template.yaml --event - \
    --env-vars "$work/env.json" --skip-pull-image 2>> "$work/sam.log" | tail -1
}
plan="$(event plan - | local_invoke)"
hash="$(answers PlanHash "$plan")"
echo "plan: $plan"
for index in 0 1 2; do
  chunk="$(event render-chunk "$hash" "$index" | local_invoke)"
  answers Sha256 "$chunk" > /dev/null && echo "renderChunk: $chunk"
done
done="$(event assemble "$hash" | local_invoke)"
answers FramesEncoded "$done" > /dev/null && echo "assemble: $done"
broken="$(event broken - | local_invoke)"
[ "$(answers errorType "$broken")" = EVENT_INVALID ] && echo "broken: $broken"

echo "== image"
image="${IMAGE:-framewright:test}"
[ -n "${IMAGE:-}" ] ||
  docker build --file Dockerfile.lambda --network host --build-arg "BASE=$base" ${BUILDER:+--build-arg "BUILDER=$BUILDER"} --tag "$image" .
lambda_like=(--rm --read-only --tmpfs "/tmp:exec,size=1g" --memory 2g --user 993:990 --cap-drop ALL)
docker run "${lambda_like[@]}" --network none "$image" probe
docker run --detach --name framewright-test "${lambda_like[@]}" --publish 127.0.0.1:5588:5588 --volume "$root/.tools/lambda:/emulator:ro" \
  --env "AWS_ENDPOINT_URL_S3=$s3" --env AWS_ACCESS_KEY_ID=test --env AWS_SECRET_ACCESS_KEY=test --env AWS_REGION=us-east-1 \
  --env "HYPERFRAMES_RENDER_BUCKET=render-bucket" --env AWS_LAMBDA_FUNCTION_MEMORY_SIZE=2048 --env AWS_LAMBDA_FUNCTION_TIMEOUT=300 \
  --entrypoint /emulator/aws-lambda-rie "$image" --runtime-interface-emulator-address 0.0.0.0:5588 \
  --runtime-api-address 127.0.0.1:5589 /var/task/bootstrap > /dev/null
curl --silent --retry 20 --retry-connrefused --retry-delay 1 --output /dev/null http://127.0.0.1:5588/ || true
invoke() { curl --silent --fail --data @- http://127.0.0.1:5588/2015-03-31/functions/function/invocations; }
from_image() { sed 's#\(work\|outputs\)/demo#\1/image#g'; }
hash="$(answers PlanHash "$(event plan - | from_image | invoke)")"
for index in 0 1 2; do answers Sha256 "$(event render-chunk "$hash" "$index" | from_image | invoke)"; done
answers FramesEncoded "$(event assemble "$hash" | from_image | invoke)"
