"""A new account may be limited to ten concurrent functions. API Gateway turns the refusal into its
own error.

MiniStack itself counts, and redelivers messages with a higher receive count, like AWS.
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
