"""Tasks of the example, with the broker and the results in HoloStore."""

import os

from celery import Celery

PORTS = os.environ["HOLO_PORTS"].split(",")

app = Celery(
    "tasks",
    broker=f"redis://127.0.0.1:{PORTS[1]}/1",
    backend=f"redis://127.0.0.1:{PORTS[2]}/2",
)
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 4
app.conf.broker_connection_retry_on_startup = True


@app.task(bind=True, max_retries=3)
def double(self, n):
    if n % 10 == 3 and self.request.retries == 0:
        raise self.retry(countdown=0.1)
    return 2 * n


@app.task
def total(numbers):
    return sum(numbers)
