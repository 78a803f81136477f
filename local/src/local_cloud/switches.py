"""What of AWS's slowness is on: a number for each kind, with what it is when nobody says otherwise.

What only refuses has no switch. What takes time has one, because a test that waits for nothing would only be slower; each
has a test that turns it on.
"""

_VALUES = {
    # Seconds until a changed right counts.
    "rights_spread": 0.5,
    # Seconds for which a function runs its old code in its new environment while it is updated.
    "code_follows": 0.1,
    # Seconds for which a certificate is still used by a domain name that was deleted.
    "certificate_stays": 0.0,
    # Seconds for which a network interface outlives the functions that used it.
    "interface_stays": 0.2,
    # Seconds for which CloudFormation tries again to delete what is still in use; on AWS that is up to three quarters of an hour.
    "patience": 3.0,
    # Functions that run at once in the account. None: as many as MiniStack takes this machine to bear, up to AWS's 1,000.
    "concurrency": None,
}
_WATCHERS = {}


def value(name):
    return _VALUES[name]


def watch(name, tell):
    """Calls `tell` whenever the switch is turned."""
    _WATCHERS[name] = tell


def turn(name, number):
    if name not in _VALUES:
        raise KeyError(name)
    _VALUES[name] = number
    if name in _WATCHERS:
        _WATCHERS[name](number)


def all_of_them():
    return dict(_VALUES)
