"""A new account runs as few as ten functions at once, and says so; API Gateway makes an error of its own of what that refuses.

MiniStack counts by itself and lets messages of a queue come again with a higher receive count, as AWS does.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

import json

from ministack.services import lambda_svc

import switches


def install():
    to_proxy_response = lambda_svc.lambda_execute_result_to_api_proxy_response

    def proxy_response(result):
        if result.get("throttle"):
            headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "InternalServerErrorException"}
            return {"statusCode": 500, "headers": headers, "body": json.dumps({"message": "Internal server error"})}, None
        return to_proxy_response(result)

    lambda_svc.lambda_execute_result_to_api_proxy_response = proxy_response
    switches.watch("concurrency", _limit)


def _limit(number):
    lambda_svc._ACCOUNT_CONCURRENCY_CAP = int(number)
