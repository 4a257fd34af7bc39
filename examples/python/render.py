"""Renders a composition on a deployed stack: render.py PROJECT OUT.mp4 [DEPLOYMENT.json]

Needs boto3 and credentials in the environment or a profile. DEPLOYMENT.json is what scripts/deploy.sh wrote.
"""

import io
import json
import sys
import tarfile
import time
import uuid
from pathlib import Path

import boto3

LEFT_OUT = {"node_modules", ".git", ".env", "dist", ".cache", ".framewright"}


def packed(project: Path) -> bytes:
    """The project as the tar.gz that the plan action reads."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", dereference=True) as archive:
        for path in sorted(project.iterdir()):
            if path.name not in LEFT_OUT:
                archive.add(path, arcname=path.name)
    return buffer.getvalue()


def render(project: Path, out: Path, deployment: dict) -> None:
    bucket, name = deployment["BucketName"], f"render-{uuid.uuid4()}"
    region = deployment["StateMachineArn"].split(":")[3]
    s3 = boto3.client("s3", region_name=region)
    steps = boto3.client("stepfunctions", region_name=region)

    s3.put_object(Bucket=bucket, Key=f"projects/{name}/project.tar.gz", Body=packed(project))
    started = steps.start_execution(
        stateMachineArn=deployment["StateMachineArn"],
        name=name,
        input=json.dumps({
            "ProjectS3Uri": f"s3://{bucket}/projects/{name}/project.tar.gz",
            "PlanOutputS3Prefix": f"s3://{bucket}/work/{name}",
            "OutputS3Uri": f"s3://{bucket}/outputs/{name}/output.mp4",
            "Config": {"fps": 30, "chunkSize": 240},
        }),
    )
    while True:
        execution = steps.describe_execution(executionArn=started["executionArn"])
        if execution["status"] != "RUNNING":
            break
        time.sleep(2)
    if execution["status"] != "SUCCEEDED":
        sys.exit(f"{execution['status']}: {execution.get('error')}: {execution.get('cause')}")
    s3.download_file(bucket, f"outputs/{name}/output.mp4", str(out))
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    file = sys.argv[3] if len(sys.argv) > 3 else ".framewright/framewright.json"
    render(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(Path(file).read_text()))
