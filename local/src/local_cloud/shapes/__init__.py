"""Holds every request that comes in by HTTP, and every answer to it, to AWS's own models: botocore's, which MiniStack brings along.

The SDK that the functions use is made from such models, so it can't send another shape; but it sends any text and any number,
and nobody looks at the lengths, patterns and values that the models demand. Of the emulator's answers not even the shape is sure.
A mismatch is written down, without the value, which may be a secret; the tests fail on it. Which services are covered says
`models.COVERED`; what isn't looked at is what a request streams, and the members that an answer has beyond its model.
"""

from collections import Counter
from functools import partial

from ministack import app

from records import Record
from shapes import accepted, answers, models, requests, values

_validated = Counter()
_accepted = Counter()


def install():
    dispatch = app._dispatch_service_request
    mismatches = Record("mismatches.jsonl")

    async def dispatch_service_request(method, path, headers, body, query, request_id):
        answer = await dispatch(method, path, headers, body, query, request_id)
        service = app.detect_service(method, path, headers, app._routing_params(method, path, headers, body, query))
        if (model := models.of(service)) is None:
            return answer
        for mismatch in _found(model, method, path, headers, body, query, answer):
            if accepted.reason(mismatch):
                _accepted["{side} {service}.{operation} {path}".format(**mismatch)] += 1
            else:
                mismatches.write(mismatch)
        return answer

    app._dispatch_service_request = dispatch_service_request


def summary():
    """What was validated how often, and what wasn't, for the test that shows that it isn't nothing."""
    return {"validated": _validated, "accepted": _accepted, "patterns_not_understood": sorted(values.NOT_UNDERSTOOD)}


def _found(model, method, path, headers, body, query, answer):
    try:
        return list(_mismatches(model, method, path, headers, body, query, answer))
    except Exception as error:
        # Nobody may be refused for what isn't understood here; but it isn't passed over either.
        problem = f"is not understood: {type(error).__name__}"
        return [] if answer[0] == 400 else [_mismatch(model, "request", f"{method} {path}", "", problem)]


def _mismatch(model, side, operation, where, problem):
    return {"side": side, "service": model.name, "operation": operation, "path": where, "problem": problem}


def _mismatches(model, method, path, headers, body, query, answer):
    mismatch = partial(_mismatch, model)
    request = requests.decode(model, method, path, headers, body, query)
    if request is None:
        yield mismatch("request", f"{method} {path}", "", "the service has no such operation")
        return
    name = request.operation.name
    _validated[f"{model.name}.{name}"] += 1
    # What is refused as a bad request has been told so, and of who is denied AWS doesn't look at the request: tests do both on
    # purpose.
    if answer[0] not in (400, 403, 413):
        for where, problem in request.problems():
            yield mismatch("request", name, where, problem)
    for where, problem in answers.problems(request.operation, request.protocol, method, *answer):
        yield mismatch("answer", name, where, problem)
