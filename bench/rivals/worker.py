"""A typical worker: Git, zip, boto3. Prints how long each push took.

usage: worker.py URL CLONE ENDPOINT BUCKET KEY [warm]. By default, it clones, zips, uploads and exits.
With `warm`, it keeps its clone, and for each input line fetches one commit, zips and uploads.
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
