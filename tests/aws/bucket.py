"""Makes a bucket with one object on an S3 server that is just starting: bucket.py ENDPOINT BUCKET KEY FILE"""

import sys
import time

import boto3
from botocore.exceptions import EndpointConnectionError

endpoint, bucket, key, file = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint)
until = time.monotonic() + 60
while True:
    try:
        s3.create_bucket(Bucket=bucket)
        break
    except EndpointConnectionError:
        if time.monotonic() > until:
            raise
        time.sleep(0.2)
s3.upload_file(file, bucket, key)
