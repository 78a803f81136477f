"""Asks moto's IAM engine who may do what: policies and requests from standard input, a list of
verdicts to standard output.

The engine is asked by itself. In front of it moto's server (5.2.5, `call_action` in moto/core/responses.py) asks about the
resource "*" and not the one that a request names, for nearly every service: so it denies kms:Decrypt to who has it on a key.
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
