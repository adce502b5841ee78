"""A process that behaves like a training run as far as a queue can tell, in milliseconds, and without torch."""

from __future__ import annotations

import sys

from seg_demo.jobs.job import Job
from seg_demo.jobs.process import ProcessRunner

LIKE_A_RUN = """
import fcntl, json, os, signal, sys, time
folder, how = sys.argv[1], sys.argv[2]
stopped = []
if how == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
os.makedirs(os.path.join(folder, "state"), exist_ok=True)
lock = open(os.path.join(folder, "state", "lock"), "w")
fcntl.flock(lock, fcntl.LOCK_EX)
with open(os.path.join(folder, "config.json"), "w") as config:
    config.write("{}")
def tell(event, **rest):
    with open(os.path.join(folder, "events.jsonl"), "a") as events:
        events.write(json.dumps({"event": event, **rest}) + "\\n")
if how == "early":
    sys.exit(0)
tell("RunStarted", step=0)
tell("StepDone", step=7, seconds=1.5)
if how == "crash":
    print("Traceback (most recent call last):\\n  File x\\nValueError: \\x1b[31m" + "x" * 500, file=sys.stderr)
    sys.exit(1)
if how == "memory":
    print("Traceback (most recent call last):\\nMemoryError", file=sys.stderr)
    sys.exit(1)
if how == "disk":
    print("OSError: [Errno 28] No space left on device", file=sys.stderr)
    sys.exit(1)
if how == "segfault":
    os.kill(os.getpid(), signal.SIGSEGV)
if how == "end":
    tell("RunFinished", step=7, seconds=1.5, reason="its length is reached")
    sys.exit(0)
if how == "problem":
    with open(os.environ["SEG_DEMO_PROBLEM_FILE"], "r+b") as problem:
        problem.write(json.dumps({"template": "{file} is bad.", "fields": {"file": folder + "/data/cat.png"}}).encode())
    sys.exit(1)
while not stopped:
    time.sleep(0.01)
tell("RunStopped", step=7, reason="as it was asked to")
sys.exit(143)
"""


class LikeARun(ProcessRunner):
    """Starts processes that are like a run in the way that the flag says."""

    def command(self, job: Job, device: str) -> list[str]:
        facts = job.facts
        words = facts.more or facts.flags
        return [sys.executable, "-S", "-c", LIKE_A_RUN, str(job.folder), *words]
