"""API Gateway writes each request to the stage's access log in the stage's format, with `-` for
unknown values.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
"""

import contextvars
import re
import time

from ministack.core.responses import new_uuid
from ministack.services import apigateway_v1, cloudwatch_logs

from strict.resources import check

_settings = {}
_answered = contextvars.ContextVar("answered")
_request = contextvars.ContextVar("request")


def install():
    execute, proxy = apigateway_v1._handle_execute_in_scope, apigateway_v1._invoke_lambda_proxy_v1
    build = apigateway_v1._build_lambda_event_v1
    check("AWS::ApiGateway::Stage", _remember)

    def build_event(*arguments, **options):
        event = build(*arguments, **options)
        _request.get([None])[0] = event["requestContext"]["requestId"]
        return event

    async def invoke_lambda_proxy(*arguments, **options):
        answer = await proxy(*arguments, **options)
        # The function's own response, not an error of the gateway.
        if isinstance(answer, tuple) and answer[0] != 502:
            _answered.get().append(str(answer[0]))
        return answer

    async def handle_execute(api_id, stage_name, method, path, *rest):
        answered = []
        _answered.set(answered)
        _request.set([new_uuid()])
        answer = await execute(api_id, stage_name, method, path, *rest)
        setting = _settings.get((api_id, stage_name))
        if setting:
            _write(setting, _variables(stage_name, method, path, answer, answered))
        return answer

    apigateway_v1._build_lambda_event_v1 = build_event
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_lambda_proxy
    apigateway_v1._handle_execute_in_scope = handle_execute


def _remember(properties, _logical_id, _stack_name):
    setting = properties.get("AccessLogSetting")
    if setting:
        _settings[(properties.get("RestApiId"), properties.get("StageName"))] = setting


def _variables(stage_name, method, path, answer, answered):
    status, body = answer[0], answer[2] or b""
    return {
        # The same ID as in the function's event.
        "requestId": _request.get()[0],
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
        "identity.sourceIp": "127.0.0.1",
        "httpMethod": method,
        "path": f"/{stage_name}{path}",
        "status": str(status),
        "responseLength": str(len(body)),
        "integration.status": answered[0] if answered else "-",
    }


def _write(setting, variables):
    group = setting["DestinationArn"].split(":log-group:")[-1]
    if group not in cloudwatch_logs._log_groups:
        return
    message = re.sub(r"\$context\.([a-zA-Z.]+)", lambda found: variables.get(found[1], "-"), setting["Format"])
    stream = {"logGroupName": group, "logStreamName": "access"}
    cloudwatch_logs._create_log_stream(stream)
    event = {"timestamp": int(time.time() * 1000), "message": message}
    cloudwatch_logs._put_log_events({**stream, "logEvents": [event]})
