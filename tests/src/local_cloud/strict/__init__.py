"""What AWS refuses or takes its time for, and MiniStack doesn't: one idea a file."""

from strict import (
    api_account,
    buckets,
    certificates,
    custom_resources,
    deletions,
    environments,
    names,
    networks,
    queues,
    rights,
    service_rights,
)


def install():
    # Rights before networks, which ask for them; deletions before those whose deletion is tried again.
    for refusal in (rights, deletions, buckets, certificates, networks, environments, names, queues, service_rights, api_account, custom_resources):
        refusal.install()
