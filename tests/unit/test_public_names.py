"""What `import dynattrs` gives, and what it costs."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import types
from pathlib import Path

import pytest

import dynattrs
from dynattrs import aio, otel, testing, workbench
from dynattrs.wire import local_engine

NAMES = sorted(dynattrs.__all__)


def imported_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has after running *code*."""
    report = f"import sys\n{code}\nprint(*sys.modules)"
    # -I: neither the environment nor the working folder has a say.
    done = subprocess.run(
        [sys.executable, "-I", "-c", report], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


# --- Names --------------------------------------------------------------------------------------


def test_all_is_sorted_and_names_nothing_twice():
    assert list(dynattrs.__all__) == sorted(set(dynattrs.__all__))


def test_all_names_what_checkers_see_as_exported():
    """To them a name is public where it is imported as itself: `from x import Session as Session`."""
    tree = ast.parse(Path(dynattrs.__file__).read_text(encoding="utf-8"))
    imported = [
        (each.name, each.asname)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    ]

    assert sorted(name for name, alias in imported if name == alias) == NAMES
    assert {name for name, alias in imported if name != alias} == {"TYPE_CHECKING", "deferral"}


@pytest.mark.parametrize(
    "module",
    ["", ".aio", ".events", ".mapper", ".otel", ".testing", ".workbench"],
    ids=lambda name: name[1:],
)
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
def test_dir_shows_every_public_name_and_nothing_else(module: str, used: bool):
    code = f"import sys, dynattrs{module}; module = sys.modules['dynattrs{module}']"
    if used:
        code += "; [getattr(module, name) for name in module.__all__]"

    code += "; assert dir(module) == sorted(module.__all__), dir(module)"

    subprocess.run([sys.executable, "-I", "-c", code], check=True)


def test_a_star_import_of_every_public_module_gives_its_public_names():
    for module in (dynattrs, aio, dynattrs.events, dynattrs.mapper, otel, testing, workbench):
        given: dict[str, object] = {}
        exec(f"from {module.__name__} import *", given)

        assert given.keys() - {"__builtins__"} == set(module.__all__)


def test_all_names_everything_that_dynattrs_imports_for_its_users():
    # Some are imported when they are asked for.
    for name in NAMES:
        getattr(dynattrs, name)
    public = {
        name
        for name, value in vars(dynattrs).items()
        if not name.startswith("_")
        and name not in ("TYPE_CHECKING", "annotations")
        # Submodules are attributes of a package as soon as somebody has imported them.
        and (not isinstance(value, types.ModuleType) or name in NAMES)
    }

    assert sorted(public) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_exists_and_has_a_docstring_of_its_own(name: str):
    value = getattr(dynattrs, name)
    # Not `inspect.getdoc`, which would find the docstring of a base class.
    text = value.__dict__.get("__doc__") if isinstance(value, type) else value.__doc__

    assert text
    assert not text.startswith(f"{name}("), "a signature that attrs made up is not a docstring"


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in NAMES
        if isinstance(getattr(dynattrs, name), type)
        and issubclass(getattr(dynattrs, name), BaseException)
    ],
)
def test_every_error_has_the_one_root(name: str):
    assert issubclass(getattr(dynattrs, name), dynattrs.DynattrsError)


@pytest.mark.parametrize(
    ("owner", "member"),
    [
        (owner, member)
        for owner in (
            dynattrs.Session,
            dynattrs.Batch,
            dynattrs.Query,
            dynattrs.Tables,
            dynattrs.Transaction,
            dynattrs.Mapper,
            dynattrs.Table,
            dynattrs.Page,
        )
        for klass in owner.__mro__
        if klass.__module__.startswith("dynattrs")
        for member, value in vars(klass).items()
        if not member.startswith("_")
        and (callable(value) or hasattr(value, "__get__"))
        # Slots, which the docstring of their class describes.
        and not isinstance(value, types.MemberDescriptorType)
    ],
)
def test_every_public_method_has_a_docstring(owner: type, member: str):
    # `getdoc` finds the one of cattrs for what cattrs documents.
    assert inspect.getdoc(getattr(owner, member))


def test_every_exported_name_of_the_documented_modules_exists():
    for module in (dynattrs.mapper, dynattrs.events, otel, workbench, local_engine):
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{module.__name__}.{name}"


# --- The cost of an import ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def imported() -> set[str]:
    return imported_by("import dynattrs")


