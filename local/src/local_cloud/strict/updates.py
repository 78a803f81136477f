"""A function's code and configuration are updated separately: in between, old code runs in the new
environment.

https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html. The order isn't
documented, so code must be able to read the next release's environment.
"""

import time

import switches
from strict.resources import wrap


def install():
    wrap("AWS::Lambda::Function", "update", _in_two_steps)


def _in_two_steps(update):
    def updated(physical_id, before, after, stack_name, logical_id=None):
        code, began = before.get("Code"), time.monotonic()
        if switches.value("code_follows") and code != after.get("Code") and {**before, "Code": None} != {**after, "Code": None}:
            between = {**after, "Code": code}
            name, attributes = update(physical_id, before, between, stack_name, logical_id)
            if name != physical_id:
                # A new function with a new name, which nobody calls yet.
                return update(name, between, after, stack_name, logical_id)
            while time.monotonic() < began + switches.value("code_follows"):
                time.sleep(0.02)
            before = between
        return update(physical_id, before, after, stack_name, logical_id)

    return updated
