"""A changed right takes effect after seconds: until then, a granted one is denied, and a removed
one still works.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
names no time. People mostly measure less than ten seconds. For a new role or policy, CloudFormation
itself waits (each takes a quarter of a minute), so their rights take effect immediately. Rights
changed by updates, deletions or IAM's API don't.
"""

import time

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam

import switches
from strict.resources import wrap

# A role's rights before its last changes: the time of each, and the documents until then, oldest
# first.
_before = {}


def install():
    gather = iam_evaluator._gather_role_policies

    def gather_role_policies(name, account):
        since = time.monotonic() - switches.value("rights_spread")
        _before[name] = [(changed, documents) for changed, documents in _before.get(name, []) if changed > since]
        if not _before[name]:
            return gather(name, account)
        _changed, documents = _before[name][0]
        return [statements for statements in map(iam_evaluator.parse_policy_document, documents) if statements]

    iam_evaluator._gather_role_policies = gather_role_policies
    for kind in ("AWS::IAM::Role", "AWS::IAM::Policy"):
        for operation in ("update", "delete"):
            wrap(kind, operation, _slowly)

    request = iam.handle_request

    async def handle_request(*arguments, **options):
        known = _documents()
        answer = await request(*arguments, **options)
        _remember(known)
        return answer

    iam.handle_request = handle_request


def may(role_arn, action, resource="*"):
    """Whether a role has a right that a service itself checks."""
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    policies = iam_evaluator._gather_role_policies(name, account)
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn, principal_type="AssumedRole", principal_account=account, action=action, resource_arn=resource,
        region=get_region(), service_context={}, principal_keys={},
    )
    return iam_evaluator.evaluate(context, policies).decision == "Allow"


def _slowly(change):
    def changed(*arguments, **options):
        known = _documents()
        outcome = change(*arguments, **options)
        _remember(known)
        return outcome

    return changed


def _documents():
    """The policy documents of each role."""
    if not switches.value("rights_spread"):
        return None
    account, found = get_account_id(), {}
    for name, role in list(iam._roles.items()):
        attached = [iam_evaluator._resolve_managed_policy_document(arn, account) for arn in role["AttachedPolicies"]]
        found[name] = [*role["InlinePolicies"].values(), *filter(None, attached)]
    return found


def _remember(known):
    if known is None:
        return
    changed, now = time.monotonic(), _documents()
    for name, documents in known.items():
        if now.get(name) != documents:
            _before.setdefault(name, []).append((changed, documents))
