"""Uploads standard input in parts: upload.py ENDPOINT BUCKET KEY."""
import sys

import boto3

endpoint, bucket, key = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
s3.upload_fileobj(sys.stdin.buffer, bucket, key)
