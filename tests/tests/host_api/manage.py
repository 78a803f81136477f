"""Manages a repository with gfo, a client that isn't ours: manage.py SERVICE URL OWNER NAME ACTION.

Actions: `add KEY HOOK_URL SECRET EVENT...`, `list`, `remove`. Prints what the host then has. The token
is in the environment.
"""

import json
import os
import sys

from gfo.adapter.registry import create_http_client, get_adapter_class

service, url, owner, name, action, *rest = sys.argv[1:]
client = create_http_client(service, url, os.environ["HOST_TOKEN"])
adapter = get_adapter_class(service)(client, owner, name)
if action == "add":
    key, hook_url, secret, *events = rest
    adapter.create_deploy_key(title="git2s3", key=key, read_only=True)
    hook = adapter.create_webhook(url=hook_url, events=events, secret=secret)
    if service != "bitbucket":
        adapter.test_webhook(hook_id=hook.id)
if action == "remove":
    for key in adapter.list_deploy_keys():
        adapter.delete_deploy_key(key_id=key.id)
    for hook in adapter.list_webhooks():
        adapter.delete_webhook(hook_id=hook.id)
keys = [[key.title, key.key, key.read_only] for key in adapter.list_deploy_keys()]
hooks = [[hook.url, hook.active] for hook in adapter.list_webhooks()]
print(json.dumps({"keys": keys, "hooks": hooks}))
