"""Filter patterns as in CloudWatch Logs: MiniStack requires all words of an optional phrase, and
accepts any JSON.

A message must contain the terms, one of those with `?`, and none of those with `-`. Case counts,
and besides other terms, those with `?` are ignored. Braces contain conditions on members of a JSON
object, with `*` at either end of a text. Unsupported patterns are refused, so that nothing passes
untested. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import re

from ministack.services import cloudwatch_logs

_TERM = re.compile(r'\s*([?-]?)("(?:[^"\\]|\\.)*"|[\w*]+)')
_CONDITION = re.compile(r'\s*\(?\s*\$\.([\w.]+)\s*(!?=)\s*("(?:[^"\\]|\\.)*"|[\w.*-]+)\s*\)?\s*(\|\||&&)?')


def install():
    cloudwatch_logs._compile_filter_pattern = compiled
    cloudwatch_logs._subscription_pattern_matches = lambda pattern, message: compiled(pattern)(message)


def compiled(pattern):
    pattern = (pattern or "").strip()
    if not pattern:
        return lambda _message: True
    if pattern.startswith("{") and pattern.endswith("}"):
        return _of_json(_all(_CONDITION, pattern[1:-1]))
    return _of_text(_all(_TERM, pattern))


def _all(part, text):
    found, end = [], 0
    while text[end:].strip():
        match = part.match(text, end)
        if not match:
            raise NotImplementedError(f"an unsupported filter pattern: {text}")
        found.append(match.groups())
        end = match.end()
    return found


def _plain(term):
    return json.loads(term) if term.startswith('"') else term


def _of_text(terms):
    of = lambda mark: [_plain(term) for sign, term in terms if sign == mark]
    needed, optional, excluded = of(""), of("?"), of("-")

    def matches(message):
        if any(term in message for term in excluded):
            return False
        if needed or not optional:
            return all(term in message for term in needed)
        return any(term in message for term in optional)

    return matches


def _of_json(conditions):
    operators = {operator for *_, operator in conditions[:-1]}
    if len(operators) > 1:
        raise NotImplementedError("an unsupported filter pattern with both && and ||")
    combine = any if operators == {"||"} else all

    def matches(message):
        try:
            value = json.loads(message)
        except ValueError:
            return False
        return isinstance(value, dict) and combine(_holds(value, *condition[:3]) for condition in conditions)

    return matches


def _holds(value, path, operator, expected):
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return False
    text = value if isinstance(value, str) else json.dumps(value)
    glob = ".*".join(re.escape(part) for part in _plain(expected).split("*"))
    return (re.fullmatch(glob, text) is not None) == (operator == "=")
