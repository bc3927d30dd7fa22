"""A job on the workers of Apache Spark: an executor of some lines, which a job takes as any other.

    uv run --group clusters docs/examples/spark_executor.py

You need neither an AWS account nor a cluster, only Java: Spark and an embedded engine run on this
machine. On a cluster, give the address of a DynamoDB that its machines reach. They find their
credentials as boto3 does:

    spark-submit --master spark://10.0.0.1:7077 spark_executor.py http://10.0.0.1:8000
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from pyspark import SparkConf, SparkContext

from dynattrs import is_none, jobs, model, partition_key
from dynattrs.wire import local_engine


class SparkExecutor(Executor):
    """Each call is a job of Spark's, with one task.

    Args:
        context: Where they run. It is its owner's, who stops it.
        width: How many at once.
    """

    def __init__(self, context: SparkContext, width: int) -> None:
        self._context = context
        # Who asks Spark for a result waits for it: a thread for each task.
        self._waiting = ThreadPoolExecutor(width)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._waiting.submit(_on_spark, self._context, lambda _: fn(*args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._waiting.shutdown(wait, cancel_futures=cancel_futures)


def _on_spark(context: SparkContext, call: Callable[[None], Any]) -> Any:
    [result] = context.parallelize([None], 1).map(call).collect()
    return result


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
        # Else its workers are the `python3` of the path.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        conf = SparkConf().setIfMissing("spark.master", "local[2]").setAppName("initials")
        if endpoint is None:
            engine = stack.enter_context(local_engine.start())
            endpoint = engine.endpoint_url
            credentials = {
                "AWS_ACCESS_KEY_ID": engine.access_key,
                "AWS_SECRET_ACCESS_KEY": engine.secret_key,
            }
            os.environ.update(credentials)
            conf.setExecutorEnv(pairs=list(credentials.items()))  # the workers' environment
        context = stack.enter_context(SparkContext(conf=conf))
        # Spark brings this file to its workers, which import it: the models and functions at its top.
        context.addPyFile(__file__)
        width = context.defaultParallelism
        executor = stack.enter_context(SparkExecutor(context, width))
        spec = jobs.SessionSpec(region_name="us-east-1", endpoint_url=endpoint)
        session = stack.enter_context(spec.session())
        session.tables.create(Person)
        if session.scan(Person).count() < 900:
            session.save_all(Person(str(n), f"Ada {n % 2 or 'King'} Lovelace") for n in range(900))

        job = jobs.Job("initials", models=[Person], session=spec, segments=8, workers=width)
        done = job.apply(function, where=is_none(Person.initials), executor=executor)
        print(done)
        assert sum(1 for person in session.scan(Person) if person.initials in {"AKL", "A1L"}) == 900

        job = jobs.Job("count", models=[Person], session=spec, segments=8, workers=width)
        counted = job.count(executor=executor)
        assert counted.counts == {"Person": 900}


if __name__ == "__main__":
    # Workers have another main module, so the job gets names from the module of this file.
    import spark_executor

    spark_executor.main(endpoint=next(iter(sys.argv[1:]), None))
