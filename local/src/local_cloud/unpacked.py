"""The functions of a test run are unpacked once, not by each of its emulators. Like Lambda's
`/var/task`, the folder is only read.
"""

import os

from ministack.services import lambda_svc


def install():
    # Taken out of the environment, which the functions inherit.
    folder = os.environ.pop("UNPACKED_FUNCTIONS", None)
    if folder:
        for sha256 in os.listdir(folder):
            lambda_svc._provided_code_dirs[sha256] = os.path.join(folder, sha256)
