"""What scripts/deploy.sh asks AWS: stack.py whoami | stack.py outputs STACK FILE"""

import json
import os
import sys
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

NAMES = {
    "BucketName",
    "StateMachineArn",
    "FunctionName",
    "FunctionArn",
    "FunctionMemoryMiB",
    "FunctionLogGroup",
    "StateMachineLogGroup",
    "MaxConcurrency",
    "Region",
}


def region():
    """Where everything happens, set for every client."""
    # boto3 reads only the older of the two names.
    found = os.environ.get("AWS_REGION") or boto3.Session().region_name
    if not found:
        sys.exit("error: no region is set: set AWS_REGION, or the profile's region")
    os.environ["AWS_DEFAULT_REGION"] = found
    return found


def whoami():
    """Says whose account it is before anything is made in it, and fails early where nothing could be."""
    place = region()
    who = boto3.client("sts").get_caller_identity()
    print(f"account {who['Account']}, region {place}, as {who['Arn']}", file=sys.stderr)


def outputs(stack):
    region()
    found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    values = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    if set(values) != NAMES:
        sys.exit(f"error: the stack {stack} has outputs {sorted(values)}, not {sorted(NAMES)}")
    return values


def write(values, path):
    """The file appears at its place only when it is complete."""
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
    beside.replace(path)


def main():
    match sys.argv[1:]:
        case ["whoami"]:
            whoami()
        case ["outputs", stack, path]:
            write(outputs(stack), Path(path))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")
