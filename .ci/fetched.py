"""Judges and rivals from PyPI and npm, at pinned versions in .tools: fetched once for each place of the checkout."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
NAG = ["aws-cdk-lib@2.276.0", "cdk-nag@3.0.2", "constructs@10.8.1"]


def bring(folder, what, *commands):
    """Runs the commands unless they have been run for the same things at the same place."""
    stamp, done = f"{ROOT} {what}", TOOLS / folder / "installed"
    if not done.exists() or done.read_text() != stamp:
        print(f"fetching {what}", file=sys.stderr)
        for command in commands:
            subprocess.run(command, check=True, stdout=sys.stderr, env=environment())
        done.write_text(stamp)


def npm(folder, packages):
    """The modules of the packages, for NODE_PATH."""
    place = TOOLS / folder
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", place, *packages]
    bring(folder, " ".join(packages), ["mkdir", "-p", place], install)
    return place / "node_modules"


def environment(**more):
    """This one, with the Node.js of .tools before others."""
    return {**os.environ, "PATH": f"{TOOLS / 'py/bin'}:{os.environ['PATH']}", **more}
