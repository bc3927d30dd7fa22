"""Names in annotations that are defined after the class is: by an import in a circle, or never."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dynattrs import ModelError, Session, mapper
from dynattrs.schema.model_info import models_in

ORDERS = """
from __future__ import annotations
import attrs
from dynattrs import Table, field, model, partition_key
import late_customers

table = Table("app", partition_key="pk")

@attrs.define
class Line:
    customer: late_customers.Address | None = None

@model(table, pk="ORDER#{id}")
class Order:
    id: str
    customer: late_customers.Customer | None = None
    others: "list[late_customers.Customer]" = field(factory=list)
    lines: list[Line] = field(factory=list)
"""
CUSTOMERS = """
from __future__ import annotations
import attrs
from dynattrs import model, partition_key
import late_orders

@attrs.define
class Address:
    city: str

class Nothing:
    pass

@model(late_orders.table, pk="CUSTOMER#{id}")
class Customer:
    id: str
    last: late_orders.Order | None = None
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("late_orders", "late_customers"):
        sys.modules.pop(name, None)


def imported(folder: Path, first: str, orders: str = ORDERS) -> tuple[Any, Any]:
    (folder / "late_orders.py").write_text(orders)
    (folder / "late_customers.py").write_text(CUSTOMERS)
    importlib.invalidate_caches()
    importlib.import_module(first)
    return sys.modules["late_orders"], sys.modules["late_customers"]


def test_a_circle_of_imports_waits_for_the_first_use(modules: Path):
    """While `late_customers` is being imported, it has no `Customer` yet: an AttributeError."""
    orders, customers = imported(modules, "late_customers")
    order = orders.Order(
        "1",
        customers.Customer("2"),
        [customers.Customer("3", orders.Order("4"))],
        [orders.Line(customers.Address("Paris"))],
    )

    assert mapper.load(mapper.dump(order), orders.Order) == order
    assert str(orders.Order.customer.id == "2") == "Order.customer.id == '2'"
    assert [info.name for info in models_in(orders.table)] == ["Order", "Customer"]


def test_an_attribute_that_a_module_never_has_is_named(modules: Path):
    orders, _ = imported(modules, "late_customers", ORDERS.replace("s.Customer |", "s.Custmer |"))

    with pytest.raises(ModelError) as caught:
        mapper.dump(orders.Order("1"))

    assert (caught.value.model, caught.value.field) == ("Order", "customer")
    assert "late_customers.Custmer | None" in caught.value.problem
    assert "has no attribute 'Custmer'" in caught.value.problem
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


def test_a_part_of_an_item_names_its_own_class(modules: Path):
    orders, _ = imported(modules, "late_customers", ORDERS.replace("s.Address", "s.Adress"))

    with pytest.raises(ModelError, match=r"^Line\.customer: its annotation"):
        mapper.dump(orders.Order("1"))


@pytest.mark.parametrize(
    "act",
    [
        lambda cls: mapper.dump(cls("1")),
        lambda cls: mapper.load({"pk": {"S": "ORDER#1"}}, cls),
        lambda cls: cls.id == "1",
        lambda cls: cls.lines == [],
        lambda cls: session_of().query(cls).all(),
        lambda cls: session_of().get(cls, "1"),
        lambda cls: session_of().scan(cls).select(cls.id),
        lambda cls: session_of().delete(cls, "1"),
    ],
)
def test_what_turns_out_to_have_no_stored_form_is_refused_as_at_declaration(
    modules: Path, act: Callable[[Any], Any]
):
    unknown = ORDERS.replace("late_customers.Address", "late_customers.Nothing")
    orders, _ = imported(modules, "late_customers", unknown)

    with pytest.raises(
        ModelError, match=r"^Order\.lines\.customer: expected a type that can be st"
    ):
        act(orders.Order)


def session_of() -> Any:
    return Session(client=object())
