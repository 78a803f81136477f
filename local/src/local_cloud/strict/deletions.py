"""CloudFormation retries the deletion of resources in use for a while. If it gives up, it keeps
their dependencies. A stack that is deleted while it is created gets no further resources.

MiniStack tries once, and then deletes the function and the role of an undeleted custom resource,
which a second deletion would need. And it would go on creating what it deletes.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html#troubleshooting-errors-delete-stack-fails
"""

import asyncio
import contextvars
import time

from ministack.services.cloudformation import _stacks, changesets, handlers, stacks

import switches

# Resources skipped in the current deletion, by logical ID: something that needs them still exists.
_KEPT = contextvars.ContextVar("kept_by_a_failed_deletion", default=None)

# Creations and updates under way, by the stack's ID, and those of them to stop.
_under_way = {}
_stopped = set()

# Operations on these may have to wait, so they run on their own thread.
WAITING = {"AWS::CertificateManager::Certificate", "AWS::EC2::SecurityGroup", "AWS::Lambda::Function"}


class StillInUse(ValueError):
    """CloudFormation retries for a while."""


def install():
    runs_on_worker_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind in WAITING or runs_on_worker_thread(kind)
    stacks._delete_resource = _patiently(stacks._delete_resource)
    stacks._delete_stack_async = handlers._delete_stack_async = _keeping(stacks._delete_stack_async)
    stacks._provision_keeping_seed = _unless_stopped(stacks._provision_keeping_seed)
    for module in (changesets, handlers):
        module._deploy_stack_async = _noted(module._deploy_stack_async)


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
    async def delete_stack_async(stack_name, stack_id, *arguments, **options):
        if stack_id in _under_way:
            _stopped.add(stack_id)
            await _under_way[stack_id].wait()
        kept = {}
        token = _KEPT.set(kept)
        try:
            await delete_stack(stack_name, stack_id, *arguments, **options)
        finally:
            _KEPT.reset(token)
            if kept:
                _stacks[stack_name]["_resources"].update(kept)

    return delete_stack_async


def _noted(deploy):
    async def deploy_stack_async(stack_name, stack_id, *arguments, **options):
        _under_way[stack_id] = asyncio.Event()
        try:
            await deploy(stack_name, stack_id, *arguments, **options)
        finally:
            _stopped.discard(stack_id)
            _under_way.pop(stack_id).set()

    return deploy_stack_async


def _unless_stopped(provision):
    def provision_resource(kind, logical_id, properties, stack_name, *arguments, **options):
        if _stacks[stack_name]["StackId"] in _stopped:
            raise ValueError("Resource creation cancelled")
        return provision(kind, logical_id, properties, stack_name, *arguments, **options)

    return provision_resource
