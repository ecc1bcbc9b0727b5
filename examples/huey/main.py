"""Huey: tasks with retries, priorities and delays, a consumer at each node. `python main.py JOBS`"""

import json
import os
import subprocess
import sys
import time

os.environ.setdefault("HOLO_QUEUE", f"mail-{int(1000 * time.time())}")

from tasks import PORTS, double, huey  # noqa: E402  (the name of the queue comes first)

jobs = int(sys.argv[1])
consumers = [
    subprocess.Popen(
        [sys.executable, "-m", "huey.bin.huey_consumer", "tasks.huey", "-w", "4", "-q", "-s", "1"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        env={**os.environ, "HOLO_PORT": port},
        stderr=subprocess.DEVNULL,
    )
    for port in PORTS
]
try:
    started = time.time()
    sent = [
        double.schedule((n,), delay=1) if n % 20 == 7 else double(n, priority=n % 3)
        for n in range(jobs)
    ]
    results = [result.get(blocking=True, timeout=300) for result in sent]
    took_ms = round(1000 * (time.time() - started))
finally:
    for consumer in consumers:
        consumer.terminate()
    for consumer in consumers:
        consumer.wait(30)

left = len(huey)
huey.storage.flush_all()
print(json.dumps({"done": len(results), "left": left, "tookMs": took_ms}))
sys.exit(0 if results == [2 * n for n in range(jobs)] and left == 0 else 1)
