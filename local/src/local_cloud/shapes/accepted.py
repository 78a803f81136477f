"""Known mismatches of the emulator's responses that do no harm. There are none of requests.

Service, operation, place, and why it is accepted. Unused entries can be removed: the summary counts
them.
"""

_ABSENT = "an absent value is empty instead"

_ACCEPTED = {
    ("cloudformation", "DescribeStacks", ".Stacks[].Description"): _ABSENT,
    ("cloudformation", "DescribeChangeSet", ".Description"): _ABSENT,
    ("cloudformation", "ListChangeSets", ".Summaries[].Description"): _ABSENT,
    **{
        ("lambda", operation, path): reason
        for operation in ("GetFunctionConfiguration", "UpdateFunctionConfiguration")
        for path, reason in (
            (".StateReasonCode", "an invented value: on AWS the state stays Active, and nobody reads it here"),
            (".LastUpdateStatusReasonCode", _ABSENT),
        )
    },
    ("cloudformation", "DescribeStackEvents", ".StackEvents[].ResourceStatus"): "AWS, too, returns a stack's own status there",
}


def reason(mismatch):
    if mismatch["side"] != "answer":
        return None
    return _ACCEPTED.get((mismatch["service"], mismatch["operation"], mismatch["path"]))
