"""The start of a Python function before its first request for work: it imports boto3."""
import os
import urllib.request

import boto3  # noqa: F401

urllib.request.urlopen(f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/next").read()
