"""The variables of a function have at most 4,096 bytes as JSON: names, quotes, commas and escapes
count.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import json

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

from strict.resources import check, refused

LIMIT = 4096


def install():
    create, update = lambda_svc._create_function, lambda_svc._update_config

    def create_function(request):
        return _refusal(request) or create(request)

    def update_config(name, request):
        return _refusal(request) or update(name, request)

    lambda_svc._create_function, lambda_svc._update_config = create_function, update_config
    check("AWS::Lambda::Function", _look)


def _look(properties, _logical_id, _stack_name):
    if message := _message(properties):
        raise refused("Lambda", 400, "InvalidParameterValueException", message)


def _refusal(request):
    if message := _message(request):
        return error_response_json("InvalidParameterValueException", message, 400)
    return None


def _message(properties):
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    text = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) <= LIMIT:
        return None
    # AWS's message continues with the measured text, which may be a secret.
    return "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit."
