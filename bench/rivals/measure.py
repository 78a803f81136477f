"""Runs a command and reports its duration, and the processor time and memory of all its processes.

usage: measure.py REPORT COMMAND... The report is JSON. The memory is the largest process's, in bytes.
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
