"""A job on the workers of a Ray cluster: an executor of some lines, which a job takes as any other.

    RAY_ENABLE_UV_RUN_RUNTIME_ENV=0 uv run --group clusters docs/examples/ray_executor.py

(The variable says that Ray's workers use this environment, and build none with uv.)

You need neither an AWS account nor a cluster: Ray and an embedded engine run on this machine. To
use your cluster, set RAY_ADDRESS and give the address of a DynamoDB that its machines reach. They find
their credentials as boto3 does:

    python ray_executor.py http://10.0.0.1:8000
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from typing import Any

import ray

from dynattrs import is_none, jobs, model, partition_key
from dynattrs.wire import local_engine


class RayExecutor(Executor):
    """Each call is a task of Ray's. It has nothing to shut down: Ray is its owner's.

    Args:
        options: Those of `ray.remote`, such as `num_cpus`, `memory` or `resources`.
    """

    def __init__(self, **options: Any) -> None:
        # The job repeats lost work, and says so in the end if a slice kills all of its workers.
        self._task = ray.remote(**{"num_cpus": 1, "max_retries": 0, **options})(_call)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._task.remote(fn, args, kwargs).future()


def _call(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return fn(*args, **kwargs)


@model("people")
class Person:
    id: str = partition_key()
    name: str
    initials: str | None = None


def initials(person: Person) -> Person | None:
    """The initials of those who have none; called again, it does nothing."""
    if person.initials is not None:
        return None
    person.initials = "".join(word[0] for word in person.name.split())
    return person


def main(function: Callable[[Person], object] = initials, endpoint: str | None = None) -> None:
    with ExitStack() as stack:
        if endpoint is None:
            engine = stack.enter_context(local_engine.start())
            # Ray's processes on this machine have the environment of this one.
            os.environ["AWS_ACCESS_KEY_ID"] = engine.access_key
            os.environ["AWS_SECRET_ACCESS_KEY"] = engine.secret_key
            endpoint = engine.endpoint_url
        # Ray brings this file to its workers, which import it: the models and functions at its top.
        stack.enter_context(ray.init(runtime_env={"py_modules": [__file__]}))
        spec = jobs.SessionSpec(region_name="us-east-1", endpoint_url=endpoint)
        session = stack.enter_context(spec.session())
        session.tables.create(Person)
        if session.scan(Person).count() < 900:
            session.save_all(Person(str(n), f"Ada {n % 2 or 'King'} Lovelace") for n in range(900))

        width = int(ray.cluster_resources()["CPU"])
        job = jobs.Job("initials", models=[Person], session=spec, segments=8, workers=width)
        done = job.apply(function, where=is_none(Person.initials), executor=RayExecutor())
        print(done)
        assert sum(1 for person in session.scan(Person) if person.initials in {"AKL", "A1L"}) == 900

        job = jobs.Job("count", models=[Person], session=spec, segments=8, workers=width)
        counted = job.count(executor=RayExecutor())
        assert counted.counts == {"Person": 900}


if __name__ == "__main__":
    # Workers have another main module, so the job gets names from the module of this file.
    import ray_executor

    ray_executor.main(endpoint=next(iter(sys.argv[1:]), None))
