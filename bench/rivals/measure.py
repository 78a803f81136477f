"""Runs a command and writes how long it took, and what it and all its children took of the
processor and of memory.

usage: measure.py REPORT COMMAND... The report is JSON; memory is the largest process's, in bytes.
"""
import json
import resource
import subprocess
import sys
import time

report, *command = sys.argv[1:]
begun = time.perf_counter()
code = subprocess.run(command).returncode
wall = time.perf_counter() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(report, "w") as out:
    json.dump({"wall": wall, "processor": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss * 1024, "code": code}, out)
