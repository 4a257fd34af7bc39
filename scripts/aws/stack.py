"""What scripts/deploy.sh asks AWS about a stack:

stack.py place FILE [--replace] | stack.py idle STACK | stack.py image STACK | stack.py outputs STACK FILE |
stack.py output STACK NAME
stack.py hyperframes STACK DIR: writes what HyperFrames' command line reads in DIR about its stacks
"""

import json
import sys
from datetime import datetime, timezone
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
    # A newer template may have more of them.
    missing = NAMES - set(values)
    if missing:
        sys.exit(f"error: the stack {stack} has no outputs {sorted(missing)}, only {sorted(values)}")
    return {name: values[name] for name in NAMES}


def hyperframes(stack, directory):
    """Prints the path of the file. Its true memory makes the command line's costs come out right."""
    values = outputs(stack)
    path = directory / ".hyperframes" / f"lambda-stack-{stack}.json"
    state = {
        "stackName": stack,
        "region": values["Region"],
        "bucketName": values["BucketName"],
        "stateMachineArn": values["StateMachineArn"],
        "functionName": values["FunctionName"],
        "lambdaMemoryMb": int(values["FunctionMemoryMiB"]),
        "reservedConcurrency": int(values["MaxConcurrency"]),
        "deployedAt": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    write(state, path)
    print(path)


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
        case ["output", stack, name]:
            print(outputs(stack)[name])
        case ["hyperframes", stack, directory]:
            hyperframes(stack, Path(directory))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")
