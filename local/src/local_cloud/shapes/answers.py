"""Validates a response with the model of its operation, parsed like an SDK."""

import json

from botocore import parsers
from botocore.awsrequest import HeadersDict

from shapes import values
from shapes.requests import CBOR

_PARSERS = {}


def problems(operation, protocol, method, status, headers, body):
    if protocol == CBOR:
        # The installed emulator doesn't support it. Its callers work without a response.
        return
    parser = _PARSERS.setdefault(protocol, parsers.create_parser(protocol))
    texts = HeadersDict({name: ", ".join(text) if isinstance(text, list) else str(text) for name, text in headers.items()})
    shape = operation.output_shape
    streams = operation.has_streaming_output
    if not isinstance(body, (bytes, bytearray)):
        body = body.encode() if isinstance(body, str) else b""
    if status >= 400:
        yield from _error(parser, method, status, texts, body)
        return
    if shape is None:
        return
    if protocol == "json" or (protocol == "rest-json" and not shape.serialization.get("payload")):
        # Parse it again unconverted: botocore corrects wrong types.
        try:
            raw = json.loads(body or b"{}")
        except ValueError:
            yield "", "is no JSON"
            return
    else:
        raw = None
    try:
        value = parser.parse({"status_code": status, "headers": texts, "body": b"" if streams else bytes(body)}, shape)
    except Exception as error:
        # Any error of botocore.
        yield "", f"can't be read: {type(error).__name__}"
        return
    value.pop("ResponseMetadata", None)
    if method == "HEAD" or streams:
        value.pop(shape.serialization.get("payload"), None)
    yield from values.found(shape, raw if protocol == "json" else value, open_ended=True)


def _error(parser, method, status, headers, body):
    if method == "HEAD" or status == 304:
        return
    try:
        error = parser.parse({"status_code": status, "headers": headers, "body": bytes(body)}, None)["Error"]
    except Exception as stumbled:
        yield "", f"an error can't be read: {type(stumbled).__name__}"
        return
    if not error.get("Code"):
        yield "", "an error has no code"
