"""What AWS refuses or takes its time for, and MiniStack doesn't: one idea a file."""

from strict import (
    buckets,
    certificates,
    custom_resources,
    deletions,
)


def install():
    for refusal in (deletions, buckets, certificates, custom_resources):
        refusal.install()
