"""Events of more than 6,291,456 bytes don't reach a function: API Gateway returns 413, as for
bodies over 10 MB.

The event counts as JSON: a body that API Gateway encoded with base64 is a third longer.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html,
https://zaccharles.medium.com/deep-dive-lambdas-request-payload-size-limit-2-2-6350c1ae5577 (the error message)
"""

import json

from ministack.core.responses import error_response_json
from ministack.services import apigateway_v1, lambda_svc

SYNCHRONOUS = 6_291_456
ASYNCHRONOUS = 1_048_576
BODY = 10 * 1024 * 1024


class _TooLarge(Exception):
    pass


def install():
    handle_request = lambda_svc.handle_request
    build_event, invoke = apigateway_v1._build_lambda_event_v1, apigateway_v1._invoke_lambda_proxy_v1

    async def lambda_request(method, path, headers, body, query_params):
        if path.rstrip("/").endswith("/invocations"):
            is_asynchronous = headers.get("x-amz-invocation-type") == "Event"
            limit = ASYNCHRONOUS if is_asynchronous else SYNCHRONOUS
            if len(body) > limit:
                message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
                return error_response_json("RequestEntityTooLargeException", message, 413)
        return await handle_request(method, path, headers, body, query_params)

    def build_lambda_event(*arguments, **options):
        event = build_event(*arguments, **options)
        # Measured only near the limit: the rest of an event is at most the headers' 10 KB, twice.
        if len(event.get("body") or "") > SYNCHRONOUS // 2:
            if len(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()) > SYNCHRONOUS:
                raise _TooLarge
        return event

    async def invoke_lambda_proxy(integration, api_id, stage_name, stage, resource, path, method, headers, body, *rest, **options):
        try:
            if len(body or b"") > BODY:
                raise _TooLarge
            return await invoke(integration, api_id, stage_name, stage, resource, path, method, headers, body, *rest, **options)
        except _TooLarge:
            return apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")

    lambda_svc.handle_request = lambda_request
    apigateway_v1._build_lambda_event_v1 = build_lambda_event
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_lambda_proxy
