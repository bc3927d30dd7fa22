"""What all tests share: an AWS environment that reaches nothing, Hypothesis profiles, engines."""

from __future__ import annotations

import ast
import functools
import gc
import importlib.util
import os
import re
import secrets
import sys
import zlib
from collections import Counter, defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

import engines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dynattrs.wire.local_engine import Lease

# Nobody's real profile, role or credentials take part in a test. What a test
# against a real endpoint needs, it takes from AWS_ACCESS_KEY_ID and its kin.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.devnull
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
for _name in (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
):
    os.environ.pop(_name, None)

CI = os.environ.get("CI", "").lower() in {"1", "true"}
ENGINES = ("dynamodb-local", "embedded")
MOST_WORKERS = 8  # each has engines of its own
MOST_CASES = 2  # of one test on one engine, in a run without `--full`
SHRINKING_SECONDS = 15  # of an example of Hypothesis that fails
MOST_AWAITED = 2  # of one test over asyncio, in a run with it
MOST_LOCAL = 4  # of one test on DynamoDB Local, in a run with it in CI
MOST_OF_BOTH = 1  # of one test over asyncio on DynamoDB Local, in a run with it

# What a run without `--full` leaves out, in the words of its last lines.
OTHERS = "beside other libraries"
LONG, DYNAMODB_LOCAL, ASYNCIO = "that take long", "on DynamoDB Local", "over asyncio"
MORE_CASES = "that are further cases of large tables"
MORE_CASES_OVER_ASYNCIO = f"{MORE_CASES}, over asyncio"
LEFT_OUT = pytest.StashKey[dict[str, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="run both engines, threads and asyncio, tests that take long, and all the examples of "
        "Hypothesis; of large tables all cases over threads, and some over asyncio; a run that "
        "names files or tests leaves nothing of them out",
    )
    parser.addoption(
        "--rest",
        action="store_true",
        help="with --full: only what a run without options leaves out, and tests with random examples",
    )
    parser.addoption(
        "--cases",
        type=int,
        default=MOST_CASES,
        metavar="N",
        help="without --full, run at most N cases of a test on one engine (usually %(default)s)",
    )
    parser.addoption(
        "--engine",
        action="append",
        choices=ENGINES,
        help="run integration tests on this engine only (may be repeated)",
    )
    parser.addoption(
        "--no-fast",
        action="store_true",
        help="make sessions with fast=False wherever a test does not say otherwise",
    )


@pytest.hookimpl(tryfirst=True)  # before xdist reads its options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Spread a run over the cores, unless it names files or somebody watches its output."""
    option = config.option
    if not config.pluginmanager.hasplugin("xdist") or is_worker(config):
        return
    decided = option.numprocesses is not None or option.dist != "no"
    if decided or names_files(config) or option.capture == "no":
        return
    option.numprocesses = "auto"  # none with --pdb
    option.maxprocesses = option.maxprocesses or MOST_WORKERS
    option.dist = "worksteal"
    keep_bytecode()


def keep_bytecode() -> None:
    """Where Python must not write bytecode beside its files, let the processes of a run have it outside
    the tree: each of some hundred would compile all that it imports.
    """
    if sys.dont_write_bytecode:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        folder = engines.dynamodb_local_folder().parent / "bytecode"
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(folder))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Two more than there are cores: tests also wait, for engines and for time to pass, two seconds for
    three of work.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or not hasattr(os, "sched_getaffinity"):
        return None
    return len(os.sched_getaffinity(0)) + 2


def is_worker(config: pytest.Config) -> bool:
    """Whether this is a process that xdist has started."""
    return hasattr(config, "workerinput")


def names_files(config: pytest.Config) -> bool:
    """Whether all arguments are files or tests, and none is a folder."""
    return all(argument.partition("::")[0].endswith(".py") for argument in config.args)


def is_full(config: pytest.Config) -> bool:
    return config.getoption("--full") or config.getoption("--rest") or names_files(config)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--no-fast"):
        from dynattrs import Session

        # The default of the argument, so that `Session(fast=True)` still is what it says.
        Session.__init__.__kwdefaults__["fast"] = False
    try:
        from hypothesis import HealthCheck, Phase, settings
        from hypothesis.internal.conjecture import engine
    except ImportError:  # tests/unit needs pytest only
        return
    slow = [HealthCheck.too_slow]
    usual: dict[str, Any] = {
        "deadline": None,
        "database": None,
        # To say which lines matter takes longer than to find an example that fails.
        "phases": [phase for phase in Phase if phase is not Phase.explain],
    }
    settings.register_profile("small", max_examples=5, **usual)
    settings.register_profile("full", max_examples=50, **usual)
    # In CI the same examples every time, on machines that are sometimes slow.
    for name, most in (("small", 5), ("full", 20)):
        settings.register_profile(
            f"ci-{name}",
            settings.get_profile(name),
            max_examples=most,
            derandomize=True,
            suppress_health_check=slow,
        )
    # Searching for a counterexample on purpose: HYPOTHESIS_PROFILE=search.
    settings.register_profile(
        "search", max_examples=5000, deadline=None, suppress_health_check=slow
    )
    name = f"{'ci-' if CI else ''}{'full' if is_full(config) else 'small'}"
    name = os.environ.get("HYPOTHESIS_PROFILE", name)
    settings.load_profile(name)
    if name != "search":
        # A failure is shown as small as it gets in that time. Hypothesis has minutes for it.
        engine.MAX_SHRINKING_SECONDS = SHRINKING_SECONDS


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector away from what collection makes: it all stays, and to look through
    it again and again takes a quarter of the time, and of each test that asks for a collection.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        let_botocore_remember()


