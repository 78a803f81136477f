"""Starts MiniStack, and puts right three things of it (1.5.33) that differ from AWS.

Without them policies that are right on AWS deny everything here, and would have to be left out.
"""

import json

from ministack import app
from ministack.core import iam_actions
from ministack.services.cloudformation import provisioners

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

# Ref of a secret is its ARN.
secret = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
create, update, delete = secret["create"], secret["update"], secret["delete"]


def name_of(arn):
    return provisioners._sm._resolve(arn)[0] or arn


def identified_by_arn(outcome):
    attributes = outcome[1]
    return attributes["Arn"], attributes


secret["create"] = lambda *arguments: identified_by_arn(create(*arguments))
secret["update"] = lambda arn, *arguments, **options: identified_by_arn(update(name_of(arn), *arguments, **options))
secret["delete"] = lambda arn, properties: delete(name_of(arn), properties)

app.main()
