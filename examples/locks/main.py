"""The lock of redis-py, by threads at all nodes: how often it was held, and that it never had two holders.

pip install -r requirements.txt && HOLO_PORTS=16379,16380,16381 python main.py SECONDS
"""

import json
import os
import random
import sys
import threading
import time

import redis

LOCK_SECONDS = 3
WORKERS_PER_NODE = 3
seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
until = time.monotonic() + seconds
name = f"lock:py:{os.getpid()}"
found = {"held": 0, "twice": 0, "failed": 0}
inside = threading.Lock()


def hold(client):
    began = time.monotonic()
    lock = client.lock(name, timeout=LOCK_SECONDS, sleep=0.03, blocking_timeout=2)
    if not lock.acquire():
        return
    # It is used only as long as it surely is held.
    if time.monotonic() - began < LOCK_SECONDS * 0.8:
        if inside.acquire(blocking=False):
            time.sleep(random.uniform(0.001, 0.005))
            inside.release()
        else:
            found["twice"] += 1
        found["held"] += 1
    lock.release()


def work(port):
    client = redis.Redis(port=port, socket_timeout=1.5, socket_connect_timeout=1)
    while time.monotonic() < until:
        try:
            hold(client)
        except (redis.exceptions.RedisError, OSError):
            found["failed"] += 1
            time.sleep(0.05)


ports = [int(port) for port in os.environ.get("HOLO_PORTS", "6379").split(",")]
threads = [threading.Thread(target=work, args=(port,)) for port in ports for _ in range(WORKERS_PER_NODE)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"library": "redis-py", **found}))
sys.exit(0 if found["twice"] == 0 and found["held"] > 0 else 1)
