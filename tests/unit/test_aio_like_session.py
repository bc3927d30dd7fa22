"""`AsyncSession` and what it hands out are what `Session` and its own are, but for waiting."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from pathlib import Path
from typing import Any

import pytest

import dynattrs
from dynattrs import aio

TWINS = [
    (dynattrs.Session, aio.AsyncSession),
    (dynattrs.Batch, aio.AsyncBatch),
    (dynattrs.Query, aio.AsyncQuery),
    (dynattrs.Items, aio.AsyncItems),
    (dynattrs.Rows, aio.AsyncRows),
    (dynattrs.Tables, aio.AsyncTables),
    (dynattrs.Editing, aio.AsyncEditing),
    (dynattrs.Transaction, aio.AsyncTransaction),
    (dynattrs.Transfer, aio.AsyncTransfer),
    (dynattrs.BulkPut, aio.AsyncBulkPut),
]
#: Names that asyncio has and threads have not: what `contextlib.aclosing` calls.
MORE = {"aclose"}
#: The session that a client is made from is the other library's.
RENAMED = {"aiobotocore_session": "boto3_session"}

twins = pytest.mark.parametrize(
    ("one", "other"), TWINS, ids=lambda cls: cls.__name__ if isinstance(cls, type) else None
)


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def plain(annotation: Any) -> str:
    """An annotation without what tells the two apart."""
    text = annotation if isinstance(annotation, str) else str(annotation)
    text = re.sub(r"Coroutine\[Any, Any, (.*)\]$", r"\1", text)
    return text.replace("Async", "").replace("Pages[", "Iterator[Page[").replace("]]", "]")


def parameters(function: Any) -> list[tuple[str, Any, Any, str]]:
    return [
        (RENAMED.get(each.name, each.name), each.kind, each.default, plain(each.annotation))
        for each in inspect.signature(function).parameters.values()
    ]


@twins
def test_both_have_the_same_public_names(one: type, other: type):
    assert public(other) - public(one) <= MORE
    assert public(one) <= public(other)


@twins
def test_both_say_the_same_of_each_name(one: type, other: type):
    for name in public(one):
        text = inspect.getdoc(getattr(one, name))
        assert text
        assert inspect.getdoc(getattr(other, name)) == text, name


@twins
def test_no_docstring_is_written_twice(one: type, other: type):
    """What they share is inherited from one place, and not copied."""
    for name in public(one):
        mine, yours = vars(one).get(name), vars(other).get(name)
        if mine is not None and yours is not None:
            assert getattr(mine, "__doc__", None) is None, name
            assert getattr(yours, "__doc__", None) is None, name


@twins
def test_both_take_the_same_arguments(one: type, other: type):
    for name in public(one):
        mine, yours = getattr(one, name), getattr(other, name)
        if not callable(mine):
            continue
        assert parameters(mine) == parameters(yours), name
        result, other_result = (
            plain(inspect.signature(each).return_annotation) for each in (mine, yours)
        )
        assert result == other_result, name


def test_both_sessions_are_made_with_the_same_arguments():
    def names(cls: Any) -> list[tuple[str, Any, Any]]:
        return [each[:3] for each in parameters(cls.__init__)]

    assert names(dynattrs.Session) == names(aio.AsyncSession)


#: What makes a client. The embedded engine's is made for it.
OF_CLIENTS = {
    "self", "client", "streams_client", "boto3_session", "region_name", "profile_name",
    "endpoint_url", "config",
}  # fmt: skip


@pytest.mark.parametrize("cls", [dynattrs.Session, aio.AsyncSession])
def test_a_session_on_the_embedded_engine_takes_all_other_options(cls: Any):
    """So a program that writes at a rate, or has a deadline, can be tried out as it is."""
    of_class = [each for each in parameters(cls.__init__) if each[0] not in OF_CLIENTS]

    assert sorted(parameters(cls.local), key=str) == sorted(of_class, key=str)


@pytest.mark.parametrize("cls", [dynattrs.Session, aio.AsyncSession])
@pytest.mark.parametrize("option", ["deadline", "call_timeout", "slow", "costly", "write_units"])
def test_a_session_on_the_embedded_engine_hands_its_options_on(cls: Any, option: str):
    pytest.importorskip("ministack", reason="pip install 'dynattrs[local]'")
    with pytest.raises(dynattrs.ModelError, match=f"{option}=-1"):
        cls.local(**{option: -1})


@pytest.mark.skipif(not hasattr(typing, "get_overloads"), reason="Python 3.11 keeps overloads")
@pytest.mark.parametrize("owner", [("Handle", "AsyncHandle"), ("Query", "AsyncQuery")])
def test_both_have_the_same_overloads(owner: tuple[str, str]):
    from dynattrs.aio import handles as aio_handles
    from dynattrs.aio import results as aio_results
    from dynattrs.session import handles, results

    mine = getattr(handles, owner[0], None) or getattr(results, owner[0])
    yours = getattr(aio_handles, owner[1], None) or getattr(aio_results, owner[1])
    count = 0
    for name, function in vars(mine).items():
        overloads = typing.get_overloads(function) if callable(function) else []  # type: ignore[attr-defined]
        other = typing.get_overloads(vars(yours)[name]) if overloads else []  # type: ignore[attr-defined]
        assert [
            (parameters(each), plain(inspect.signature(each).return_annotation))
            for each in overloads
        ] == [
            (parameters(each), plain(inspect.signature(each).return_annotation)) for each in other
        ], name
        count += len(overloads)
    assert count


#: What tells a line of one from the line of the other.
DIFFERENCES = [
    ("__aenter__", "__enter__"), ("__aexit__", "__exit__"), ("__aiter__", "__iter__"),
    ("Async", ""), ("aiobotocore_session", "boto3_session"),
]  # fmt: skip


class _Waiting(ast.NodeTransformer):
    """Takes `async` and `await` away."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        self.generic_visit(node)
        plain = ast.FunctionDef(**{name: getattr(node, name) for name in node._fields})
        return ast.copy_location(plain, node)

    def visit_Await(self, node: ast.Await) -> Any:
        self.generic_visit(node)
        return node.value


def bodies(path: Path) -> dict[str, str]:
    """The methods of a module's classes, as code without what tells the two apart."""
    tree = _Waiting().visit(ast.parse(path.read_text()))
    found = {}
    for cls in tree.body:
        for method in getattr(cls, "body", []) if isinstance(cls, ast.ClassDef) else []:
            if isinstance(method, ast.FunctionDef):
                text = ast.unparse(method)
                for mine, yours in DIFFERENCES:
                    text = text.replace(mine, yours)
                found.setdefault(f"{cls.name.replace('Async', '')}.{method.name}", []).append(text)
    return {name.replace("__a", "__"): "\n".join(texts) for name, texts in found.items()}


def test_the_handles_of_both_are_line_for_line_twins():
    root = Path(dynattrs.__file__).parent
    mine, yours = (
        bodies(root / room / "handles.py") | bodies(root / room / "blocks.py")
        for room in ("session", "aio")
    )

    assert mine.keys() == yours.keys()
    # The client is made with the first request, and so it is awaited. What is given to a `save_all` may
    # write meanwhile, which a generator cannot do that has to await.
    assert {name for name in mine if mine[name] != yours[name]} == {
        "Handle.client", "Handle.edit", "Transaction.__enter__",
    }  # fmt: skip
