"""What a render bucket holds, and how it is emptied."""

from collections import Counter

import boto3
from botocore.exceptions import ClientError

# S3 deletes no more in one request.
BATCH = 1000


def versions(bucket):
    """Every version of every object and every mark of a deleted one, also where versions have been turned on by hand."""
    for page in boto3.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket):
        yield from page.get("Versions", [])
        yield from page.get("DeleteMarkers", [])


def contents(bucket):
    """Objects and bytes by the first part of their keys, or None if there is no such bucket."""
    objects, sizes = Counter(), Counter()
    try:
        for one in versions(bucket):
            top = one["Key"].split("/")[0]
            objects[top] += 1
            sizes[top] += one.get("Size", 0)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return None
        raise
    return {top: (objects[top], sizes[top]) for top in sorted(objects)}


def describe(held):
    if not held:
        return "nothing in it"
    parts = [f"{count} objects in {top}/ ({size / 1e6:.1f} MB)" for top, (count, size) in held.items()]
    return ", ".join(parts)


def delete_bucket(bucket):
    client = boto3.client("s3")
    batch = []

    def flush():
        if batch:
            failed = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}).get("Errors")
            if failed:
                raise ClientError({"Error": failed[0]}, "DeleteObjects")
            batch.clear()

    for one in versions(bucket):
        batch.append({"Key": one["Key"], "VersionId": one["VersionId"]})
        if len(batch) == BATCH:
            flush()
    flush()
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    client.delete_bucket(Bucket=bucket)
