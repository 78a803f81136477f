"""Rights that services need for their own actions: writing a function's log, reading its queue,
invoking it.

Without them, AWS writes no log, creates no event source, and API Gateway returns an error.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
"""

from fnmatch import fnmatchcase

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import apigateway_v1, cloudwatch_logs, lambda_svc

from strict.resources import check, refused
from strict.rights import may

_READING = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


def install():
    create_mapping, write_log = lambda_svc._create_esm, lambda_svc._emit_lambda_logs
    invoke = apigateway_v1._invoke_lambda_proxy_v1

    def create_esm(request):
        if message := _may_not_read(request.get("EventSourceArn", ""), request.get("FunctionName", "")):
            return error_response_json("InvalidParameterValueException", message, 400)
        return create_mapping(request)

    def emit_lambda_logs(function, *arguments, **options):
        if _may_write(function.get("config") or function):
            write_log(function, *arguments, **options)

    async def invoke_lambda_proxy(integration, api_id, stage_name, stage, resource, path, method, *rest, **options):
        source = f"arn:aws:execute-api:{get_region()}:{get_account_id()}:{api_id}/{stage_name}/{method}{resource.get('path', path)}"
        if not _may_be_called(apigateway_v1._extract_lambda_ref_from_integration_uri(integration.get("uri", "")), source):
            return apigateway_v1._gw_error("API_CONFIGURATION_ERROR", "Internal server error")
        return await invoke(integration, api_id, stage_name, stage, resource, path, method, *rest, **options)

    lambda_svc._create_esm, lambda_svc._emit_lambda_logs = create_esm, emit_lambda_logs
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_lambda_proxy
    check("AWS::Lambda::EventSourceMapping", _look)


def _look(properties, _logical_id, _stack_name):
    if message := _may_not_read(properties.get("EventSourceArn", ""), properties.get("FunctionName", "")):
        raise refused("Lambda", 400, "InvalidParameterValueException", message)


def _may_not_read(queue_arn, function):
    _record, configuration, _name = lambda_svc._get_func_record_for_ref(function)
    if not configuration or ":sqs:" not in queue_arn:
        return None
    for action in _READING:
        if not may(configuration["Role"], f"sqs:{action}", queue_arn):
            return f"The provided execution role does not have permissions to call {action} on SQS"
    return None


def _may_write(configuration):
    group = (configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{configuration.get('FunctionName')}"
    role, arn = configuration.get("Role", ""), f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}"
    if group not in cloudwatch_logs._log_groups and not may(role, "logs:CreateLogGroup", arn):
        return False
    return all(may(role, f"logs:{action}", f"{arn}:log-stream:any") for action in ("CreateLogStream", "PutLogEvents"))


def _may_be_called(function, source):
    record, _configuration, _name = lambda_svc._get_func_record_for_ref(function)
    for statement in ((record or {}).get("policy") or {}).get("Statement", []):
        principal = statement.get("Principal")
        is_meant = principal == "*" or (isinstance(principal, dict) and principal.get("Service") == "apigateway.amazonaws.com")
        pattern = statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "*")
        if is_meant and fnmatchcase(source, pattern):
            return True
    # A missing function is another error.
    return record is None
