"""Validates a value with a shape: types, required members, enumerations, lengths, numbers,
patterns.

botocore's own validation omits enumerations, patterns and upper limits. Errors never quote the
value.
"""

import base64
import binascii
import datetime
import re
from functools import cache

# AWS's patterns are Java's: those that Python can't parse are skipped.
NOT_UNDERSTOOD = set()

_PYTHON_TYPES = {
    "boolean": bool, "integer": int, "long": int, "float": (int, float), "double": (int, float),
    "timestamp": (int, float, str, datetime.datetime),
}


def problems(shape, value, where=""):
    """One line per problem, which starts with the place inside the value."""
    for place, problem in found(shape, value, where):
        yield f"{place}: {problem}" if place else problem


def found(shape, value, where="", open_ended=False):
    """The place and the problem of each. `open_ended` values may have members that the shape lacks.
    """
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, value, where, open_ended)
    elif kind == "list":
        if not isinstance(value, list):
            yield where, f"is not a list but {type(value).__name__}"
            return
        yield from _within(shape, len(value), where, "members")
        for member in value:
            yield from found(shape.member, member, f"{where}[]", open_ended)
    elif kind == "map":
        if not isinstance(value, dict):
            yield where, f"is not a map but {type(value).__name__}"
            return
        yield from _within(shape, len(value), where, "entries")
        for key, member in value.items():
            yield from found(shape.key, key, f"{where}{{key}}", open_ended)
            yield from found(shape.value, member, f"{where}{{}}", open_ended)
    elif kind in ("string", "character"):
        yield from _string(shape, value, where)
    elif kind == "blob":
        yield from _blob(shape, value, where)
    elif not isinstance(value, _PYTHON_TYPES[kind]) or (kind != "boolean" and isinstance(value, bool)):
        yield where, f"is no {kind} but {type(value).__name__}"
    elif kind in ("integer", "long", "float", "double"):
        yield from _within(shape, value, where, "as a number")


def _structure(shape, value, where, open_ended):
    if shape.is_document_type:
        return
    if not isinstance(value, dict):
        yield where, f"is not a structure but {type(value).__name__}"
        return
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"{where}.{name}", "is required"
    for name, member in value.items():
        if name in shape.members:
            if member is not None:
                yield from found(shape.members[name], member, f"{where}.{name}", open_ended)
        elif not open_ended:
            yield f"{where}.{name}", "is no member of the shape"


def _string(shape, value, where):
    if not isinstance(value, str):
        yield where, f"is not a string but {type(value).__name__}"
        return
    yield from _within(shape, len(value), where, "characters")
    if shape.enum and value not in shape.enum:
        yield where, "is not in the enumeration"
    pattern = _pattern(shape.metadata.get("pattern"))
    if pattern and not pattern.fullmatch(value):
        yield where, f"doesn't match {pattern.pattern}"


def _blob(shape, value, where):
    if isinstance(value, str):
        try:
            value = base64.b64decode(value, validate=True)
        except binascii.Error:
            yield where, "is no base64"
            return
    if isinstance(value, (bytes, bytearray)):
        yield from _within(shape, len(value), where, "bytes")


def _within(shape, number, where, unit):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        yield where, f"{number} {unit} are less than {least}"
    if most is not None and number > most:
        yield where, f"{number} {unit} are more than {most}"


@cache
def _pattern(text):
    if not text:
        return None
    try:
        return re.compile(text)
    except re.error:
        NOT_UNDERSTOOD.add(text)
        return None
