"""Private names of other libraries stand in one module, and nowhere else."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import dynattrs
from dynattrs import foreign_names

_SOURCE = Path(dynattrs.__file__).parent

#: Names that begin with an underscore and are documented: https://docs.python.org/3/library/
_DOCUMENTED = {"_getframe", "_fields", "_field_defaults"}
#: Looked up on an object of ours, by a name that another library has as well.
_OURS = {"pages._close"}
_BY_TEXT = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller"}


@functools.cache
def _nodes() -> tuple[tuple[Path, ast.AST], ...]:
    """All that stands in the modules, of the kinds that are looked at, with its place."""
    kinds = (
        ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Name, ast.Attribute, ast.Assign, ast.Call,
        ast.Import, ast.ImportFrom,
    )  # fmt: skip
    return tuple(
        (path.relative_to(_SOURCE), node)
        for path in _SOURCE.rglob("*.py")
        if path.name != "foreign_names.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, kinds)
    )


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name.isidentifier()


def _own_names() -> set[str]:
    """Everything that is defined in this library, as a function, class, variable or attribute."""
    found: set[str] = set()
    for _, node in _nodes():
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id="__slots__")]):
                found.update(
                    each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)
                )
    return found


def _looked_up() -> Iterator[tuple[str, ast.expr | None, str]]:
    """Each private name that is looked up: where, of what, and the name."""
    for file, node in _nodes():
        match node:
            case ast.Attribute(value=of, attr=name) if _is_private(name):
                yield f"{file}:{node.lineno}", of, name
            case ast.Call(func=ast.Name(id=function), args=arguments) if function in _BY_TEXT:
                of = arguments[0] if function.endswith("attr") else None
                for each in arguments:
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        for name in filter(_is_private, each.value.split(".")):
                            yield f"{file}:{node.lineno}", of, name


def test_a_private_name_that_is_not_ours_is_in_the_list_and_used_through_it():
    own = _own_names()

    assert [
        f"{where}: {name}"
        for where, _, name in _looked_up()
        if name not in own and name not in _DOCUMENTED
    ] == []


def test_a_name_in_the_list_is_ours_where_an_object_asks_itself():
    """`_send`, say, is botocore's and also a method of a class here."""
    listed = {name.name for way in foreign_names.WAYS for name in way.names}

    assert [
        f"{where}: {ast.unparse(of) if of else ''}.{name}"
        for where, of, name in _looked_up()
        if name in listed
        and not (isinstance(of, ast.Name) and of.id in {"self", "cls"})
        and (of is None or ast.unparse(of) + f".{name}" not in _OURS)
    ] == []


def test_no_private_module_or_function_of_another_library_is_imported():
    found = []
    for file, node in _nodes():
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names = [f"{node.module}.{each.name}" for each in node.names]
        found += [
            f"{file}: {name}"
            for name in names
            if not name.startswith("dynattrs.") and any(map(_is_private, name.split(".")))
        ]

    assert found == []


def test_every_way_says_what_is_lost_and_has_names():
    for way in foreign_names.WAYS:
        assert way.names
        assert way.lost
        assert way.libraries
