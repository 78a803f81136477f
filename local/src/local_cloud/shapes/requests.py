"""Finds the operation and the members of an HTTP request: the inverse of what an SDK does.

The covered services use these protocols: JSON, CBOR and query name the operation, REST spreads its
members over path, query, headers and body.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl, unquote

from botocore import parsers
from botocore.model import OperationModel

from shapes import values

CBOR = "smithy-rpc-v2-cbor"

# What an SDK may add to any request, and the signature.
_COMMON = re.compile(r"x-id|X-Amz-.*|Action|Version|AWSAccessKeyId|Signature|Expires", re.IGNORECASE)


@dataclass
class Request:
    """An operation with the members of its input, and unknown ones."""

    operation: OperationModel
    protocol: str
    members: dict
    unknown: list

    def problems(self):
        for name in self.unknown:
            yield name, "is no member of the operation"
        if shape := self.operation.input_shape:
            yield from values.found(shape, self.members)


def decode(model, method, path, headers, body, query):
    """None where the service has no such operation."""
    if target := headers.get("x-amz-target"):
        return _json(model.operation(target.rsplit(".", 1)[-1]), body)
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return _cbor(model.operation(path.rsplit("/", 1)[-1]), body)
    if model.protocol.startswith("rest-"):
        return _rest(model, method, path, headers, body, query)
    return _query(model, query, body)


def _json(operation, body):
    if operation is None:
        return None
    return Request(operation, "json", json.loads(body or b"{}"), [])


def _cbor(operation, body):
    if operation is None:
        return None
    parser = parsers.RpcV2CBORParser()
    members = parser.parse_data_item(parser.get_peekable_stream_from_bytes(body)) if body else {}
    return Request(operation, CBOR, members, [])


def _query(model, query, body):
    form = {name: found[-1] for name, found in query.items()} | dict(parse_qsl(body.decode(), keep_blank_values=True))
    operation = model.operation(form.get("Action", ""))
    if operation is None:
        return None
    used = set()
    members = _unflattened(operation.input_shape, form, "", used) if operation.input_shape else {}
    unknown = [name for name in form if name not in used and not _COMMON.fullmatch(name)]
    return Request(operation, "query", members or {}, unknown)


def _unflattened(shape, form, prefix, used):
    """The value of `Name.member.1.Key=x` and the like, or None if there is none."""
    kind = shape.type_name
    if kind == "structure":
        members = {}
        for name, member in shape.members.items():
            key = member.serialization.get("name", name)
            value = _unflattened(member, form, f"{prefix}.{key}" if prefix else key, used)
            if value is not None:
                members[name] = value
        return members or None
    if kind == "list":
        if form.get(prefix) == "":
            used.add(prefix)
            return []
        middle = "" if shape.serialization.get("flattened") else f".{shape.member.serialization.get('name', 'member')}"
        return _numbered(lambda at: _unflattened(shape.member, form, f"{prefix}{middle}.{at}", used)) or None
    if kind == "map":
        entry = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
        names = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
        pairs = _numbered(lambda at: tuple(_unflattened(part, form, f"{entry}.{at}.{name}", used)
                                           for part, name in zip((shape.key, shape.value), names)))
        return dict(pairs) or None
    if prefix not in form:
        return None
    used.add(prefix)
    return _typed(shape, form[prefix])


def _numbered(read):
    found, number = [], 1
    while (value := read(number)) is not None and value != (None, None):
        found.append(value)
        number += 1
    return found


def _typed(shape, text):
    """A text of a form, a query, a path or a header, converted to its type if possible."""
    try:
        return {"boolean": {"true": True, "false": False}.__getitem__, "integer": int, "long": int, "float": float, "double": float}.get(
            shape.type_name, str
        )(text)
    except (KeyError, ValueError):
        return text


@dataclass
class _Route:
    operation: OperationModel
    pattern: re.Pattern
    constants: dict

    def fits(self, path, query, headers):
        """How much of the request the operation's URI matches, or None if it is another
        operation's.
        """
        match = self.pattern.fullmatch(path)
        if match is None or any(name not in query or (value and query[name][-1] != value) for name, value in self.constants.items()):
            return None
        shape, told = self.operation.input_shape, 2 * len(self.constants)
        for name, member in (shape.members if shape else {}).items():
            where, key = member.serialization.get("location"), member.serialization.get("name", name)
            if name in shape.required_members and where in ("querystring", "header"):
                if key not in query and key.lower() not in headers:
                    return None
                told += 1
        return told, -len(self.pattern.pattern.split("[^/]")), match


@cache
def _routes(model):
    routes = {}
    for operation in model.operations():
        path, _, query = operation.http["requestUri"].partition("?")
        pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", lambda label: f"(?P<{label[1]}>{'.+' if label[2] else '[^/]+'})", re.escape(path))
        constants = dict(parse_qsl(query, keep_blank_values=True))
        routes.setdefault(operation.http["method"], []).append(_Route(operation, re.compile(pattern + "/?"), constants))
    return routes


def _rest(model, method, path, headers, body, query):
    fitting = [(fit, route) for route in _routes(model).get(method, []) if (fit := route.fits(path, query, headers))]
    if not fitting:
        return None
    (*_, match), route = max(fitting, key=lambda fitting: fitting[0][:2])
    shape, used = route.operation.input_shape, set(route.constants)
    members = {}
    for name, member in (shape.members if shape else {}).items():
        where, key = member.serialization.get("location"), member.serialization.get("name", name)
        if where == "uri":
            members[name] = _typed(member, unquote(match[key]))
        elif where == "querystring" and member.type_name != "map" and key in query:
            used.add(key)
            is_list = member.type_name == "list"
            members[name] = [_typed(member.member, text) for text in query[key]] if is_list else _typed(member, query[key][-1])
        elif where == "header" and key.lower() in headers and member.type_name != "list":
            members[name] = _typed(member, headers[key.lower()])
        elif where == "headers":
            start = key.lower()
            members[name] = {header[len(start):]: text for header, text in headers.items() if header.startswith(start)}
    if shape:
        members |= _body(model.protocol, shape, body)
    unknown = [name for name in query if name not in used and not _COMMON.fullmatch(name)]
    return Request(route.operation, model.protocol, members, unknown)


def _body(protocol, shape, body):
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name != "structure":
        # A stream, a blob, or a text such as a bucket's policy.
        is_text = shape.members[payload].type_name == "string"
        return {payload: body.decode() if is_text else body} if body else {}
    read = shape.members[payload] if payload else shape
    if not body or not any(not member.serialization.get("location") for member in read.members.values()):
        return {}
    if protocol == "rest-xml":
        parser = parsers.RestXMLParser()
        value = parser._parse_shape(read, parser._parse_xml_string_to_dom(body))
        if not payload:
            value = {name: found for name, found in value.items() if not shape.members[name].serialization.get("location")}
    else:
        value = _named(read, json.loads(body))
    return {payload: value} if payload else value


def _named(shape, value):
    """Members by their names in the shape, which sometimes differ from those in JSON."""
    if not isinstance(value, dict):
        return {}
    names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
    return {names.get(name, name): found for name, found in value.items()}
