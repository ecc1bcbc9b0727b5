"""RQ: jobs with retries, a worker process at each node. `python main.py JOBS`"""

import json
import os
import subprocess
import sys
import time

from redis import Redis
from rq import Queue, Retry, SimpleWorker

from jobs import double

ports = [int(port) for port in os.environ["HOLO_PORTS"].split(",")]
jobs = int(sys.argv[1])
name = f"mail-{int(1000 * time.time())}"

if len(sys.argv) > 2:
    SimpleWorker([sys.argv[2]], connection=Redis(port=int(sys.argv[3]))).work(logging_level="ERROR")
    sys.exit(0)

workers = [
    subprocess.Popen(
        [sys.executable, __file__, "0", name, str(port)], stdout=sys.stderr, stderr=subprocess.DEVNULL
    )
    for port in ports
]
try:
    started = time.time()
    queue = Queue(name, connection=Redis(port=ports[0]))
    sent = [queue.enqueue(double, n, retry=Retry(max=2), result_ttl=600) for n in range(jobs)]
    until = time.time() + 300
    registry = queue.finished_job_registry
    while registry.count < jobs and time.time() < until:
        time.sleep(0.05)
    took_ms = round(1000 * (time.time() - started))
    results = [job.return_value(refresh=True) for job in sent]
finally:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.wait(30)

failed = queue.failed_job_registry.count
queue.delete(delete_jobs=True)
print(json.dumps({"done": len(results), "failed": failed, "tookMs": took_ms}))
sys.exit(0 if results == [2 * n for n in range(jobs)] and failed == 0 else 1)
