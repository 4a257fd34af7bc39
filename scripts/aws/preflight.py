"""What scripts/deploy.sh asks before and after it deploys:

preflight.py check DEFINITION [Key=Value ...]: whether this account can have the stack, with the parameters that were given
preflight.py image URI: whether Lambda takes the image
preflight.py explain FILE: the sentence for what CloudFormation has refused, from the output of sam deploy
preflight.py probe FUNCTION: whether the function can render
"""

import json
import re
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lookup import region

# As the template has them.
MAX_CONCURRENCY = 8
UNRESERVED = 100

DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


def ask(service, right, call, **settings):
    """Asks AWS something. A right that is missing is named."""
    try:
        return call(boto3.client(service, **settings))
    except ClientError as error:
        if error.response["Error"]["Code"] in DENIED:
            sys.exit(f"error: these credentials lack the right {right}: {error.response['Error']['Message']}")
        raise


def check(definition, parameters):
    ask("sts", "sts:GetCallerIdentity", lambda sts: sts.get_caller_identity())
    concurrency(parameters)
    machine(definition, parameters)


def concurrency(parameters):
    """Refuses renders that would take all that the account's functions may run at once."""
    limits = ask("lambda", "lambda:GetAccountSettings", lambda client: client.get_account_settings())["AccountLimit"]
    limit, unreserved = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    given = int(parameters.get("ReservedConcurrency", 0))
    wanted = given if given > 0 else int(parameters.get("MaxConcurrency", MAX_CONCURRENCY))
    quota = "or ask for more: Service Quotas, AWS Lambda, Concurrent executions"
    if given > 0 or parameters.get("ReserveConcurrency") == "yes":
        if unreserved - wanted < UNRESERVED:
            sys.exit(
                f"error: {wanted} of {unreserved} unreserved concurrent executions cannot be reserved, since {UNRESERVED} must be left:"
                f" leave out ReserveConcurrency=yes and ReservedConcurrency, {quota}"
            )
    elif 2 * wanted > limit:
        sys.exit(
            f"error: all functions of this account and region may run {limit} times at once, and one render alone runs up to {wanted}"
            f" chunks: say --parameter MaxConcurrency={max(1, limit // 2)}, {quota}"
        )


def machine(definition, parameters):
    """Lets Step Functions itself read the state machine."""
    account = ask("sts", "sts:GetCallerIdentity", lambda sts: sts.get_caller_identity())["Account"]
    function = f"arn:aws:lambda:{region()}:{account}:function:render"
    text = definition.read_text().replace("${RenderFunctionArn}", function)
    text = text.replace("${MaxConcurrency}", str(parameters.get("MaxConcurrency", MAX_CONCURRENCY)))
    found = ask(
        "stepfunctions",
        "states:ValidateStateMachineDefinition",
        lambda client: client.validate_state_machine_definition(definition=text, type="STANDARD"),
    )
    if found["result"] != "OK":
        told = "".join(f"\n  {one.get('location', '')} {one['message']}" for one in found["diagnostics"])
        sys.exit(f"error: Step Functions does not take sam/render.asl.json:{told}")


# Which list an image for each platform, and what says how it was built. Lambda takes neither.
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")


def image(uri):
    """Refuses an index of images. What is not there, CloudFormation refuses."""
    found = re.fullmatch(r"(\d+)[.]dkr[.]ecr[.]([^.]+)[.][^/]+/(.+?)(?::[^@]+)?@(sha256:[0-9a-f]+)", uri)
    if not found:
        return
    account, place, repository, digest = found.groups()
    try:
        answered = ask(
            "ecr",
            "ecr:BatchGetImage",
            lambda ecr: ecr.batch_get_image(
                registryId=account,
                repositoryName=repository,
                imageIds=[{"imageDigest": digest}],
                acceptedMediaTypes=[*INDEXES, *MANIFESTS],
            ),
            region_name=place,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "RepositoryNotFoundException":
            return
        raise
    kinds = {json.loads(one["imageManifest"]).get("mediaType") for one in answered["images"]}
    if kinds & set(INDEXES):
        sys.exit(
            f"error: {uri} is an index of images, which Lambda does not take:"
            " build with --platform linux/amd64 --provenance=false, and push again"
        )


def explain(text):
    """What to do about what CloudFormation says. It checks some limits only when it makes a resource."""
    memory = re.search(r"MemorySize.{0,200}?less than or equal to (\d+)", text, re.DOTALL)
    if memory:
        sys.exit(
            f"error: this account allows functions at most {memory[1]} MiB: say --parameter MemoryMiB={memory[1]},"
            " or ask AWS's support for more"
        )
    reserved = re.search(r"UnreservedConcurrentExecution.{0,80}?below its minimum value", text, re.DOTALL)
    if reserved:
        sys.exit("error: this account has too little concurrency to reserve some: say --parameter ReserveConcurrency=no")
    denied = re.search(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)", text)
    if denied:
        sys.exit(f"error: these credentials lack the right {denied[1]}; docs/operating.md lists what a deployment needs")


def probe(function):
    """Lets the function draw a frame, and says what it has found."""
    settings = Config(read_timeout=900, retries={"total_max_attempts": 1})
    payload = json.dumps({"Action": "probe"})
    ask("lambda", "lambda:GetFunction", lambda client: client.get_waiter("function_active_v2").wait(FunctionName=function))
    answered = ask(
        "lambda", "lambda:InvokeFunction", lambda client: client.invoke(FunctionName=function, Payload=payload), config=settings
    )
    text = answered["Payload"].read().decode()
    try:
        verdict = json.loads(text)
    except ValueError:
        verdict = {"errorMessage": text}
    if answered.get("FunctionError") or verdict.get("Action") != "probe":
        kind = verdict.get("errorType", "no verdict")
        sys.exit(f"error: {function} is deployed and cannot render: {kind}: {verdict.get('errorMessage', text)}")
    source, reason = verdict["FrameSource"], verdict.get("FrameSourceReason")
    memory = f"{verdict['MemoryMiB']} MiB" if verdict.get("MemoryMiB") else "unknown memory"
    print(f"probe: {verdict['Chrome']}, {verdict['Ffmpeg']}; {verdict['Cores']} cores, {memory}")
    print(f"probe: frames come from {'memory' if source == 'framebuffer' else f'screenshots ({reason}), which is slower'}")
    if verdict["CredentialsShielded"]:
        print("probe: pages that break out of Chrome cannot read the function's credentials")
    else:
        print("probe: warning: a page that breaks out of Chrome could read the function's credentials: render only your own pages")
    if verdict["Zombies"]:
        print(f"probe: {verdict['Zombies']} ended processes were not reaped; the function starts anew above 200")


def main():
    region()
    match sys.argv[1:]:
        case ["check", definition, *given]:
            check(Path(definition), dict(one.split("=", 1) for one in given))
        case ["image", uri]:
            image(uri)
        case ["explain", output]:
            explain(Path(output).read_text())
        case ["probe", function]:
            probe(function)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")
