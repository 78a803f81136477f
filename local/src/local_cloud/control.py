"""An HTTP interface for tests besides AWS's API: switches, running functions, validated operations.
"""

import json

from ministack import app
from ministack.services import lambda_svc

import shapes
import switches

SWITCHES = "/_local_cloud/switches"
STATE = "/_local_cloud/state"


def install():
    others = app._handle_pre_body_request

    async def answer(method, path, headers, query, request_id):
        if path == SWITCHES and method == "PUT":
            try:
                for name, values in query.items():
                    switches.turn(name, float(values[0]))
            except (KeyError, ValueError) as error:
                return 400, {"Content-Type": "text/plain"}, f"no such switch: {error}".encode()
            return _json(switches.all_of_them())
        if path == STATE:
            running, _by_function = lambda_svc.executions_in_flight()
            return _json({"running": running, **shapes.summary()})
        return await others(method, path, headers, query, request_id)

    app._handle_pre_body_request = answer


def _json(value):
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()
