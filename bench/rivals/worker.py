"""What a worker of the usual kind does: Git, zip, boto3. It prints how long each push took that it
was told of.

usage: worker.py URL CLONE ENDPOINT BUCKET KEY [warm]. Without the last word it clones, zips, uploads and ends. With it, its clone
is kept, and it does the same for each line that it reads, after a fetch of one commit.
"""
import os
import subprocess
import sys
import time

import boto3

url, clone, endpoint, bucket, key = sys.argv[1:6]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


def git(*arguments):
    subprocess.run(["git", *arguments], check=True, stdout=subprocess.DEVNULL)


def first():
    git("clone", "--quiet", "--depth", "1", "--single-branch", url, clone)
    upload()


def following():
    git("-C", clone, "fetch", "--quiet", "--depth", "1", "origin", "main")
    git("-C", clone, "reset", "--quiet", "--hard", "FETCH_HEAD")
    upload()


def upload():
    archive = clone + ".zip"
    if os.path.exists(archive):
        os.remove(archive)
    subprocess.run(["zip", "-q", "-r", archive, ".", "-x", ".git/*"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
    s3.upload_file(archive, bucket, key)


def timed(work):
    begun = time.perf_counter()
    work()
    print(time.perf_counter() - begun, flush=True)


timed(first)
if "warm" in sys.argv[6:]:
    for _ in sys.stdin:
        timed(following)
