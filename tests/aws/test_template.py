"""What sam/template.yaml promises and no linter checks. Run by scripts/lint-deploy.sh."""

import json
import re
import sys
import unittest
from fnmatch import fnmatch
from pathlib import Path

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "aws"))

from expand import definition, expand, read  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402
from stack import NAMES  # noqa: E402

TEMPLATE = ROOT / "sam" / "template.yaml"
OPERATING = (ROOT / "docs" / "operating.md").read_text()

# Lambda's and the Map state's own bounds.
BOUNDS = {
    "MemoryMiB": (128, 10240),
    "TimeoutSeconds": (1, 900),
    "EphemeralMiB": (512, 10240),
    "MaxConcurrency": (1, 40),
}

# Actions that know no resources, so that nothing but * can be said.
WITHOUT_RESOURCES = {
    *(f"xray:{name}" for name in ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")),
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Get", "Update", "Delete")),
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
    *(f"ec2:{name}" for name in ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets", "DeleteNetworkInterface")),
    *(f"ec2:{verb}PrivateIpAddresses" for verb in ("Assign", "Unassign")),
}

# What CloudFormation may ask for, for features of a resource that no template of ours uses.
UNUSED = re.compile(
    "s3:(REST.*|.*Metadata.*|PutObject(Acl|LockConfiguration)|DeleteBucket[A-OQ-Z].*)|iam:.*(Boundary|AttachRolePolicy|DetachRolePolicy)"
    "|logs:(PutDataProtectionPolicy|(Put|Delete)IndexPolicy|DeleteResourcePolicy|PutLogGroup.*|PutBearer.*|.*KmsKey)"
    "|lambda:(.*CodeSigning.*|GetLayerVersion|PublishVersion|PassCapacityProvider|AssociateRuntimeAlias)"
    "|lambda:(PutFunction(Scaling|Recursion)Config|PutRuntimeManagementConfig)"
)

PREFIXES = ("projects", "sites", "work", "outputs", "renders")
READ = ("projects", "sites", "work", "renders")
WRITTEN = ("work", "outputs", "renders")

# What a parameter of HyperFrames' command line takes the place of.
MEMORY = {"Fn::If": ["HasMemoryMb", {"Ref": "LambdaMemoryMb"}, {"Ref": "MemoryMiB"}]}
CONCURRENCY = {"Fn::If": ["HasReserved", {"Ref": "ReservedConcurrency"}, {"Ref": "MaxConcurrency"}]}
NOTHING = {"Ref": "AWS::NoValue"}


def inside(node):
    """Every value within a value."""
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from inside(child)


def names(node):
    """What a part of the template refers to."""
    for one in inside(node):
        if isinstance(one, dict) and "Ref" in one:
            yield one["Ref"]
        if isinstance(one, dict) and "Fn::Sub" in one:
            text = one["Fn::Sub"] if isinstance(one["Fn::Sub"], str) else one["Fn::Sub"][0]
            yield from (part.split("}")[0] for part in text.split("${")[1:])


def listed(value):
    return value if isinstance(value, list) else [value]


class Template(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.template = expand(read(TEMPLATE))
        cls.resources = cls.template["Resources"]
        cls.source = yaml_parse(TEMPLATE.read_text())

    def of_type(self, kind):
        found = {name: one["Properties"] for name, one in self.resources.items() if one["Type"] == kind}
        self.assertTrue(found, f"no {kind}")
        return found

    def statements(self, *roles):
        for name, role in self.of_type("AWS::IAM::Role").items():
            if not roles or name in roles:
                for policy in role["Policies"]:
                    for one in policy["PolicyDocument"]["Statement"]:
                        # A statement that a parameter adds.
                        yield name, one["Fn::If"][1] if "Fn::If" in one else one

    def test_every_parameter_is_used_and_explained(self):
        # A rule alone does not use it: it only checks.
        used = set(names([self.template[part] for part in ("Resources", "Conditions", "Outputs")]))
        for name, parameter in self.template["Parameters"].items():
            self.assertIn(name, used)
            self.assertGreater(len(parameter["Description"]), 40, name)

    def test_every_condition_and_mapping_is_used(self):
        used = [one.get("Condition") for one in self.resources.values()]
        used += [one["Fn::If"][0] for one in inside(self.template) if isinstance(one, dict) and "Fn::If" in one]
        self.assertEqual(set(self.template["Conditions"]), set(used) - {None})
        found = {one["Fn::FindInMap"][0] for one in inside(self.resources) if isinstance(one, dict) and "Fn::FindInMap" in one}
        self.assertEqual(set(self.template["Mappings"]), found)

    def test_every_value_that_a_parameter_allows_is_one_that_aws_takes(self):
        for name, (least, most) in BOUNDS.items():
            parameter = self.template["Parameters"][name]
            allowed = parameter.get("AllowedValues") or [parameter["MinValue"], parameter["MaxValue"]]
            for value in [*allowed, parameter["Default"]]:
                self.assertTrue(least <= value <= most, f"{name} may be {value}")

    def test_the_function_takes_its_settings_from_the_parameters(self):
        for name, function in self.of_type("AWS::Lambda::Function").items():
            self.assertEqual(function["MemorySize"], MEMORY, name)
            self.assertEqual(function["ReservedConcurrentExecutions"], {"Fn::If": ["Reserves", CONCURRENCY, NOTHING]}, name)
            self.assertEqual(function["Timeout"], {"Ref": "TimeoutSeconds"}, name)
            self.assertEqual(function["EphemeralStorage"], {"Size": {"Ref": "EphemeralMiB"}}, name)

    def test_a_slow_invocation_is_one_that_takes_four_fifths_of_its_time(self):
        marks = self.template["Mappings"]["Timeouts"]
        allowed = self.template["Parameters"]["TimeoutSeconds"]["AllowedValues"]
        self.assertEqual(marks, {str(seconds): {"SlowMs": seconds * 800} for seconds in allowed})

    def test_the_zip_and_the_image_are_the_same_function_but_for_their_code(self):
        own = {"Code", "PackageType", "Runtime", "Handler", "Tags"}
        package, image = (
            {key: value for key, value in self.resources[name]["Properties"].items() if key not in own}
            for name in ("RenderFunction", "RenderImageFunction")
        )
        self.assertEqual(package, image)
        conditions = [self.resources[name]["Condition"] for name in ("RenderFunction", "RenderImageFunction")]
        self.assertEqual(conditions, ["IsZip", "IsImage"])
        self.assertEqual(package["Architectures"], ["x86_64"])
        self.assertEqual(package["TracingConfig"], {"Mode": "Active"})

    def test_every_alarm_tells_the_topic_if_there_is_one(self):
        for name, alarm in self.of_type("AWS::CloudWatch::Alarm").items():
            actions = {"Fn::If": ["HasTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
            self.assertEqual(alarm["AlarmActions"], actions, name)
            self.assertEqual(alarm["TreatMissingData"], "notBreaching", name)
            self.assertTrue(alarm["AlarmDescription"].endswith("."), name)

    def test_there_is_an_alarm_for_every_way_a_render_goes_wrong(self):
        watched = {(alarm["Namespace"], alarm["MetricName"]) for alarm in self.of_type("AWS::CloudWatch::Alarm").values()}
        expected = {("AWS/States", f"Executions{end}") for end in ("Failed", "TimedOut", "Aborted")}
        expected |= {("AWS/Lambda", name) for name in ("Errors", "Throttles", "Invocations", "Duration")}
        self.assertEqual(watched, expected | {("AWS/SQS", "ApproximateNumberOfMessagesVisible")})

    def test_every_resource_that_can_have_tags_has_the_stack_s_and_its_part(self):
        count = 0
        for name, one in self.resources.items():
            schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", one["Type"]).schema
            if not schema.get("tagging", {}).get("taggable", False):
                continue
            count += 1
            tags = {tag["Key"]: tag["Value"] for tag in one["Properties"].get("Tags", [])}
            self.assertEqual(tags.get("framewright:stack"), {"Ref": "AWS::StackName"}, name)
            self.assertIn("framewright:component", tags, name)
        self.assertGreater(count, 12)

    def test_no_role_may_do_more_than_is_named(self):
        for name, role in self.of_type("AWS::IAM::Role").items():
            self.assertNotIn("ManagedPolicyArns", role, name)
        for role, statement in self.statements():
            for action in listed(statement["Action"]):
                self.assertNotIn("*", action, role)
                if "*" in listed(statement["Resource"]):
                    self.assertIn(action, WITHOUT_RESOURCES, f"{role} may {action} on everything")

    def test_the_function_reads_no_videos_lists_nothing_and_writes_where_renders_are_made(self):
        def objects(*prefixes):
            return [{"Fn::Sub": "${RenderBucket.Arn}/" + prefix + "/*"} for prefix in prefixes]

        rights = {}
        for _, statement in self.statements("FunctionRole"):
            for action in listed(statement.get("Action", [])):
                if action.startswith("s3:"):
                    rights.setdefault(action, []).extend(listed(statement["Resource"]))
        anywhere = {"Fn::If": ["WritesAnywhere", {"Fn::Sub": "${RenderBucket.Arn}/*"}, NOTHING]}
        written = [*objects(*WRITTEN), anywhere]
        self.assertEqual(
            rights,
            {
                "s3:GetObject": objects(*READ, "cache"),
                "s3:PutObject": [*written, *objects("cache")],
                "s3:PutObjectTagging": [*written, *objects("cache")],
                "s3:AbortMultipartUpload": written,
            },
        )
        places = {"Fn::Sub": ",".join("${RenderBucket}/" + prefix for prefix in PREFIXES)}
        variables = self.resources["RenderFunction"]["Properties"]["Environment"]["Variables"]
        allowed = {"Fn::If": ["WritesAnywhere", {"Ref": "RenderBucket"}, places]}
        self.assertEqual(variables["HYPERFRAMES_RENDER_BUCKET"], allowed)

    def test_chunks_are_kept_below_a_prefix_that_no_event_may_name_and_only_if_that_is_wanted(self):
        self.assertEqual(self.template["Conditions"]["Caches"], {"Fn::Not": [{"Fn::Equals": [{"Ref": "CacheDays"}, 0]}]})
        function = self.resources["RenderFunction"]["Properties"]
        place = {"Fn::Sub": "s3://${RenderBucket}/cache"}
        self.assertEqual(function["Environment"]["Variables"]["FRAMEWRIGHT_CACHE"], {"Fn::If": ["Caches", place, ""]})
        self.assertNotIn("cache", PREFIXES)
        (policy,) = self.resources["FunctionRole"]["Properties"]["Policies"]
        kept = [one["Fn::If"] for one in policy["PolicyDocument"]["Statement"] if one.get("Fn::If", [{}, {}])[1].get("Sid") == "Keep"]
        self.assertEqual([(condition, otherwise) for condition, _, otherwise in kept], [("Caches", NOTHING)])

    def test_an_execution_reaches_its_own_render_unless_a_parameter_says_otherwise(self):
        variables = self.resources["RenderFunction"]["Properties"]["Environment"]["Variables"]
        self.assertEqual(variables["FRAMEWRIGHT_RENDER_PATHS"], {"Ref": "RenderPaths"})
        self.assertEqual(self.template["Parameters"]["RenderPaths"]["Default"], "own")

    def test_a_boundary_a_key_and_a_network_reach_everything_that_they_are_for(self):
        boundary = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}, NOTHING]}
        for name, role in self.of_type("AWS::IAM::Role").items():
            self.assertEqual(role["PermissionsBoundary"], boundary, name)
        key = {"Fn::If": ["HasKey", {"Ref": "KmsKeyArn"}, NOTHING]}
        for name, group in self.of_type("AWS::Logs::LogGroup").items():
            self.assertEqual(group["KmsKeyId"], key, name)
        function = self.resources["RenderFunction"]["Properties"]
        self.assertEqual(function["KmsKeyArn"], key)
        (rule,) = self.resources["RenderBucket"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        encrypted = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Ref": "KmsKeyArn"}}
        expected = {"Fn::If": ["HasKey", encrypted, {"SSEAlgorithm": "AES256"}]}
        self.assertEqual(rule["ServerSideEncryptionByDefault"], expected)
        network = {name: {"Fn::Split": [",", {"Ref": name}]} for name in ("SubnetIds", "SecurityGroupIds")}
        self.assertEqual(function["VpcConfig"], {"Fn::If": ["HasVpc", network, NOTHING]})
        added = [one for _, one in self.statements("FunctionRole") if one["Sid"] in ("Encrypt", "Connect")]
        self.assertEqual(len(added), 2)
        ranges = function["Environment"]["Variables"]["FRAMEWRIGHT_REFUSED_RANGES"]
        self.assertEqual(ranges, {"Ref": "RefusedRanges"})
        pattern = self.template["Parameters"]["RefusedRanges"]["AllowedPattern"]
        for value, taken in [("", True), ("2600:1f18::/56,3.5.0.0/16", True), ("3.5.0.0", False), ("here/8", False)]:
            self.assertEqual(bool(re.search(pattern, value)), taken, value)

    def test_below_renders_only_what_the_worker_has_tagged_expires(self):
        variables = self.resources["RenderFunction"]["Properties"]["Environment"]["Variables"]
        name, value = variables["FRAMEWRIGHT_WORK_TAG"].split("=")
        rules = self.resources["RenderBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        (rule,) = [rule for rule in rules if rule.get("Prefix") == "renders/"]
        self.assertEqual(rule["TagFilters"], [{"Key": name, "Value": value}])
        self.assertEqual((rule["ExpirationInDays"], rule["Status"]), ({"Ref": "WorkDays"}, "Enabled"))
        self.assertNotIn("sites/", [rule.get("Prefix") for rule in rules])

    def test_what_hyperframes_command_line_sends_is_taken_or_refused_by_name(self):
        parameters = self.template["Parameters"]
        memory = parameters["LambdaMemoryMb"]["AllowedPattern"]
        for value, taken in [("0", True), ("1769", True), ("2048", True), ("10240", True), ("1024", False), ("10241", False)]:
            self.assertEqual(bool(re.search(memory, value)), taken, value)
        self.assertEqual(parameters["ChromeSource"]["AllowedValues"], ["sparticuz"])
        conditions = self.template["Conditions"]
        equals = [{"Fn::Equals": [{"Ref": "ReservedConcurrency"}, number]} for number in (0, -1)]
        self.assertEqual(conditions["HasReserved"], {"Fn::Not": [{"Fn::Or": equals}]})
        self.assertEqual(conditions["Reserves"]["Fn::Or"][1], {"Condition": "HasReserved"})
        machine = self.resources["RenderStateMachine"]["Properties"]
        self.assertEqual(machine["DefinitionSubstitutions"]["MaxConcurrency"], CONCURRENCY)
        outputs = self.template["Outputs"]
        self.assertEqual((outputs["FunctionMemoryMiB"]["Value"], outputs["MaxConcurrency"]["Value"]), (MEMORY, CONCURRENCY))
        for theirs, ours in [
            ("RenderBucketName", "BucketName"),
            ("RenderFunctionArn", "FunctionArn"),
            ("RenderStateMachineArn", "StateMachineArn"),
        ]:
            self.assertEqual(outputs[theirs], outputs[ours])

    def test_what_hyperframes_command_line_deploys_is_this_template(self):
        directory = ROOT / "sam" / "hyperframes"
        for name in ("template.yaml", "render.asl.json"):
            self.assertTrue((directory / "examples" / "aws-lambda" / name).samefile(TEMPLATE.parent / name))
        handler = directory / "packages" / "aws-lambda" / "dist" / "handler.zip"
        self.assertEqual(handler.resolve(), ROOT.resolve() / "dist" / "framewright.zip")
        self.assertEqual((directory / "examples" / "dist").resolve(), ROOT.resolve() / "dist")
        self.assertTrue((directory / "packages" / "aws-lambda" / "package.json").is_file())

    def test_the_state_machine_may_invoke_this_function_only(self):
        invoked = [one for _, one in self.statements("StateMachineRole") if "lambda:InvokeFunction" in listed(one["Action"])]
        arns = [{"Fn::GetAtt": [name, "Arn"]} for name in ("RenderImageFunction", "RenderFunction")]
        self.assertEqual([one["Resource"] for one in invoked], [{"Fn::If": ["IsImage", *arns]}])
        machine = self.resources["RenderStateMachine"]["Properties"]
        self.assertEqual(machine["DefinitionSubstitutions"]["RenderFunctionArn"], invoked[0]["Resource"])

    def test_both_logs_are_ours_and_end(self):
        groups = self.of_type("AWS::Logs::LogGroup")
        self.assertEqual(set(groups), {"FunctionLogs", "StateMachineLogs"})
        for name, group in groups.items():
            self.assertEqual(group["RetentionInDays"], {"Ref": "LogDays"}, name)
        function = self.resources["RenderFunction"]["Properties"]
        self.assertEqual(function["LoggingConfig"], {"LogGroup": {"Ref": "FunctionLogs"}})
        machine = self.resources["RenderStateMachine"]["Properties"]
        logged = machine["LoggingConfiguration"]
        self.assertEqual((logged["Level"], logged["IncludeExecutionData"]), ("ERROR", False))
        self.assertEqual(machine["TracingConfiguration"], {"Enabled": True})

    def test_the_bucket_is_private_and_kept_and_expires_what_can_be_made_again(self):
        bucket = self.resources["RenderBucket"]
        properties = bucket["Properties"]
        self.assertEqual((bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]), ("RetainExceptOnCreate", "Retain"))
        self.assertEqual(list(properties["PublicAccessBlockConfiguration"].values()), [True] * 4)
        self.assertEqual(properties["OwnershipControls"]["Rules"], [{"ObjectOwnership": "BucketOwnerEnforced"}])
        self.assertIn("BucketEncryption", properties)
        self.assertEqual(properties["VersioningConfiguration"], {"Status": "Suspended"})
        rules = properties["LifecycleConfiguration"]["Rules"]
        expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
        cached = {"Fn::If": ["Caches", {"Ref": "CacheDays"}, 1]}
        work = {"Ref": "WorkDays"}
        self.assertEqual(expiring, {"work/": work, "renders/": work, "cache/": cached, "projects/": 30})
        broken = [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule]
        self.assertEqual([("Prefix" in rule, rule["Status"]) for rule in broken], [(False, "Enabled")])
        (statement,) = self.resources["RenderBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        self.assertEqual((statement["Effect"], statement["Action"]), ("Deny", "s3:*"))
        self.assertEqual(statement["Condition"], {"Bool": {"aws:SecureTransport": "false"}})

    def test_the_webhook_is_told_of_every_end_of_this_machine_s_renders(self):
        pattern = self.resources["WebhookRule"]["Properties"]["EventPattern"]["detail"]
        self.assertEqual(pattern["stateMachineArn"], [{"Ref": "RenderStateMachine"}])
        self.assertEqual(pattern["status"], ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
        hooked = [name for name, one in self.resources.items() if name.startswith("Webhook")]
        for name in hooked:
            self.assertEqual(self.resources[name].get("Condition"), "HasWebhook", name)
        self.assertTrue(self.template["Parameters"]["WebhookSecret"]["NoEcho"])
        self.assertIn("WebhooksHaveASecret", self.template["Rules"])
        (target,) = self.resources["WebhookRule"]["Properties"]["Targets"]
        self.assertNotIn("InputTransformer", target)
        kept = {"Fn::GetAtt": ["WebhookDeadLetters", "Arn"]}
        self.assertEqual(target["DeadLetterConfig"], {"Arn": kept})
        retries = self.resources["WebhookRetries"]["Properties"]
        self.assertEqual(retries["DestinationConfig"], {"OnFailure": {"Destination": kept}})

    def test_an_image_is_named_by_its_digest(self):
        pattern = self.template["Parameters"]["ImageUri"]["AllowedPattern"]
        repository, digest = "123456789012.dkr.ecr.us-east-1.amazonaws.com/framewright", f"@sha256:{'0' * 64}"
        for uri, taken in [("", True), (repository + digest, True), (f"{repository}:1{digest}", True)] + [
            (uri, False) for uri in (repository, f"{repository}:1", repository + digest[:-1], "framewright" + digest)
        ]:
            self.assertEqual(bool(re.search(pattern, uri)), taken, uri)

    def test_what_a_render_has_made_is_kept_longer_than_the_render_may_take(self):
        days = self.template["Parameters"]["WorkDays"]["MinValue"]
        self.assertGreater(days * 86400, definition(TEMPLATE)["TimeoutSeconds"])

    def test_a_submitter_may_put_projects_get_videos_and_follow_renders(self):
        (block,) = [one for one in re.findall(r"```json\n(.*?)```", OPERATING, re.DOTALL) if '"Statement"' in one]
        rights = {
            action: statement["Resource"]
            for statement in json.loads(block)["Statement"]
            for action in listed(statement["Action"])
            if not statement["Resource"].endswith("/outputs/*")
        }
        bucket, states = "arn:aws:s3:::BUCKET", "arn:aws:states:REGION:ACCOUNT"
        expected = {f"s3:{name}": f"{bucket}/projects/*" for name in ("GetObject", "PutObject", "AbortMultipartUpload")}
        expected |= {"s3:ListBucket": bucket, "states:StartExecution": f"{states}:stateMachine:MACHINE"}
        followed = ("DescribeExecution", "GetExecutionHistory", "StopExecution")
        expected |= {f"states:{name}": f"{states}:execution:MACHINE:*" for name in followed}
        self.assertEqual(rights, expected)
        videos = [one["Action"] for one in json.loads(block)["Statement"] if one["Resource"].endswith("/outputs/*")]
        self.assertEqual(videos, ["s3:GetObject"])

    def test_a_deployer_is_told_every_right_that_the_resources_ask_for(self):
        told = set()
        for service, actions in re.findall(r"^\| `([a-z0-9]+)` \| ([^|]+) \|", OPERATING, re.MULTILINE):
            told |= {f"{service}:{action}" for action in re.findall(r"`([A-Za-z*]+)`", actions)}
        services = {right.split(":")[0] for right in told}
        for kind in {one["Type"] for one in self.resources.values()}:
            handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
            asked = {right for name, one in handlers.items() if name != "list" for right in one["permissions"]}
            asked = {right for right in asked if right.split(":")[0] in services and not UNUSED.fullmatch(right)}
            untold = {right for right in asked if not any(fnmatch(right, pattern) for pattern in told)}
            self.assertEqual(untold, set(), kind)

    def test_every_output_that_a_command_line_reads_is_there(self):
        theirs = {"RenderBucketName", "RenderFunctionArn", "RenderStateMachineArn"}
        self.assertEqual(set(self.template["Outputs"]), NAMES | theirs)

    def test_the_definition_has_no_substitution_that_nobody_makes(self):
        text = (TEMPLATE.parent / "render.asl.json").read_text()
        wanted = {part.split("}")[0] for part in text.split("${")[1:]}
        machine = self.source["Resources"]["RenderStateMachine"]["Properties"]
        self.assertEqual(wanted, set(machine["DefinitionSubstitutions"]))


if __name__ == "__main__":
    unittest.main()
