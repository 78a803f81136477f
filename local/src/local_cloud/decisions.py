"""Records each decision about a role's request, one per line: tests read which rights were used or
missing.
"""

from ministack.core import iam_evaluator
from ministack.services import sts

from records import Record


def role_of(access_key):
    arn = (sts._sessions.get(access_key) or {}).get("Arn", "")
    return arn.split("/")[1] if ":assumed-role/" in arn else None


def install():
    decide = iam_evaluator.enforce
    decisions = Record("decisions.jsonl")

    def enforce(access_key, action, service, region, resource_arn="*", service_context=None, asked=True):
        denied = decide(access_key, action, service, region, resource_arn, service_context)
        role = role_of(access_key)
        if role and not isinstance(denied, iam_evaluator.AuthError):
            context = {key: value for key, value in (service_context or {}).items() if isinstance(value, str)}
            decision = {"role": role, "action": action, "resource": resource_arn, "context": context}
            decisions.write({**decision, "allowed": denied is None, "asked": asked})
        return denied

    iam_evaluator.enforce = enforce
