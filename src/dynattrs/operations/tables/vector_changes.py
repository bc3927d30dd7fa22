"""In what the vector indexes of a table differ from their declarations.

All of an index is fixed when it is made. So what differs is dropped and created anew, one index in a
request, and only on tables that are billed on demand.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_VectorIndexUpdate.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dynattrs.operations.flows import Call
from dynattrs.operations.tables.changes import Comparing, Order, Step, TableChange
from dynattrs.schema import vectors
from dynattrs.schema.capacity import billing_mode, described_mode
from dynattrs.schema.messages import Message
from dynattrs.schema.table import Table, definitions, says
from dynattrs.schema.vectors import VectorIndex


def differences(
    there: Comparing, to_migrate: Callable[[VectorIndex], str]
) -> Iterator[TableChange]:
    """Every difference between what a declaration says of vector indexes and what the service has.

    Args:
        there: The declaration, and the table.
        to_migrate: Says what is to be done besides, where items cannot have the keys of an index yet.
    """
    table, stored = there.table, _by_name(there.description)
    if not says(table, "indexes"):
        return
    for index in table.vector_indexes:
        found = stored.get(index.name)
        if found is None:
            yield _missing(there, index, to_migrate(index))
            continue
        unlike = ", ".join(_unlike(found, vectors.arguments(index, table.key)))
        if unlike:
            yield there.change(
                "indexes",
                f"index {index.name!r} differs: {unlike}",
                "drop it and create it anew; searches fail meanwhile, so rather declare an index of "
                f"another name{to_migrate(index)}",
                _drop(there, index.name),
                _create(there, index),
                destructive=True,
            )
    for name in stored.keys() - {index.name for index in table.vector_indexes}:
        yield there.change(
            "indexes",
            f"it has the vector index {name!r}, not declared",
            "drop it",
            _drop(there, name),
            destructive=True,
        )


def _missing(there: Comparing, index: VectorIndex, migration: str) -> TableChange:
    difference = f"it has no vector index {index.name!r}, which is declared"
    said = says(there.table, "billing") and there.concerns("billing")
    declared = billing_mode(there.table.billing)
    if (declared if said else described_mode(there.description)) == "PAY_PER_REQUEST":
        action = f"create it, and wait until it is filled{migration}"
        return there.change("indexes", difference, action, _create(there, index))
    return there.impossible(
        "indexes",
        difference,
        "only tables that are billed on demand have vector indexes, and this one is provisioned; declare "
        "billing=OnDemand()",
    )


def _create(there: Comparing, index: VectorIndex) -> Step:
    # The service does not look at the definitions that the table has.
    return there.update_table(
        Order.CREATE,
        AttributeDefinitions=definitions(there.table, index.search_attributes),
        VectorIndexUpdates=[{"Create": vectors.arguments(index, there.table.key)}],
    )


def _drop(there: Comparing, name: str) -> Step:
    return there.update_table(Order.DROP, VectorIndexUpdates=[{"Delete": {"IndexName": name}}])


def made_anew(there: Comparing, attribute: str) -> tuple[list[str], list[Step]]:
    """The names of the vector indexes whose searches may state an attribute, and the steps that drop them
    and create what is declared of them.
    """
    names = [
        name
        for name, each in _by_name(there.description).items()
        if any(element["AttributeName"] == attribute for element in each.get("SearchSchema", ()))
    ]
    steps = [_drop(there, name) for name in names]
    steps += [_create(there, each) for each in there.table.vector_indexes if each.name in names]
    return names, steps


def _by_name(description: Message) -> dict[str, Message]:
    return {each["IndexName"]: each for each in description.get("VectorIndexes", ())}


def _unlike(stored: Message, declared: Message) -> Iterator[str]:
    for member, what in (
        ("VectorAttribute", "its vector"),
        ("Dimensions", "its dimensions"),
        ("DistanceFunction", "its distance"),
        ("SearchSchema", "what searches may state"),
        ("Projection", "what it projects"),
    ):
        found, said = _shown(stored.get(member)), _shown(declared.get(member))
        if found != said:
            yield f"{what} is {found}, declared is {said}"


def _shown(value: object) -> str:
    """A member of an index's description, for people."""
    if isinstance(value, list):
        # (Which filter comes first makes no difference.)
        return ", ".join(
            sorted(
                each["AttributeName"]
                + (" (partition key)" if each["SearchSchemaElementType"] == "HASH" else "")
                for each in value
            )
        )
    if not isinstance(value, dict):
        return "nothing" if value is None else str(value)
    if "AttributeName" in value:
        return repr(value["AttributeName"])
    if value.get("ProjectionType") != "INCLUDE":
        return "keys" if value.get("ProjectionType") == "KEYS_ONLY" else "all"
    return ", ".join(sorted(value.get("NonKeyAttributes", ())))


def ignored(table: Table, description: Message) -> list[str]:
    """What is to be said of declared indexes that a table lacks which has just been made or changed: an
    engine that knows none takes the request without a word.
    """
    there = _by_name(description)
    return [
        f"it has no vector index {index.name!r}: this engine took the request and has ignored it; "
        f"DynamoDB has vector indexes, and so has the embedded engine, Session.local()"
        for index in table.vector_indexes
        if index.name not in there
    ]


def created_by(call: Call) -> str | None:
    """The name of the vector index that a request creates."""
    for update in call.parameters.get("VectorIndexUpdates", ()):
        if "Create" in update:
            return str(update["Create"]["IndexName"])
    return None
