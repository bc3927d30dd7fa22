"""Where slices run: threads, processes of this machine, or an executor that the program has.

Whatever runs them, a slice may be lost: its process is killed, its machine is gone, it takes too long. Who
submits it is told that, and submits it again.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import sys
import threading
from collections.abc import Collection
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from dynattrs import clock
from dynattrs.errors import MissingExtra, ModelError
from dynattrs.jobs import stopping
from dynattrs.jobs.slices import JobPlan, Slice, SliceResult, run_slice

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

#: What a caller may give: `"processes"`, `"threads"`, an executor, or the address of a scheduler of Dask's.
AnyExecutor: TypeAlias = "Executor | str"

#: How many slices an executor is given at once where it does not say how many it runs.
_UNKNOWN_WIDTH: Final = 8
_MAIN: Final = "__main__:"
#: Forked processes would have this one's locks as they are held by its threads.
_SPAWN: Final = multiprocessing.get_context("spawn")


class Workers(Protocol):
    """What runs slices."""

    @property
    def width(self) -> int:
        """How many at once."""
        ...

    def check(self, plan: JobPlan) -> None:
        """Refuse what its workers could not import.

        Raises:
            ModelError: It says what to do.
        """
        ...

    def submit(self, task: Slice, *, alone: bool) -> Future[SliceResult]:
        """Run a slice; *alone* in a process of its own, where there are processes to be had."""
        ...

    def is_broken(self, error: BaseException) -> bool:
        """Whether an error of a future says that all that were under way beside it are lost as well."""
        ...

    def is_final(self, error: BaseException) -> bool:
        """Whether an error of a future says that its slice was tried often enough."""
        ...

    def stop(self) -> None:
        """Let the slices end early that are under way, as far as they can be told."""
        ...

    def renew(self) -> None:
        """Begin anew with other workers; what is under way is lost.

        Raises:
            BrokenExecutor: It cannot: the executor is the program's.
        """
        ...

    def close(self) -> None:
        """Nothing more is submitted."""
        ...


class Time(Protocol):
    """The time of a parent."""

    def now(self) -> float:
        """Seconds that never go back."""
        ...

    def stamp(self) -> str:
        """The date and time, in ISO 8601."""
        ...

    def random(self) -> float:
        """A float in [0, 1)."""
        ...

    def wait(self, futures: Collection[Future[Any]], seconds: float) -> Collection[Future[Any]]:
        """Wait for one of some futures, or so long; those that are done."""
        ...


class RealTime:
    """The time that passes."""

    random = staticmethod(random.random)

    def now(self) -> float:
        return clock.monotonic()

    def stamp(self) -> str:
        return datetime.now(timezone.utc).isoformat(timespec="seconds")

    def wait(self, futures: Collection[Future[Any]], seconds: float) -> Collection[Future[Any]]:
        if not futures:
            threading.Event().wait(seconds)
            return ()
        return wait(futures, seconds, FIRST_COMPLETED).done


def workers_of(executor: AnyExecutor | None, width: int | None) -> Workers:
    """What runs slices, of what was given as `executor=` and `workers=`.

    Raises:
        ModelError: It is none that can be.
        MissingExtra: It is the address of a scheduler of Dask's, which is not installed.
    """
    if executor is None or executor == "processes":
        return Processes(width or os.cpu_count() or 1)
    if executor == "threads":
        return Threads(width or min(32, 4 * (os.cpu_count() or 1)))
    if isinstance(executor, str) and "://" in executor:
        return OnDask.at(executor, width)
    if type(executor).__module__.partition(".")[0] == "distributed":
        return OnDask(executor, width)
    if isinstance(executor, Executor):
        known: int | None = getattr(executor, "_max_workers", None)
        return Given(executor, width or known or _UNKNOWN_WIDTH)
    raise ModelError(
        "Job",
        f"executor={executor!r}: 'processes', 'threads', an Executor of concurrent.futures, such as "
        f"client.get_executor() of Dask, or the address of a scheduler of Dask's is expected",
    )


# --- Threads --------------------------------------------------------------------------------------


class Threads:
    """Threads of this process: enough where little is computed, and for trying things out."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="dynattrs-job")
        self._signal = stopping.Signal()

    def check(self, plan: JobPlan) -> None:
        """It imports what the process has."""

    def submit(self, task: Slice, *, alone: bool) -> Future[SliceResult]:
        return self._pool.submit(stopping.until, self._signal, run_slice, task)

    def is_broken(self, error: BaseException) -> bool:
        return False

    def is_final(self, error: BaseException) -> bool:
        return False

    def stop(self) -> None:
        self._signal.give()

    def renew(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = ThreadPoolExecutor(self.width, thread_name_prefix="dynattrs-job")

    def close(self) -> None:
        self._signal.give()  # where one was taken for lost, or is not waited for
        self._pool.shutdown(wait=False, cancel_futures=True)


# --- Processes ------------------------------------------------------------------------------------


class Processes:
    """Processes of this machine. Each begins anew and imports what it needs."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._shared = _SPAWN.RawValue("b", 0)
        self._pool = _pool(width, self._shared)
        #: Pools of one process, for slices whose process has died before.
        self._alone: list[ProcessPoolExecutor] = []

    def check(self, plan: JobPlan) -> None:
        check_main(plan, "processes")

    def submit(self, task: Slice, *, alone: bool) -> Future[SliceResult]:
        if not alone:
            return self._pool.submit(run_slice, task)
        pool = _pool(1, self._shared)
        self._alone.append(pool)
        future = pool.submit(run_slice, task)
        future.add_done_callback(lambda _: self._leave(pool))
        return future

    def _leave(self, pool: ProcessPoolExecutor) -> None:
        pool.shutdown(wait=False)
        with contextlib.suppress(ValueError):
            self._alone.remove(pool)

    def is_broken(self, error: BaseException) -> bool:
        return isinstance(error, BrokenExecutor)

    def is_final(self, error: BaseException) -> bool:
        return False

    def stop(self) -> None:
        self._shared.value = 1

    def renew(self) -> None:
        _end(self._pool)
        self._pool = _pool(self.width, self._shared)

    def close(self) -> None:
        for pool in (self._pool, *self._alone):
            _end(pool)


def _pool(width: int, shared: Any) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        width, mp_context=_SPAWN, initializer=_begin_worker, initargs=(shared,)
    )


def _end(pool: ProcessPoolExecutor) -> None:
    """End a pool and its processes, whatever they do: a slice may be stopped at any instant."""
    processes: dict[int, BaseProcess] = dict(getattr(pool, "_processes", None) or {})
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes.values():
        with contextlib.suppress(Exception):  # it has ended
            process.kill()
    for process in processes.values():
        with contextlib.suppress(Exception):
            process.join(5.0)


def _begin_worker(shared: Any) -> None:
    """In a new process: Ctrl-C is for its parent, and where that dies, it ends as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopping.in_process(shared)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_outlive, args=(parent,), daemon=True).start()


