"""Celery: tasks with retries and a chord, and a worker process. `python main.py JOBS`"""

import json
import os
import subprocess
import sys
import time

from celery import chord, group

from tasks import app, double, total

jobs = int(sys.argv[1])
worker = subprocess.Popen(
    [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-P", "threads", "-c", "8"]
    + ["--loglevel", "WARNING", "--without-mingle"],
    cwd=os.path.dirname(os.path.abspath(__file__)),
    stdout=sys.stderr,
)
try:
    started = time.time()
    results = group(double.s(n) for n in range(jobs)).apply_async()
    doubled = results.get(timeout=300)
    few = min(jobs, 50)
    added = chord((double.s(n) for n in range(few)), total.s()).apply_async().get(timeout=60)
    took_ms = round(1000 * (time.time() - started))
finally:
    worker.terminate()
    worker.wait(30)
    app.control.purge()

print(json.dumps({"done": len(doubled), "total": added, "tookMs": took_ms}))
right = doubled == [2 * n for n in range(jobs)] and added == few * (few - 1)
sys.exit(0 if right else 1)
