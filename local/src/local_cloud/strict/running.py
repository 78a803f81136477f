"""A running invocation continues when its function is changed or deleted, until it ends or times
out. Its credentials are valid as long as its role exists.

MiniStack kills running invocations when Lambda's API changes a function, and never ends idle ones
when CloudFormation deletes one. An invocation that read the configuration just before an update
starts its worker after it: MiniStack would reuse that worker, with the old environment, forever.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import contextvars

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

from strict.resources import wrap

_CHANGES = contextvars.ContextVar("a_function_is_changed", default=False)
# Workers that are removed from their pool and end with their invocation.
_leaving = set()


def install():
    invalidate, release = lambda_svc.invalidate_worker, lambda_svc.release_worker
    acquire = lambda_svc.acquire_worker

    def acquire_worker(name, config, *arguments, qualifier="$LATEST", **options):
        lambda_runtime.kill_workers(_of_another_revision(name, config, qualifier))
        return acquire(name, config, *arguments, qualifier=qualifier, **options)

    def invalidate_worker(name, qualifier=None, account=None, region=None):
        if _CHANGES.get():
            _spare_what_runs(name)
        return invalidate(name, qualifier=qualifier, account=account, region=region)

    def release_worker(worker):
        release(worker)
        if worker in _leaving:
            _leaving.discard(worker)
            lambda_runtime.kill_workers([worker])

    lambda_svc.invalidate_worker, lambda_svc.release_worker = invalidate_worker, release_worker
    lambda_svc.acquire_worker = acquire_worker
    for name in ("_delete_function", "_update_code", "_update_config"):
        setattr(lambda_svc, name, _changing(getattr(lambda_svc, name)))
    wrap("AWS::Lambda::Function", "delete", _ending_what_waits)


def _of_another_revision(name, config, qualifier):
    """Removes the idle workers of a function's other revisions from their pool."""
    with lambda_runtime._lock:
        workers = lambda_runtime._workers.get(lambda_runtime._worker_key(name, config, qualifier), [])
        others = [w for w in workers if not w.in_use and w.config.get("RevisionId") != config.get("RevisionId")]
        workers[:] = [worker for worker in workers if worker not in others]
    return others


def _ending_what_waits(delete):
    @_changing
    def delete_function(name, properties):
        outcome = delete(name, properties)
        lambda_svc.invalidate_worker(name, account=get_account_id(), region=get_region())
        return outcome

    return delete_function


def _changing(change):
    def changed(*arguments, **options):
        token = _CHANGES.set(True)
        try:
            return change(*arguments, **options)
        finally:
            _CHANGES.reset(token)

    return changed


def _spare_what_runs(function):
    with lambda_runtime._lock:
        for key, workers in lambda_runtime._workers.items():
            if key.split(":")[-2] == function:
                _leaving.update(worker for worker in workers if worker.in_use)
                workers[:] = [worker for worker in workers if not worker.in_use]
