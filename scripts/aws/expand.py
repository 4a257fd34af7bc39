"""Writes what sam/template.yaml becomes when it is deployed, as plain CloudFormation: expand.py TEMPLATE OUT_DIR

OUT_DIR/template.json has the state machine's definition within it, so that linters see it. OUT_DIR/definition.json is that
definition with its substitutions made, for the checker of state machines. Needs no network and no credentials.
"""

import json
import os
import sys
from pathlib import Path

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:render"


def read(path):
    """The template with what lies beside it put in or replaced by its place in S3, as packaging does."""
    template = yaml_parse(path.read_text())
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::StateMachine":
            definition = path.parent / properties.pop("DefinitionUri")
            properties["Definition"] = json.loads(definition.read_text())
        if resource["Type"] == "AWS::Serverless::Function":
            properties["CodeUri"] = {"Bucket": "artifacts", "Key": f"{name}.zip"}
    return template


def expand(template):
    """Plain CloudFormation, by the translator that runs in CloudFormation."""
    values = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}
    # Managed policies are named by no resource here, so that IAM need not be asked for them.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    return translator.translate(template, parameter_values=values)


def definition(path):
    """The state machine as it runs, with the default of MaxConcurrency."""
    template = yaml_parse(path.read_text())
    values = {
        "RenderFunctionArn": FUNCTION,
        "MaxConcurrency": str(template["Parameters"]["MaxConcurrency"]["Default"]),
    }
    machine = template["Resources"]["RenderStateMachine"]["Properties"]
    if set(machine["DefinitionSubstitutions"]) != set(values):
        sys.exit(f"expand: {path} substitutes other names than {sorted(values)}")
    text = (path.parent / machine["DefinitionUri"]).read_text()
    for name, value in values.items():
        text = text.replace("${" + name + "}", value)
    return json.loads(text)


def main():
    template, out = Path(sys.argv[1]), Path(sys.argv[2])
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    expanded = expand(read(template))
    (out / "template.json").write_text(json.dumps(expanded, indent=1))
    (out / "definition.json").write_text(json.dumps(definition(template), indent=1))


if __name__ == "__main__":
    main()
