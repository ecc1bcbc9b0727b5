"""Tasks of the example; their queue is a list, the delayed ones are a sorted set."""

import os

from huey import PriorityRedisHuey

PORTS = os.environ["HOLO_PORTS"].split(",")
huey = PriorityRedisHuey(
    os.environ.get("HOLO_QUEUE", "mail"),
    port=int(os.environ.get("HOLO_PORT", PORTS[0])),
    # Who waits for a result is not to be told of a try that another one follows.
    store_intermediate_errors=False,
)


@huey.task(retries=2, context=True)
def double(n, task=None):
    if n % 10 == 3 and task.retries == 2:
        raise ValueError("to be tried again")
    return 2 * n
