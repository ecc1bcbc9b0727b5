"""What the workers run."""

from rq import get_current_job


def double(n):
    job = get_current_job()
    if n % 10 == 3 and job.retries_left == 2:
        raise ValueError("to be tried again")
    return 2 * n