@pytest.mark.parametrize(
    "module",
    [
        # Clients are made by sessions; `boto3` is most of a cold start.
        "boto3",
        "botocore.session",
        "botocore.client",
        "botocore.parsers",
        "urllib3",
        "ssl",
        "http.client",
        # What only some programs use.
        "asyncio",
        "aiobotocore",
        "msgspec",
        "ministack",
        "dynattrs.keys.bounds",
        "dynattrs.schema.capacity",
        "dynattrs.expressions.computed",
        "dynattrs.expressions.operand_types",
        "dynattrs.expressions.updates",
        "dynattrs.tools.generation",
        "dynattrs.schema.infrastructure",
        "dynattrs.wire.local_engine",
        "dynattrs.wire.objects",
        "dynattrs.mapper.arrays",
        "dynattrs.mapper.in_s3",
        "dynattrs.mapper.json_values",
        "dynattrs.mapper.packed",
        "dynattrs.mapper.pydantic_classes",
        "dynattrs.mapper.unions",
        "dynattrs.mapper.read_code",
        "dynattrs.mapper.rows",
        "dynattrs.mapper.write_code",
        "dynattrs.keys.computed",
        "dynattrs.operations.reading.batch_get",
        "dynattrs.operations.writing.batch",
        "dynattrs.operations.writing.beside",
        "dynattrs.operations.writing.edits",
        "dynattrs.operations.writing.encoding",
        "dynattrs.operations.writing.outcomes",
        "dynattrs.operations.writing.leftovers",
        "dynattrs.operations.reading.query",
        "dynattrs.operations.tables.changes",
        "dynattrs.operations.tables.diff",
        "dynattrs.operations.writing.updates",
        "dynattrs.tools.otel",
        "dynattrs.keys.planner",
        "dynattrs.session.results",
        "dynattrs.schema.templates",
        "dynattrs.frames",
        "dynattrs.testing",
        "dynattrs.tools.workbench",
        "dynattrs.wire.instruments",
        "opentelemetry",
        "pandas",
        "pyarrow",
        "pydantic",
        "sqlite3",
        "zoneinfo",
        # What only this library's development uses.
        "hypothesis",
        "pytest",
        "mypy_boto3_dynamodb",
    ],
)
def test_the_import_leaves_alone_what_it_does_not_need(module: str, imported: set[str]):
    assert "dynattrs.session" in imported
    assert module not in imported


def test_a_model_is_declared_and_mapped_without_a_client():
    code = """
from dynattrs import mapper, model, partition_key

@model("things")
class Thing:
    id: str = partition_key()

assert mapper.load(mapper.dump(Thing("a")), Thing) == Thing("a")
assert repr(Thing.id == "a") == "Thing.id == 'a'"
"""
    imported = imported_by(code)

    assert not {"boto3", "botocore.client", "pydantic", "asyncio"} & imported


def test_a_session_and_a_model_without_key_templates_import_no_more_than_they_use():
    code = """
from dynattrs import GlobalIndex, Session, model, partition_key, sort_key

@model("songs", indexes=[GlobalIndex("by-genre", partition_key="genre")])
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = ""

Session(region_name="eu-west-1").close()
"""
    imported = imported_by(code)

    assert "botocore.client" in imported
    for module in ("boto3", "s3transfer", "dynattrs.schema.templates", "dynattrs.keys.planner",
                   "dynattrs.operations.reading.query", "dynattrs.schema.capacity"):  # fmt: skip
        assert module not in imported


@pytest.mark.parametrize("work", ["", "session.get(Thing, 'a')", "session.save(Thing('a'))"])
def test_saving_and_reading_load_nothing_of_tools_and_asyncio(work: str):
    code = f"""
from dynattrs import Session, model, partition_key

@model("things")
class Thing:
    id: str = partition_key()

class Client:
    def get_item(self, **request):
        return {{"Item": {{"id": {{"S": "a"}}}}}}

    def put_item(self, **request):
        return {{}}

session = Session(client=Client())
{work}
session.close()
"""
    loaded = imported_by(code if work else "import dynattrs")

    rooms = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("dynattrs.")}
    assert {"dynattrs.session", "dynattrs.mapper"} <= rooms
    assert not rooms & {"dynattrs.tools", "dynattrs.aio", "dynattrs.otel", "dynattrs.workbench"}
    assert "dynattrs.schema.infrastructure" not in loaded