def let_botocore_remember() -> None:
    """Let botocore read the description of a service once, and not for each session, and clean a part of
    its user agent once, and not twice for each request. Programs have few sessions, and tests many.
    """
    for module, name in (
        ("botocore.session", "create_loader"),
        ("botocore.useragent", "sanitize_user_agent_string_component"),
    ):
        if function := getattr(sys.modules.get(module), name, None):
            setattr(sys.modules[module], name, functools.lru_cache(1000)(function))
    if session := sys.modules.get("botocore.session"):
        # All endpoints, before a session of ours remembers only those that it needs.
        session.create_loader(None).load_data("endpoints")


class Turned(pytest.Dir):
    """A folder whose files a worker collects from a place of its own on, so that each of them
    compiles a part of the tests, and the others find that part compiled.
    """

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        found = list(super().collect())
        worker = self.config.workerinput  # type: ignore[attr-defined]  # xdist's
        first = int(worker["workerid"].removeprefix("gw")) % worker["workercount"]
        place = len(found) * first // worker["workercount"]
        return found[place:] + found[:place]


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return Turned.from_parent(parent, path=path) if is_worker(parent.config) else None


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """The order in which all workers have the tests: first those that need DynamoDB Local, then those
    that need a proxy before an engine. Both take seconds to start, and start in few workers so.
    """

    def place(item: pytest.Item) -> tuple[bool, bool, str]:
        proxy = "fault_proxies" in getattr(item, "fixturenames", ())
        return "dynamodb-local" not in engines_of(item), not proxy, str(item.path)

    return sorted(items, key=place)


@pytest.hookimpl(tryfirst=True)  # before pytest puts tests together that share a fixture
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the options do not choose, without a line for each test."""
    engines = config.getoption("--engine")
    allowed = [item for item in items if not engines or engines_of(item) <= set(engines)]
    left_out: Counter[str] = Counter()
    if not names_files(config):
        left_out[OTHERS] = len([item for item in allowed if item.get_closest_marker("others")])
        allowed = [item for item in allowed if not item.get_closest_marker("others")]
    if names_files(config):
        chosen = allowed
    elif is_full(config):
        chosen = chosen_of_all(config, allowed, left_out)
    else:
        chosen = chosen_usually(config, allowed, left_out)
    if config.getoption("--rest"):
        usual = set(chosen_usually(config, allowed, Counter()))
        chosen = [item for item in chosen if item not in usual or has_random_examples(item)]
    config.stash[LEFT_OUT] = dict(+left_out)
    picked = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in picked])
    items[:] = in_order(chosen) if is_worker(config) else chosen


def chosen_of_all(
    config: pytest.Config, items: list[pytest.Item], left_out: Counter[str]
) -> list[pytest.Item]:
    """What runs with `--full`: all over threads, some cases of each table over asyncio, and all that a
    run without it has.

    Cases differ in flows, and both kinds of session run the same flows.
    """
    awaited = [item for item in items if parameters_of(item).get("session_kind") == "asyncio"]
    both = [item for item in awaited if parameters_of(item).get("endpoint") == "dynamodb-local"]
    further = further_cases(awaited, MOST_AWAITED) | further_cases(both, MOST_OF_BOTH)
    if CI:
        # The embedded engine has all of them. In CI, DynamoDB Local, where each takes longer, has some.
        local = [item for item in items if parameters_of(item).get("endpoint") == "dynamodb-local"]
        further |= further_cases([item for item in local if item not in further], MOST_LOCAL)
        # What is asyncio's own is held on the embedded engine, and what is an engine's own over threads.
        embedded = {table_of(item) for item in awaited if item not in both}
        further |= {
            item
            for item in both
            if table_of(item) in embedded and not item.get_closest_marker("smoke")
        }
    further -= set(chosen_usually(config, items, Counter()))
    left_out[MORE_CASES_OVER_ASYNCIO] = len(further)
    return [item for item in items if item not in further]


def chosen_usually(
    config: pytest.Config, items: list[pytest.Item], left_out: Counter[str]
) -> list[pytest.Item]:
    """What runs without `--full`; *left_out* counts the others by their reasons."""
    chosen = []
    for item in items:
        if reason := left_out_for(item, config.getoption("--engine")):
            left_out[reason] += 1
        else:
            chosen.append(item)
    further = further_cases(chosen, config.getoption("--cases"))
    left_out[MORE_CASES] = len(further)
    return [item for item in chosen if item not in further]


def has_random_examples(item: pytest.Item) -> bool:
    """Whether Hypothesis makes a test's examples: more of them with `--full`."""
    return bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False))


