"""Starts MiniStack, puts right seven things of it (1.5.33) that differ from AWS, and writes down what it decides about roles.

Without the first four, policies that are right on AWS deny everything here, and would have to be left out; without the
fifth, a stack with a web ACL isn't made; without the sixth, a right would look needless that AWS asks for; without the seventh,
a function that ends after its stack leaves a log group behind.
"""

import json
import pathlib

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_region
from ministack.services import cloudwatch_logs, lambda_svc, s3, sts, waf
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

# What is asked of a log stream is asked of the stream, and not of its group.
resource_arn = iam_actions.extract_resource_arn


def resource_of_request(service, method, path, headers, body, *arguments):
    arn = resource_arn(service, method, path, headers, body, *arguments)
    if service == "logs" and (stream := json.loads(body or b"{}").get("logStreamName")):
        return f"{arn}:log-stream:{stream}"
    return arn


iam_actions.extract_resource_arn = resource_of_request

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

# A web ACL that is associated by a template: what WAF's own API does.
def associate(_logical_id, properties, _stack_name):
    status, _headers, body = waf._associate_web_acl(properties)
    if status >= 400:
        raise ValueError(f"AWS::WAFv2::WebACLAssociation: {body!r}")
    return f"{properties['WebACLArn']}|{properties['ResourceArn']}", {}


provisioners._RESOURCE_HANDLERS["AWS::WAFv2::WebACLAssociation"] = {
    "create": associate,
    "delete": lambda _physical_id, properties: waf._disassociate_web_acl(properties),
}

# What was decided about each request of a role, one a line, for the tests of rights.
decide = iam_evaluator.enforce
decisions = pathlib.Path(__file__).with_name("decisions.jsonl").open("w", buffering=1)


def role_of(access_key):
    arn = (sts._sessions.get(access_key) or {}).get("Arn", "")
    return arn.split("/")[1] if ":assumed-role/" in arn else None


def enforce(access_key, action, service, region, resource_arn="*", service_context=None, asked=True):
    denied = decide(access_key, action, service, region, resource_arn, service_context)
    role = role_of(access_key)
    if role and not isinstance(denied, iam_evaluator.AuthError):
        context = {key: value for key, value in (service_context or {}).items() if isinstance(value, str)}
        decision = {"role": role, "action": action, "resource": resource_arn, "context": context}
        print(json.dumps({**decision, "allowed": denied is None, "asked": asked}), file=decisions)
    return denied


iam_evaluator.enforce = enforce

# Who may not list a bucket isn't told that an object is absent, but that it is forbidden.
s3_request = s3.handle_request


async def s3_request_of(method, path, headers, body, query_params, *arguments, **options):
    answer = await s3_request(method, path, headers, body, query_params, *arguments, **options)
    bucket, _, key = path.lstrip("/").partition("/")
    access_key = app.extract_access_key_id(headers, query_params)
    if method in ("GET", "HEAD") and key and answer[0] == 404 and role_of(access_key):
        # S3 looks at this right by itself: nobody asked for a list.
        if enforce(access_key, "s3:ListBucket", "s3", get_region(), f"arn:aws:s3:::{bucket}", asked=False):
            return s3._error("AccessDenied", "Access Denied", 403, path)
    return answer


s3.handle_request = s3_request_of

# A role that may not make its function's log group doesn't: what is written when the group is gone is lost.
write_log = lambda_svc._emit_lambda_logs


def write_log_where_it_is(function, *arguments, **options):
    group = ((function.get("config") or function).get("LoggingConfig") or {}).get("LogGroup")
    if not group or group in cloudwatch_logs._log_groups:
        write_log(function, *arguments, **options)


lambda_svc._emit_lambda_logs = write_log_where_it_is

app.main()
