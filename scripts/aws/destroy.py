"""Takes a stack down, and looks whether anything of it is left: scripts/destroy.sh says how it is called."""

import argparse
import sys
import time
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from bucket import contents, delete_bucket, describe
from stack import region

TAG = "framewright:stack"
STOP_LIMIT = 60
# The list of what is tagged follows deletions with a delay.
TAGS_LIMIT = 120


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/destroy.sh", description="Takes a stack down.")
    parser.add_argument("--stack", default="framewright", help="[default: framewright]")
    parser.add_argument("--stop", action="store_true", help="stop the renders that run")
    parser.add_argument("--bucket-too", action="store_true", help="delete the bucket and all videos in it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser.parse_args()


def say(text):
    print(f"destroy: {text}", file=sys.stderr)


def find(stack):
    """The stack's id, or None if there is no such stack."""
    try:
        return boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def resources(stack_id):
    """Also those of a stack that is gone, if it is named by its id."""
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources")
    return [one for page in pages.paginate(StackName=stack_id) for one in page["StackResourceSummaries"]]


def of_type(found, kind):
    return [one["PhysicalResourceId"] for one in found if one["ResourceType"] == kind and one.get("PhysicalResourceId")]


def running(machine):
    pages = boto3.client("stepfunctions").get_paginator("list_executions")
    pages = pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
    return [one for page in pages for one in page["executions"]]


def settle(machine, stop):
    """No render may run when its function goes."""
    left = running(machine)
    if left and not stop:
        names = "\n  ".join(one["name"] for one in left)
        sys.exit(f"error: {len(left)} renders run; wait for them, or stop them with --stop:\n  {names}")
    for one in left:
        say(f"stopping {one['name']}")
        boto3.client("stepfunctions").stop_execution(
            executionArn=one["executionArn"], error="CANCELLED", cause="the stack is taken down"
        )
    end = time.monotonic() + STOP_LIMIT
    while left := running(machine):
        if time.monotonic() > end:
            sys.exit(f"error: {left[0]['name']} still runs {STOP_LIMIT} s after it was stopped")
        time.sleep(1)


def delete_stack(stack, stack_id):
    say(f"deleting the stack {stack}")
    client = boto3.client("cloudformation")
    client.delete_stack(StackName=stack_id)
    try:
        client.get_waiter("stack_delete_complete").wait(
            StackName=stack_id, WaiterConfig={"Delay": 2, "MaxAttempts": 600}
        )
    except WaiterError:
        for one in resources(stack_id):
            if one["ResourceStatus"] == "DELETE_FAILED":
                say(f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', 'no reason given')}")
        sys.exit(f"error: the stack {stack} could not be deleted; mend what is named above and run this again")


def gone_or_kept(stack_id):
    """The word of CloudFormation on each resource."""
    over = {"DELETE_COMPLETE", "DELETE_SKIPPED"}
    left = [one for one in resources(stack_id) if one["ResourceStatus"] not in over]
    if left:
        names = ", ".join(f"{one['LogicalResourceId']} ({one['ResourceStatus']})" for one in left)
        sys.exit(f"error: CloudFormation has left {names}")


def tagged(stack):
    pages = boto3.client("resourcegroupstaggingapi").get_paginator("get_resources")
    pages = pages.paginate(TagFilters=[{"Key": TAG, "Values": [stack]}])
    return {one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]}


def buckets(stack):
    return sorted(arn.split(":::")[1] for arn in tagged(stack) if ":s3:::" in arn)


def prove(stack):
    """That no tagged resource is left but buckets."""
    end = time.monotonic() + TAGS_LIMIT
    while left := {arn for arn in tagged(stack) if ":s3:::" not in arn}:
        if time.monotonic() > end:
            names = "\n  ".join(sorted(left))
            sys.exit(f"error: still listed under the tag {TAG}={stack} (the list may lag; run this again):\n  {names}")
        time.sleep(3)


def confirm(stack, bucket, held):
    say(f"the bucket {bucket} holds {describe(held)}; deleting it cannot be undone")
    print("type the stack's name to delete it: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != stack:
        sys.exit("error: that is not the stack's name; the bucket is kept")


def main():
    args = arguments()
    region()
    if args.bucket_too and not args.yes and not sys.stdin.isatty():
        sys.exit("error: --bucket-too asks on a terminal; without one it needs --yes")
    stack_id = find(args.stack)
    kept = []
    if stack_id is None:
        say(f"there is no stack {args.stack}")
    else:
        found = resources(stack_id)
        for machine in of_type(found, "AWS::StepFunctions::StateMachine"):
            settle(machine, args.stop)
        kept = of_type(found, "AWS::S3::Bucket")
        delete_stack(args.stack, stack_id)
        gone_or_kept(stack_id)
    prove(args.stack)
    Path(".framewright", f"{args.stack}.json").unlink(missing_ok=True)
    for bucket in sorted({*kept, *buckets(args.stack)}):
        held = contents(bucket)
        if held is None:
            continue
        if not args.bucket_too:
            say(f"kept: the bucket {bucket} with {describe(held)}; delete it with --bucket-too")
            continue
        if not args.yes:
            confirm(args.stack, bucket, held)
        delete_bucket(bucket)
        say(f"deleted: the bucket {bucket}")
    say("nothing else is left; the bucket of the SAM CLI (stack aws-sam-cli-managed-default) is shared and stays")


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")
