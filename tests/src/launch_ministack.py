"""Starts MiniStack, and adds to its IAM the two facts of a request that it lacks (1.5.33).

Without them policies that are right on AWS deny everything here, and would have to be left out.
"""

import json

from ministack import app
from ministack.core import iam_actions

# Nothing leaves this machine, so TLS would protect nothing: loopback counts as aws:SecureTransport.
pin_request_origin = app.pin_request_origin
app.pin_request_origin = lambda address, _secure: pin_request_origin(address, True)

# kms:EncryptionContext:<key> of a request to KMS.
request_tag_context = iam_actions.request_tag_context


def request_context(service, action, body, parameters):
    context = request_tag_context(service, action, body, parameters)
    if service == "kms":
        try:
            request = json.loads(body)
        except ValueError:
            return context
        for key, value in (request.get("EncryptionContext") or {}).items():
            context[f"kms:EncryptionContext:{key}"] = value
    return context


iam_actions.request_tag_context = request_context
app.main()
