"""What AWS refuses or delays, and MiniStack doesn't: one topic per file."""

from strict import (
    access_log,
    api_account,
    bucket_policies,
    buckets,
    certificates,
    ciphertexts,
    concurrency,
    custom_resources,
    deletions,
    environments,
    events,
    log_filters,
    names,
    networks,
    queues,
    rights,
    running,
    service_rights,
    service_role,
    updates,
    uploads,
    validators,
)


def install():
    # Rights before networks, which check them; deletions before those whose deletion is retried.
    for refusal in (
        rights, deletions, buckets, bucket_policies, certificates, networks, environments, names, queues, events, uploads,
        ciphertexts, service_rights, api_account, validators, concurrency, custom_resources, running, updates, log_filters, access_log,
        service_role,
    ):
        refusal.install()