def _outlive(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def check_main(plan: JobPlan, what: str) -> None:
    """Refuse names of a main module that other processes cannot run anew.

    Raises:
        ModelError: It says what to do.
    """
    names = [name for name in (*plan.models, plan.description) if _MAIN in name]
    main = sys.modules.get("__main__")
    if names and not getattr(main, "__file__", None):
        raise ModelError(
            "Job",
            f"its models or functions are defined in a notebook or at a prompt, which other {what} cannot "
            f"import; put them into a module, or give executor='threads'",
        )


def check_guarded() -> None:
    """Refuse to begin a job while a worker imports the main module of a program.

    Raises:
        ModelError: It says what to do.
    """
    # (Its own check has the same name, and comes when the first process is started.)
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ModelError(
            "Job",
            "a worker process imports the program, which begins a job as it is imported; write `if __name__ "
            '== "__main__":` before what begins it',
        )


# --- The program's own ----------------------------------------------------------------------------


class Given:
    """An executor of the program's, which it has made and ends itself."""

    def __init__(self, executor: Executor, width: int) -> None:
        self.width = width
        self._executor = executor

    def check(self, plan: JobPlan) -> None:
        if not isinstance(self._executor, ThreadPoolExecutor):
            check_main(plan, "processes")

    def submit(self, task: Slice, *, alone: bool) -> Future[SliceResult]:
        return self._executor.submit(run_slice, task)

    def is_broken(self, error: BaseException) -> bool:
        return isinstance(error, BrokenExecutor)

    def is_final(self, error: BaseException) -> bool:
        return False

    def stop(self) -> None:
        """What it runs hears nothing."""

    def renew(self) -> None:
        raise BrokenExecutor(
            "the executor that was given is broken: one of its workers has died. What was done is "
            "checkpointed: make a new one and call job.resume(executor=...), or give none, and a "
            "pool of processes is made, and made again when it breaks"
        )

    def close(self) -> None:
        """It is its owner's."""


class OnDask(Given):
    """An executor of a client of Dask's, whose scheduler runs tasks of lost workers again.

    Args:
        executor: What `client.get_executor()` gives.
        width: How many slices at once; as many as its workers have threads by default.
    """

    def __init__(self, executor: Any, width: int | None, client: Any = None) -> None:
        self._client = client
        known = getattr(executor, "_client", None)
        super().__init__(executor, width or _threads_of(known) or _UNKNOWN_WIDTH)

    @classmethod
    def at(cls, address: str, width: int | None) -> OnDask:
        """Connect to a scheduler.

        Raises:
            MissingExtra: Dask is not installed.
            ModelError: Nothing answers at the address.
        """
        try:
            from distributed import Client
        except ImportError:
            raise MissingExtra("dask", "distributed") from None
        try:
            client = Client(address, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ModelError("Job", f"executor={address!r}: {error}") from error
        return cls(client.get_executor(), width, client)

    def check(self, plan: JobPlan) -> None:
        if any(_MAIN in name for name in (*plan.models, plan.description)):
            raise ModelError(
                "Job",
                "its models or functions are defined in the main module, which is another one where "
                "Dask's workers run; put them into a module that the workers can import",
            )

    def is_broken(self, error: BaseException) -> bool:
        return False

    def is_final(self, error: BaseException) -> bool:
        # Its scheduler has seen several workers die of it. The class need not be importable here.
        return type(error).__name__ == "KilledWorker"

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _threads_of(client: Any) -> int:
    with contextlib.suppress(Exception):
        return sum(client.nthreads().values())
    return 0
