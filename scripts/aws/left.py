"""What is still listed under a stack's tag when the stack is gone, and whether it is there.

The list follows deletions by hours, so that what is in it is a question to the service that owns it, not an answer.
"""

import boto3
from botocore.exceptions import ClientError

TAG = "framewright:stack"
ABSENT = {"ResourceNotFoundException", "StateMachineDoesNotExist", "NoSuchEntity"}


def function(name, _):
    return bool(boto3.client("lambda").get_function(FunctionName=name))


def state_machine(_, arn):
    return boto3.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["status"] == "ACTIVE"


def log_group(name, _):
    # Of all names with this prefix, the shortest comes first.
    groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return name in [one["logGroupName"] for one in groups]


def alarm(name, _):
    return bool(boto3.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"])


def rule(name, _):
    bus, _, name = name.rpartition("/")
    return bool(boto3.client("events").describe_rule(Name=name, EventBusName=bus or "default"))


def role(name, _):
    return bool(boto3.client("iam").get_role(RoleName=name.split("/")[-1]))


# By the service in an ARN and by the beginning of its last part, before the name.
OWNERS = {
    ("lambda", "function:"): function,
    ("states", "stateMachine:"): state_machine,
    ("logs", "log-group:"): log_group,
    ("cloudwatch", "alarm:"): alarm,
    ("events", "rule/"): rule,
    ("iam", "role/"): role,
}


def parse(arn):
    """A resource's name and who can be asked for it; the ARN and None where that is nobody."""
    service, rest = arn.split(":", 5)[2], arn.split(":", 5)[5]
    for (owner, start), ask in OWNERS.items():
        if service == owner and rest.startswith(start):
            return rest.removeprefix(start).removesuffix(":*"), ask
    return arn, None


def tagged(stack):
    pages = boto3.client("resourcegroupstaggingapi").get_paginator("get_resources")
    pages = pages.paginate(TagFilters=[{"Key": TAG, "Values": [stack]}])
    return {one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]}


def buckets(listed):
    return {arn.split(":::")[1] for arn in listed if ":s3:::" in arn}


def unexplained(listed, stack, deleted):
    """Of what is listed, what is neither a bucket, nor the stack, nor among the `deleted` names and ARNs."""
    found = []
    for arn in sorted(listed):
        name, _ = parse(arn)
        of_the_stack = ":cloudformation:" in arn and f":stack/{stack}/" in arn
        if ":s3:::" not in arn and not of_the_stack and not {arn, name} & set(deleted):
            found.append(arn)
    return found


def is_there(arn):
    """The word of the service that owns it, or None where none can be asked."""
    name, ask = parse(arn)
    try:
        return ask and ask(name, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return False
        raise
