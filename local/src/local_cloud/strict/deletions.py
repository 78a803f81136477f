"""CloudFormation retries the deletion of resources in use for a while. If it gives up, it keeps
their dependencies.

MiniStack tries once, and then deletes the function and the role of an undeleted custom resource,
which a second deletion would need.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html#troubleshooting-errors-delete-stack-fails
"""

import contextvars
import time

from ministack.services.cloudformation import _stacks, handlers, stacks

import switches

# Resources skipped in the current deletion, by logical ID: something that needs them still exists.
_KEPT = contextvars.ContextVar("kept_by_a_failed_deletion", default=None)

# Operations on these may have to wait, so they run on their own thread.
WAITING = {"AWS::CertificateManager::Certificate", "AWS::EC2::SecurityGroup", "AWS::Lambda::Function"}


class StillInUse(ValueError):
    """CloudFormation retries for a while."""


def install():
    runs_on_worker_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind in WAITING or runs_on_worker_thread(kind)
    stacks._delete_resource = _patiently(stacks._delete_resource)
    stacks._delete_stack_async = handlers._delete_stack_async = _keeping(stacks._delete_stack_async)


def _patiently(delete):
    def delete_resource(kind, physical_id, properties, stack_name=None, logical_id=None):
        deadline = time.monotonic() + switches.value("patience")
        while True:
            try:
                return delete(kind, physical_id, properties, stack_name, logical_id)
            except Exception as error:
                if not isinstance(error, StillInUse) or time.monotonic() > deadline:
                    _keep_what_it_needs(stack_name, logical_id)
                    raise
            time.sleep(0.02)

    return delete_resource


def _keep_what_it_needs(stack_name, logical_id):
    kept, stack = _KEPT.get(), _stacks.get(stack_name)
    if kept is None or stack is None:
        return
    resources, definitions = stack["_resources"], (stack.get("_template") or {}).get("Resources") or {}
    for needed in stacks._with_dependencies([logical_id], definitions, set(resources)) - {logical_id}:
        kept[needed] = resources.pop(needed)


def _keeping(delete_stack):
    async def delete_stack_async(stack_name, *arguments, **options):
        kept = {}
        token = _KEPT.set(kept)
        try:
            await delete_stack(stack_name, *arguments, **options)
        finally:
            _KEPT.reset(token)
            if kept:
                _stacks[stack_name]["_resources"].update(kept)

    return delete_stack_async
