"""A table as notebooks show it: its keys and indexes, and what its models make of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynattrs.schema.table import Table


def of(table: Any) -> str:
    """HTML of a `Table`. Nothing is asked of the service."""
    parts = [
        f"<p><b>Table {escape(table.name)}</b></p>",
        _html(("", "partition key", "sort key", "projection"), _keys(table)),
    ]
    if models := [*_models(table)]:
        parts.append(_html(("model", *table.key_attributes), models))
    if settings := [*_settings(table)]:
        parts.append(f"<p>{escape(', '.join(settings))}</p>")
    return "".join(parts)


def _keys(table: Table) -> Iterator[Sequence[str]]:
    def typed(names: Iterable[str]) -> str:
        return ", ".join(f"{name} ({table.type_of(name)})" for name in names)

    yield "the table", typed(table.key[:1]), typed(table.key[1:]), ""
    for each in table.vector_indexes:
        keys = () if each.partition_key is None else (each.partition_key,)
        what = f"vectors {each.vector}, {each.dimensions} dimensions, {each.distance}"
        projection = (
            each.projection if isinstance(each.projection, str) else ", ".join(each.projection)
        )
        yield f"index {each.name}: {what}", typed(keys), "", projection
    for index in table.secondary_indexes:
        partition = getattr(index, "partition_key", table.key[:1])
        held = index.projection
        projection = held if isinstance(held, str) else ", ".join(held)
        yield f"index {index.name}", typed(partition), typed(index.sort_key), projection


def _models(table: Table) -> Iterator[Sequence[str]]:
    for cls, keys in table.members.with_keys():
        yield cls.__name__, *(keys.get(name, "") for name in table.key_attributes)


def _settings(table: Table) -> Iterator[str]:
    for name in (
        "ttl", "billing", "stream", "deletion_protection", "point_in_time_recovery", "table_class",
        "warm_throughput", "tags", "encryption", "replicas", "contributor_insights", "kinesis",
        "discriminator",
    ):  # fmt: skip
        value = getattr(table, name)
        if value is not None:
            yield f"{name}: {value}"


def _html(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def row(tag: str, cells: Sequence[str]) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(each)}</{tag}>' for each in cells)}</tr>"

    body = "".join(row("td", each) for each in rows)
    return f"<table><thead>{row('th', columns)}</thead><tbody>{body}</tbody></table>"
