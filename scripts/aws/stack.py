"""What scripts/deploy.sh asks AWS about a stack:

stack.py place FILE [--replace] | stack.py idle STACK | stack.py image STACK | stack.py outputs STACK FILE
"""

import json
import sys
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lookup import agree, find, here, machines, names, region, resources, running

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


def place(path, replace):
    """Says whose account it is before anything is made in it, and fails early where nothing could be."""
    current = here()
    if not replace:
        agree(path, current, "name the stack otherwise with --stack, or write over that file with --replace")


def idle(stack):
    """Refuses while renders run: what they began may not go on with another function or another FFmpeg."""
    if find(stack) is None:
        return
    left = [one for machine in machines(resources(stack)) for one in running(machine)]
    if left:
        sys.exit(f"error: {len(left)} renders run, which an update may break; wait for them, or update with --force:{names(left)}")


def image(stack):
    """Prints the image that the stack runs, or nothing if it runs a ZIP or is not there."""
    parameters = (find(stack) or {}).get("Parameters", [])
    print(*[one["ParameterValue"] for one in parameters if one["ParameterKey"] == "ImageUri"])


def outputs(stack):
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
    region()
    match sys.argv[1:]:
        case ["place", path, *replace] if replace in ([], ["--replace"]):
            place(Path(path), bool(replace))
        case ["idle", stack]:
            idle(stack)
        case ["image", stack]:
            image(stack)
        case ["outputs", stack, path]:
            write(outputs(stack), Path(path))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")
