"""Evaluates permissions with moto's IAM engine: policies and requests from standard input, a list of
decisions to standard output.

The engine is called directly. moto's server (5.2.5, `call_action` in moto/core/responses.py) checks
the resource "*" instead of the request's for nearly every service: so it would deny kms:Decrypt to a
role that has it for a key.
"""

import json
import sys

from moto.iam.access_control import IAMPolicy, PermissionResult

asked = json.load(sys.stdin)
policies = {
    role: [IAMPolicy(json.dumps(document)) for document in documents.values()]
    for role, documents in asked["policies"].items()
}


def permits(request):
    results = {
        policy.is_action_permitted(
            request["action"], request["resource"], incoming_condition_values=request["context"]
        )
        for policy in policies[request["role"]]
    }
    return PermissionResult.PERMITTED in results and PermissionResult.DENIED not in results


json.dump([permits(request) for request in asked["requests"]], sys.stdout)
