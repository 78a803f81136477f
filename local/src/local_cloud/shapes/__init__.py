"""Validates every HTTP request and its response with AWS's own models: those of botocore, which
MiniStack includes.

The SDK of the functions is generated from these models, so its requests have the right shape, but
it doesn't check lengths, patterns and values. The emulator's responses may not even have the right
shape. A mismatch is recorded, without the value, which may be a secret, and fails the tests.
`models.COVERED` lists the covered services. Streamed bodies aren't checked, nor members of a
response that the model lacks.
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
    """How often what was validated, and what wasn't, for the test that shows that validation
    happens.
    """
    return {"validated": _validated, "accepted": _accepted, "patterns_not_understood": sorted(values.NOT_UNDERSTOOD)}


def _found(model, method, path, headers, body, query, answer):
    try:
        return list(_mismatches(model, method, path, headers, body, query, answer))
    except Exception as error:
        # A gap in this code must not refuse a request, but it is reported.
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
    # Malformed requests get an error response, and AWS doesn't validate denied ones. Tests send
    # both on purpose.
    if answer[0] not in (400, 403, 413):
        for where, problem in request.problems():
            yield mismatch("request", name, where, problem)
    for where, problem in answers.problems(request.operation, request.protocol, method, *answer):
        yield mismatch("answer", name, where, problem)
