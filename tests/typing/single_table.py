"""What checkers see of key templates and item collections. Nobody runs this."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from typing_extensions import assert_type

from dynattrs import Groups, Page, Query, Session, Table, field, model

session = Session()
app = Table("app", partition_key="pk", sort_key="sk", discriminator="type")


@model(app, pk="USER#{user_id}", sk="PROFILE", kind="user")
class User:
    user_id: str
    name: str = ""


@model(
    app, pk="USER#{user_id}", sk="ORDER#{placed}", gsi1pk="A", keys={"gsi1-sk": "B"}, frozen=True
)
class Order:
    user_id: str = field(key_only=True)
    placed: datetime = field(key_only=True)
    total: int = 0


Order("42", datetime.now(timezone.utc), 3)
Order("42")  # type: ignore[call-arg]

both = session.query(User, Order).where(User.user_id == "42", Order.total > 3)
assert_type(both, Query[User | Order])
assert_type(both.reverse().limit(3), Query[User | Order])
for each in both:
    assert_type(each, User | Order)
    if isinstance(each, User):
        assert_type(each.name, str)
    else:
        assert_type(each.total, int)
assert_type(both.all(), list[User | Order])
assert_type(both.page(3), Page[User | Order])
assert_type(session.scan(Order, User), Query[Order | User])

groups = both.group_by_type()
assert_type(groups, Groups)
assert_type(groups[Order], list[Order])
assert_type(groups.one(User), User)

assert_type(
    session.get(Order, {"user_id": "42", "placed": datetime.now(timezone.utc)}), Order | None
)
assert_type(session.move(User("1"), User("2")), User)
assert_type(session.query(User, Order, User, Order, User, Order, User), Query[Any])
session.query(User, "orders")  # type: ignore[call-overload]
both.where(User.nmae == "x")  # type: ignore[attr-defined]

# Key attributes of numbers take any number as a constant.
model(Table("n", partition_key="pk", sort_key="sk", types={"sk": "N"}), pk="A", sk=Decimal("1.5"))
