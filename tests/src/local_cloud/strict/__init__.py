"""What AWS refuses or takes its time for, and MiniStack doesn't: one idea a file."""

from strict import (
    api_account,
    buckets,
    certificates,
    custom_resources,
    deletions,
    environments,
    names,
    queues,
)


def install():
    for refusal in (deletions, buckets, certificates, environments, names, queues, api_account, custom_resources):
        refusal.install()