def further_cases(items: list[pytest.Item], most: int) -> set[pytest.Item]:
    """All but so many cases of each table, chosen by their names: the same ones in every process,
    and spread over all parameters.
    """
    tables: defaultdict[Any, list[pytest.Item]] = defaultdict(list)
    for item in items:
        tables[table_of(item), parameters_of(item).get("endpoint")].append(item)
    further: set[pytest.Item] = set()
    for cases in tables.values():
        cases.sort(key=lambda item: zlib.crc32(item.nodeid.encode()))
        further.update(cases[most:])
    return further


def table_of(item: pytest.Item) -> tuple[Any, ...]:
    """The test that an item is a case of."""
    return item.path, getattr(item, "originalname", None)


def left_out_for(item: pytest.Item, engines: list[str] | None) -> str | None:
    """Why a run without `--full` leaves a test out; None if it does not.

    What is promised for each engine is held to the embedded one, and a part of it to DynamoDB
    Local. A test that was written for DynamoDB Local alone runs there.
    """
    if item.get_closest_marker("full"):
        return LONG
    parameters = parameters_of(item)
    if parameters.get("session_kind") == "asyncio":
        return ASYNCIO
    wanted = engines is not None or item.get_closest_marker("smoke")
    return None if wanted or parameters.get("endpoint") != "dynamodb-local" else DYNAMODB_LOCAL


def engines_of(item: pytest.Item) -> set[str]:
    """The engines that a test needs, by its fixtures and parameters."""
    needs = {name.replace("_", "-") for name in getattr(item, "fixturenames", ())} & set(ENGINES)
    if "aws" in getattr(item, "fixturenames", ()) and importlib.util.find_spec("ministack") is None:
        needs.add("embedded")  # which is made of the same, and is not asked for where it is missing
    parameters = parameters_of(item)
    return needs | {parameters["endpoint"]} if "endpoint" in parameters else needs


def parameters_of(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else callspec.params


def pytest_runtest_setup(item: pytest.Item) -> None:
    if depends_on_the_process(item.name):
        pytest.fail("name its parameters with `id=`: this id differs by process", pytrace=False)


def depends_on_the_process(name: str) -> bool:
    """Whether a test's name holds an address, or a set of several, whose order is a process's own."""
    if re.search(r"\b0x[0-9a-f]{6,}", name):
        return True
    return any(is_set_of_several(found) for found in re.findall(r"\{[^{}]*\}", name))


def is_set_of_several(text: str) -> bool:
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    return isinstance(tree, ast.Set) and len(tree.elts) > 1


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around the reporter's, for the last lines
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    config = session.config
    if is_worker(config):
        config.workeroutput["left_out"] = config.stash.get(LEFT_OUT, {})
    yield
    left_out = config.stash.get(LEFT_OUT, {})
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if left_out and reporter and not is_worker(config):
        parts = [f"{count} {what}" for what, count in sorted(left_out.items())]
        if is_full(config):
            reporter.write_line(
                f"Left out: tests {', '.join(parts)}. To run them, name their files."
            )
            return
        reporter.write_line(f"Left out: tests {', '.join(parts)}; and most random examples.")
        reporter.write_line("To run them all: uv run pytest --full")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a worker of xdist what it has left out: each of them leaves out the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[str]:
    """The endpoint of DynamoDB Local, shared by the whole test run."""
    with ExitStack() as stack:
        yield engines.entered(lambda: stack.enter_context(engines.dynamodb_local()))


@pytest.fixture(scope="session")
def embedded() -> Iterator[Lease]:
    """A lease on the embedded engine, shared by the whole test run."""
    with ExitStack() as stack:
        yield engines.entered(lambda: stack.enter_context(engines.embedded()))


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """The endpoint of S3, KMS and other services, shared by the whole test run."""
    with ExitStack() as stack:
        yield engines.entered(lambda: stack.enter_context(engines.aws()))


@pytest.fixture
def aws_arguments(aws: str) -> dict[str, str]:
    """Keyword arguments for a client of any service, in an account that no other test has. (The names of
    buckets are those of all accounts together.)
    """
    return {
        "endpoint_url": aws,
        "region_name": "us-east-1",
        "aws_access_key_id": str(100_000_000_000 + secrets.randbelow(10**11)),
        "aws_secret_access_key": "testing",
    }
