"""Where this process records what tests read: next to its own folder."""

import json
import pathlib


class Record:
    """One JSON value per line, readable at any time."""

    def __init__(self, name):
        self._file = (pathlib.Path(__file__).parent.parent / name).open("w", buffering=1)

    def write(self, value):
        print(json.dumps(value), file=self._file)
