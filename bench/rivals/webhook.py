"""Handles an event like a typical webhook, without the message to the queue. Prints the seconds of
each run.

usage: webhook.py EVENT SECRET
"""
import base64
import hashlib
import hmac
import json
import sys
import time

text, secret = open(sys.argv[1]).read(), sys.argv[2].encode()
for _ in range(1000):
    begun = time.perf_counter()
    event = json.loads(text)
    body = base64.b64decode(event["body"])
    told = event["multiValueHeaders"]["X-Hub-Signature-256"][0]
    assert hmac.compare_digest(told, "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest())
    push = json.loads(body)
    json.dumps({"repository": push["repository"]["full_name"], "ref": push["ref"], "after": push["after"]})
    print(time.perf_counter() - begun)
