"""Request validators in a template take effect: requests without a required header are refused with
400.

MiniStack's API Gateway validates, but its CloudFormation doesn't create validators or assign them to methods.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
"""

from ministack.services import apigateway_v1

from strict.resources import wrap


def install():
    for operation in ("create", "update"):
        wrap("AWS::ApiGateway::RequestValidator", operation, _making_it)
        wrap("AWS::ApiGateway::Method", operation, _keeping_the_validator)


def _making_it(change):
    def changed(*arguments, **options):
        validator, attributes = change(*arguments, **options)
        properties = _properties(arguments)
        validates = {key: properties.get(name) is True or str(properties.get(name)).lower() == "true" for key, name in (
            ("validateRequestParameters", "ValidateRequestParameters"), ("validateRequestBody", "ValidateRequestBody"),
        )}
        validators = apigateway_v1._request_validators.setdefault(properties["RestApiId"], {})
        validators[validator] = {"id": validator, "name": properties.get("Name", ""), **validates}
        return validator, attributes

    return changed


def _keeping_the_validator(change):
    def changed(*arguments, **options):
        outcome = change(*arguments, **options)
        properties = _properties(arguments)
        resource = apigateway_v1._resources[properties["RestApiId"]][properties["ResourceId"]]
        resource["resourceMethods"][properties["HttpMethod"]]["requestValidatorId"] = properties.get("RequestValidatorId")
        return outcome

    return changed


def _properties(arguments):
    """The new properties: an update gets the old ones before that."""
    return [argument for argument in arguments if isinstance(argument, dict)][-1]
