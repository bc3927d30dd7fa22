"""Private names of other libraries stand in one module, and nowhere else."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import pytest

import dynattrs
from dynattrs import foreign_names

_SOURCE = Path(dynattrs.__file__).parent

#: Names that begin with an underscore and are documented: https://docs.python.org/3/library/
_DOCUMENTED = {"_getframe", "_fields", "_field_defaults", "_exit"}
#: Of Python's own pools and processes, each looked up with a default.
_OF_PYTHON = {"_inheriting", "_max_workers", "_processes"}
#: Of PynamoDB and pynamodb-attributes, in the versions that tests/other_programs names: what `translate`
#: reads of models that the program itself has imported.
_OF_PYNAMODB = {
    "_discriminator_map", "_fmt", "_force_tz", "_force_utc", "_get_discriminator_attribute",
    "_remove_dashes",
}  # fmt: skip
#: Looked up on an object of ours, by a name that another library has as well.
_OURS = {"pages._close"}
_BY_TEXT = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller"}


@attrs.define
class _Read:
    """What stands in the modules. Their trees are many objects, and are not kept."""

    own: set[str] = attrs.field(factory=set)
    """Everything that is defined in this library, as a function, class, variable or attribute."""
    looked_up: list[tuple[str, ast.expr | None, str]] = attrs.field(factory=list)
    """Each private name that is looked up: where, of what, and the name."""
    imported: list[tuple[Path, str]] = attrs.field(factory=list)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name.isidentifier()


@functools.cache
def _source() -> _Read:
    read = _Read()
    for path in _SOURCE.rglob("*.py"):
        if path.name != "foreign_names.py":
            file = path.relative_to(_SOURCE)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                read.own.update(_defined(node))
                for of, name in _looked_up(node):
                    read.looked_up.append((f"{file}:{node.lineno}", of, name))
                if isinstance(node, ast.Import):
                    read.imported += [(file, each.name) for each in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
                    read.imported += [(file, f"{node.module}.{each.name}") for each in node.names]
    return read


def _defined(node: ast.AST) -> Iterable[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return (node.name,)
        case ast.Name(id=name, ctx=ast.Store()):
            return (name,)
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
            return (name,)
        case ast.Assign(targets=[ast.Name(id="__slots__")]):
            slots = (each for each in ast.walk(node.value) if isinstance(each, ast.Constant))
            return [each.value for each in slots]
    return ()


def _looked_up(node: ast.AST) -> Iterator[tuple[ast.expr | None, str]]:
    match node:
        case ast.Attribute(value=of, attr=name) if _is_private(name):
            yield of, name
        case ast.Call(func=ast.Name(id=function), args=arguments) if function in _BY_TEXT:
            of = arguments[0] if function.endswith("attr") else None
            for each in arguments:
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    for name in filter(_is_private, each.value.split(".")):
                        yield of, name


@pytest.mark.full
def test_a_private_name_that_is_not_ours_is_in_the_list_and_used_through_it():
    assert [
        f"{where}: {name}"
        for where, _, name in _source().looked_up
        if name not in _source().own
        and name not in _DOCUMENTED
        and not (name in _OF_PYTHON and where.startswith("jobs/executors"))
        and not (name in _OF_PYNAMODB and where.startswith("tools/pynamodb_models"))
    ] == []


def test_a_name_in_the_list_is_ours_where_an_object_asks_itself():
    """`_send`, say, is botocore's and also a method of a class here."""
    listed = {name.name for way in foreign_names.WAYS for name in way.names}

    assert [
        f"{where}: {ast.unparse(of) if of else ''}.{name}"
        for where, of, name in _source().looked_up
        if name in listed
        and not (isinstance(of, ast.Name) and of.id in {"self", "cls"})
        and (of is None or ast.unparse(of) + f".{name}" not in _OURS)
    ] == []


def test_no_private_module_or_function_of_another_library_is_imported():
    assert [
        f"{file}: {name}"
        for file, name in _source().imported
        if not name.startswith("dynattrs.") and any(map(_is_private, name.split(".")))
    ] == []


def test_every_way_says_what_is_lost_and_has_names():
    for way in foreign_names.WAYS:
        assert way.names
        assert way.lost
        assert way.libraries
