"""A custom resource that couldn't be created is deleted anyway: its function may have done a part.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-requesttypes-create.html
"""

import logging

from ministack.services.cloudformation import custom_resource, provisioners, stacks

# The physical ID in the function's failure response, by stack and logical ID.
_named = {}


def install():
    provision, deliver = stacks._provision_resource, custom_resource.deliver_response

    def deliver_response(token, response):
        if response.get("Status") == "FAILED" and response.get("PhysicalResourceId"):
            _named[response.get("StackId"), response.get("LogicalResourceId")] = response["PhysicalResourceId"]
        return deliver(token, response)

    def provision_resource(kind, logical_id, properties, stack_name):
        try:
            return provision(kind, logical_id, properties, stack_name)
        except (RuntimeError, TimeoutError):
            if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource":
                _delete(kind, logical_id, properties, stack_name)
            raise

    custom_resource.deliver_response = deliver_response
    stacks._provision_resource = provision_resource


def _delete(kind, logical_id, properties, stack_name):
    name = _named.pop((provisioners._cr_stack_id(stack_name), logical_id), f"{stack_name}-{logical_id}")
    try:
        provisioners._custom_resource_delete(name, properties, stack_name, logical_id, kind)
    except Exception as error:
        # The stack already fails with the first reason.
        logging.getLogger("cloudformation").warning("Delete of %s after its Create failed: %s", logical_id, error)
