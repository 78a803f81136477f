"""API Gateway writes logs only with a role in the account's settings, which exist only once there
was an API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-account.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

from ministack.services import apigateway_v1

from strict.resources import check, refused


def install():
    check("AWS::ApiGateway::Stage", _needs_a_role)
    check("AWS::ApiGateway::Account", _needs_an_api)


def _needs_a_role(properties, _logical_id, _stack_name):
    settings = properties.get("MethodSettings") or []
    is_logging = any(setting.get("LoggingLevel", "OFF") != "OFF" for setting in settings)
    account = apigateway_v1._account_settings.get("settings") or {}
    if (is_logging or properties.get("AccessLogSetting")) and not account.get("cloudwatchRoleArn"):
        raise refused(
            "ApiGateway", 400, "BadRequestException", "CloudWatch Logs role ARN must be set in account settings to enable logging"
        )


def _needs_an_api(properties, _logical_id, _stack_name):
    if properties.get("CloudWatchRoleArn") and not apigateway_v1._rest_apis:
        raise refused("ApiGateway", 404, "NotFoundException", "Account not found: no API was ever made in this region")
