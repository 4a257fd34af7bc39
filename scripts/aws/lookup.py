"""Where we are, and what is there of a stack."""

import json
import os
import sys
from typing import NamedTuple

import boto3
from botocore.exceptions import ClientError


class Place(NamedTuple):
    """Where a stack is. Two stacks of one name differ in nothing else."""

    account: str
    region: str

    def __str__(self):
        return f"account {self.account}, region {self.region}"


def region():
    """Where everything happens, set for every client."""
    # boto3 reads only the older of the two names.
    found = os.environ.get("AWS_REGION") or boto3.Session().region_name
    if not found:
        sys.exit("error: no region is set: set AWS_REGION, or the profile's region")
    os.environ["AWS_DEFAULT_REGION"] = found
    return found


def here():
    """The place of the credentials, which is also said."""
    place = region()
    who = boto3.client("sts").get_caller_identity()
    current = Place(who["Account"], place)
    print(f"{current}, as {who['Arn']}", file=sys.stderr)
    return current


def agree(path, current, otherwise):
    """Refuses if the deployment that is written down at `path` is in another place. `otherwise` says what to do then."""
    known = written(path)
    if known not in (None, current):
        sys.exit(f"error: {path} is of a stack in {known}, but this is {current}: {otherwise}")


def written(path):
    """The place of the deployment that a file describes, or None if there is no file."""
    try:
        values = json.loads(path.read_text())
        return Place(values["StateMachineArn"].split(":")[4], values["Region"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        sys.exit(f"error: {path} has no StateMachineArn and Region: delete it, or put back what deploy.sh wrote")


def find(stack):
    """The stack as CloudFormation describes it, or None if there is no such stack."""
    try:
        return boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def resources(stack):
    """Also those of a stack that is gone, if it is named by its id."""
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources")
    return [one for page in pages.paginate(StackName=stack) for one in page["StackResourceSummaries"]]


def of_type(found, kind):
    return [one["PhysicalResourceId"] for one in found if one["ResourceType"] == kind and one.get("PhysicalResourceId")]


def machines(found):
    return of_type(found, "AWS::StepFunctions::StateMachine")


def running(machine):
    """The executions of a state machine that run. One that somebody has deleted runs none."""
    pages = boto3.client("stepfunctions").get_paginator("list_executions")
    pages = pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
    try:
        return [one for page in pages for one in page["executions"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "StateMachineDoesNotExist":
            return []
        raise


def names(executions):
    return "".join(f"\n  {one['name']}" for one in executions)
