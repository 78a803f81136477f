"""The names and the visibility timeouts of queues.

CloudFormation shortens the generated name of a FIFO queue to 80 characters before it appends
`.fifo`: https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/280. A queue
whose visibility timeout is shorter than the function's timeout can't feed it:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

import re

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from strict.resources import check, refused

_FIFO = (
    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix "
    "and be 1 to 80 in length."
)
_STANDARD = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"


def install():
    queue_name, create_mapping = provisioners._sqs_queue_name, lambda_svc._create_esm

    def named(properties, stack_name, logical_id):
        name, is_fifo = queue_name(properties, stack_name, logical_id)
        if is_fifo and not properties.get("QueueName"):
            name = f"{provisioners._physical_name(stack_name, logical_id, max_len=80)}.fifo"
        if len(name) > 80 or not re.fullmatch(r"[\w-]+", name.removesuffix(".fifo"), re.ASCII):
            raise refused("Sqs", 400, "InvalidParameterValue", _FIFO if is_fifo else _STANDARD)
        return name, is_fifo

    def create_esm(request):
        if message := _shows_too_early(request.get("EventSourceArn", ""), request.get("FunctionName", "")):
            return error_response_json("InvalidParameterValueException", message, 400)
        return create_mapping(request)

    provisioners._sqs_queue_name, lambda_svc._create_esm = named, create_esm
    check("AWS::Lambda::EventSourceMapping", _look)


def _look(properties, _logical_id, _stack_name):
    if message := _shows_too_early(properties.get("EventSourceArn", ""), properties.get("FunctionName", "")):
        raise refused("Lambda", 400, "InvalidParameterValueException", message)


def _shows_too_early(queue_arn, function):
    queue = next((queue for queue in sqs._queues.values() if queue["attributes"].get("QueueArn") == queue_arn), None)
    _record, configuration, _name = lambda_svc._get_func_record_for_ref(function)
    if not queue or not configuration:
        return None
    hidden, timeout = int(queue["attributes"].get("VisibilityTimeout", 30)), int(configuration.get("Timeout", 3))
    if hidden >= timeout:
        return None
    return (
        f"Invalid request provided: Queue visibility timeout: {hidden} seconds is less than Function timeout: {timeout} seconds"
    )
