"""Mismatches of the emulator's answers that are known and harm nobody; there are none of requests.

Service, operation, place, and why it may stay. An entry that nothing needs any more may go: the summary counts them.
"""

_ABSENT = "what there is none of is empty instead of absent"

_ACCEPTED = {
    ("cloudformation", "DescribeStacks", ".Stacks[].Description"): _ABSENT,
    ("cloudformation", "DescribeChangeSet", ".Description"): _ABSENT,
    ("cloudformation", "ListChangeSets", ".Summaries[].Description"): _ABSENT,
    **{
        ("lambda", operation, path): reason
        for operation in ("GetFunctionConfiguration", "UpdateFunctionConfiguration")
        for path, reason in (
            (".StateReasonCode", "a made-up word: on AWS the state stays Active, and nobody reads it here"),
            (".LastUpdateStatusReasonCode", _ABSENT),
        )
    },
    ("cloudformation", "DescribeStackEvents", ".StackEvents[].ResourceStatus"): "AWS, too, tells a stack's own status there",
}


def reason(mismatch):
    if mismatch["side"] != "answer":
        return None
    return _ACCEPTED.get((mismatch["service"], mismatch["operation"], mismatch["path"]))
