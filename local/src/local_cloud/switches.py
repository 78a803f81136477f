"""The switches for AWS's slowness: a number for each kind, with its default.

Refusals have no switch. Delays have one, because they would slow down every test. Each has a test
that turns it on.
"""

_VALUES = {
    # Seconds until a changed right takes effect.
    "rights_spread": 0.5,
    # Seconds for which a function runs its old code in its new environment while it is updated.
    "code_follows": 0.1,
    # Seconds for which a certificate is still used by a domain name that was deleted.
    "certificate_stays": 0.0,
    # Seconds for which a network interface outlives the functions that used it.
    "interface_stays": 0.2,
    # Seconds for which CloudFormation retries to delete what is in use. On AWS, up to three
    # quarters of an hour.
    "patience": 3.0,
    # The account's concurrent functions. None: MiniStack's estimate for this machine, up to AWS's
    # 1,000.
    "concurrency": None,
}
_WATCHERS = {}


def value(name):
    return _VALUES[name]


def watch(name, tell):
    """Calls `tell` whenever the switch is set."""
    _WATCHERS[name] = tell


def turn(name, number):
    if name not in _VALUES:
        raise KeyError(name)
    _VALUES[name] = number
    if name in _WATCHERS:
        _WATCHERS[name](number)


def all_of_them():
    return dict(_VALUES)
