"""Takes a stack down, and looks whether anything of it is left: scripts/destroy.sh says how it is called."""

import argparse
import sys
import time
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from bucket import contents, delete_bucket, describe
from left import TAG, buckets, is_there, tagged, unexplained
from lookup import agree, find, here, machines, names, of_type, resources, running

STOP_LIMIT = 60


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/destroy.sh", description="Takes a stack down.")
    parser.add_argument("--stack", default="framewright", help="[default: framewright]")
    parser.add_argument("--stop", action="store_true", help="stop the renders that run")
    parser.add_argument("--bucket-too", action="store_true", help="delete the bucket and all videos in it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser.parse_args()


def say(text):
    print(f"destroy: {text}", file=sys.stderr)


def settle(machine, stop):
    """No render may run when its function goes."""
    left = running(machine)
    if left and not stop:
        sys.exit(f"error: {len(left)} renders run; wait for them, or stop them with --stop:{names(left)}")
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
        sys.exit(f"error: the stack {stack} could not be deleted; fix what is named above and run this again")


def deleted(stack_id):
    """Names and ARNs of what CloudFormation has deleted. All must be that, or kept on purpose."""
    found = resources(stack_id)
    over = {"DELETE_COMPLETE", "DELETE_SKIPPED"}
    left = [one for one in found if one["ResourceStatus"] not in over]
    if left:
        which = ", ".join(f"{one['LogicalResourceId']} ({one['ResourceStatus']})" for one in left)
        sys.exit(f"error: CloudFormation has left {which}")
    return {one.get("PhysicalResourceId") for one in found if one["ResourceStatus"] == "DELETE_COMPLETE"}


def prove(stack, gone):
    """That nothing tagged is left but buckets, and what `gone` names."""
    word = {True: "is there", False: "is gone, says its service", None: "its service cannot be asked here"}
    left = {arn: is_there(arn) for arn in unexplained(tagged(stack), stack, gone)}
    lines = "".join(f"\n  {arn}: {word[there]}" for arn, there in left.items())
    if True in left.values():
        sys.exit(f"error: left under the tag {TAG}={stack}; delete what is there, and run this again:{lines}")
    if left:
        say(f"warning: listed under the tag {TAG}={stack}, a list that follows deletions by hours:{lines}")
    else:
        say("nothing else is left")
    say("the bucket of the SAM CLI (stack aws-sam-cli-managed-default) is shared and stays")


def confirm(stack, bucket, held):
    say(f"the bucket {bucket} holds {describe(held)}; deleting it cannot be undone")
    print("type the stack's name to delete it: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != stack:
        sys.exit("error: that is not the stack's name; the bucket is kept")


def remove(stack, bucket, args):
    """Deletes a bucket that is still there, if that is wanted, or says what is in it."""
    held = contents(bucket)
    if held is None:
        return
    if not args.bucket_too:
        say(f"kept: the bucket {bucket} with {describe(held)}; delete it with --bucket-too")
        return
    if not args.yes:
        confirm(stack, bucket, held)
    delete_bucket(bucket)
    say(f"deleted: the bucket {bucket}")


def main():
    args = arguments()
    if args.bucket_too and not args.yes and not sys.stdin.isatty():
        sys.exit("error: --bucket-too asks on a terminal; without one it needs --yes")
    record = Path(".framewright", f"{args.stack}.json")
    place = here()
    agree(record, place, "set AWS_REGION and the credentials to that place, or delete the file if that stack is gone")
    found = find(args.stack)
    kept, gone = set(), set()
    if found is None:
        say(f"there is no stack {args.stack} in {place}")
    else:
        had = resources(found["StackId"])
        for machine in machines(had):
            settle(machine, args.stop)
        kept = set(of_type(had, "AWS::S3::Bucket"))
        delete_stack(args.stack, found["StackId"])
        gone = deleted(found["StackId"])
    record.unlink(missing_ok=True)
    for bucket in sorted(kept | buckets(tagged(args.stack))):
        remove(args.stack, bucket, args)
    prove(args.stack, gone)


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")
