"""Deploys with scripts/deploy.sh to a cloud on this machine, renders, and takes down again. tests/aws/deploy.sh runs it."""

import io
import json
import os
import subprocess
import tarfile
import unittest

from botocore.exceptions import ClientError

from cloud import ROOT, Cloud

BUNDLE = os.environ.get("FRAMEWRIGHT_BUNDLE")
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/framewright:1"


def setUpModule():
    global cloud
    cloud = Cloud(BUNDLE)
    unittest.addModuleCleanup(cloud.stop)


class Case(unittest.TestCase):
    maxDiff = None

    def deploy(self, *args):
        status, said = cloud.script("deploy.sh", *args)
        self.assertEqual(status, 0, said)
        return said

    def destroy(self, *args, expect=0, **how):
        status, said = cloud.script("destroy.sh", *args, **how)
        self.assertEqual(status, expect, said)
        return said


class Deployed(Case):
    @classmethod
    def setUpClass(cls):
        status, cls.said = cloud.script("deploy.sh")
        if status:
            raise AssertionError(cls.said)
        cls.deployment = cloud.deployment()

    def test_what_was_made_is_written_down_and_the_next_step_is_named(self):
        names = {"BucketName", "StateMachineArn", "FunctionName", "FunctionArn", "FunctionMemoryMiB", "FunctionLogGroup"}
        names |= {"StateMachineLogGroup", "MaxConcurrency", "Region"}
        self.assertEqual(set(self.deployment), names)
        self.assertTrue(all(isinstance(value, str) for value in self.deployment.values()))
        numbers = [self.deployment[name] for name in ("FunctionMemoryMiB", "MaxConcurrency", "Region")]
        self.assertEqual(numbers, ["5307", "8", "us-east-1"])
        self.assertIn("scripts/submit.sh fixtures/projects/title-card -o out.mp4", self.said)

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
        self.assertIn('"MaxConcurrency": 8}', states["Defaults"]["Parameters"]["Input.$"])

    def test_the_function_is_as_the_parameters_say(self):
        function = cloud.client("lambda").get_function_configuration(FunctionName=self.deployment["FunctionName"])
        self.assertEqual((function["Runtime"], function["Architectures"]), ("provided.al2023", ["x86_64"]))
        sizes = (function["MemorySize"], function["Timeout"], function["EphemeralStorage"]["Size"])
        self.assertEqual(sizes, (5307, 900, 4096))
        bucket = self.deployment["BucketName"]
        places = function["Environment"]["Variables"]["HYPERFRAMES_RENDER_BUCKET"]
        self.assertEqual(places, f"{bucket}/projects,{bucket}/work,{bucket}/outputs")
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
        self.assertEqual(sorted(ended), ["assemble", "plan", "renderChunk", "renderChunk", "renderChunk"])


class Lives(Case):
    def test_an_update_changes_what_is_named_and_keeps_the_rest(self):
        self.addCleanup(self.destroy, "--stack", "second", "--bucket-too", "--yes")
        self.deploy("--stack", "second", "--parameter", "MaxConcurrency=3", "--parameter", "MemoryMiB=1769")
        first = cloud.deployment("second")
        self.deploy("--stack", "second", "--parameter", "MaxConcurrency=5")
        second = cloud.deployment("second")
        self.assertEqual((second.pop("MaxConcurrency"), first.pop("MaxConcurrency")), ("5", "3"))
        self.assertEqual(second, first)
        self.assertIn("No changes to deploy", self.deploy("--stack", "second"))

    def test_an_image_takes_the_place_of_the_zip(self):
        self.addCleanup(self.destroy, "--stack", "image", "--bucket-too", "--yes")
        self.deploy("--stack", "image", "--parameter", f"ImageUri={IMAGE}")
        function = cloud.client("lambda").get_function(FunctionName=cloud.deployment("image")["FunctionName"])
        self.assertEqual(function["Configuration"]["PackageType"], "Image")
        self.assertEqual(function["Code"]["ImageUri"], IMAGE)

    @unittest.skipIf(BUNDLE, "the real function is never slow on purpose")
    def test_a_stack_whose_renders_run_is_not_taken_down(self):
        self.addCleanup(self.destroy, "--stack", "busy", "--stop", "--bucket-too", "--yes")
        self.deploy("--stack", "busy")
        execution = cloud.start(cloud.deployment("busy"), "render-slow", "slow/project.tar.gz")
        said = self.destroy("--stack", "busy", expect=1)
        self.assertIn("error: 1 renders run", said)
        self.assertIn("render-slow", said)
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
