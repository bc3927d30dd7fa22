"""Python models for the tables of a design: readable source, made from what its samples show.

Facets, a discriminator attribute, or the shapes of keys say which items are of one kind. A key
template is written only where it makes the key of every sample of its kind again.

No program imports this: `python -m dynattrs generate` prints what it makes.
"""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence

import attrs

from dynattrs.models.model import model
from dynattrs.schema.capacity import Billing, OnDemand
from dynattrs.schema.table import GlobalIndex, Index, Table
from dynattrs.tools.generation.class_fields import Field, fields_of
from dynattrs.tools.generation.item_kinds import Kind, Shapes, kinds_of
from dynattrs.tools.generation.key_patterns import KeyPatterns, patterns_of
from dynattrs.tools.generation.python_source import (
    WIDTH,
    Bracketed,
    Code,
    Names,
    lines_of,
    literal,
    snake,
)


def models(tables: Iterable[Table], *, title: str = "Models.") -> str:
    """The source of a module with a `Table` for each table and a model for each kind of item.

    Args:
        tables: Tables with sample items, as `workbench.load` gives them.
        title: The module's docstring.
    """
    body: list[str] = []
    variables, classes = Names(), Names()
    for table in tables:
        body += _table_source(table, variables, classes)
    return "\n".join([f'"""{_in_docstring(title)}"""', "", *_imports(body), *body]).rstrip() + "\n"


def _in_docstring(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'")


def _imports(body: Sequence[str]) -> Iterator[str]:
    text = "\n".join(body)
    standard = (
        ("datetime", ("date", "datetime")),
        ("decimal", ("Decimal",)),
        ("typing", ("Any",)),
    )
    written = []
    for module, candidates in standard:
        used = [name for name in candidates if _uses(text, name)]
        if used:
            written.append(f"from {module} import {', '.join(used)}")
    yield from written
    if written:
        yield ""
    ours = ("GlobalIndex", "LocalIndex", "OnDemand", "Provisioned", "Table", "field", "model")
    names = [name for name in ours if f"{name}(" in text]
    # A formatter breaks an import line at the same width as any other.
    line = f"from dynattrs import {', '.join(names)}"
    yield from [line] if len(line) <= WIDTH else lines_of(Bracketed("from dynattrs import ", names))


def _uses(text: str, name: str) -> bool:
    """Whether an annotation has a name."""
    return re.search(rf"^    \w+: [^=\n]*\b{name}\b", text, re.MULTILINE) is not None


def _table_source(table: Table, variables: Names, classes: Names) -> Iterator[str]:
    found = kinds_of(table)
    shapes = Shapes(table, table.sample_items)
    variable = variables.take(_variable(table))
    made: list[tuple[Kind, KeyPatterns]] = []
    for kind in found.kinds:
        patterns = patterns_of(table, kind, shapes)
        if not _are_useful(table, patterns):
            patterns = KeyPatterns()
        if found.discriminator is None and not all(
            patterns.is_apart_from(other, table.key) for _, other in made if other.by_attribute
        ):
            # Nobody could tell such items apart; then their keys are plain fields.
            patterns = KeyPatterns()
        made.append((kind, patterns))
    yield ""
    discriminator = found.discriminator
    yield from lines_of(_table_call(table, variable, discriminator))
    for kind, patterns in made:
        yield ""
        yield ""
        fields = fields_of(table, kind, patterns, discriminator)
        name = classes.take(kind.name)
        decorator = _decorator(table, variable, patterns, fields)
        if discriminator is not None and kind.value is not None and kind.value != name:
            decorator.append(f"kind={literal(kind.value)}")
        yield from lines_of(Bracketed("@model", decorator))
        yield f"class {name}:"
        for each in fields:
            yield from lines_of(each.source(), 4)
    yield ""


def _are_useful(table: Table, patterns: KeyPatterns) -> bool:
    """Whether a pattern says more than a plain field would."""
    return any(
        len(pattern.parts) > 1 or not pattern.values or pattern.values[0].attribute
        for pattern in patterns.by_attribute.values()
    )


def _variable(table: Table) -> str:
    name = snake(table.name)
    return f"{name}_table" if name in ("table", "field", "model") else name


def _table_call(table: Table, variable: str, discriminator: str | None) -> Code:
    args: list[Code] = [literal(table.name), f"partition_key={literal(table.partition_key)}"]
    if table.sort_key is not None:
        args.append(f"sort_key={literal(table.sort_key)}")
    if table.indexes:
        indexes = [_index_call(index) for index in table.indexes]
        args.append(Bracketed("indexes=", indexes, "[]"))
    if table.types:
        types = [f"{literal(name)}: {literal(kind)}" for name, kind in table.types.items()]
        args.append(Bracketed("types=", types, "{}"))
    if table.ttl_attribute is not None:
        args.append(f"ttl={literal(table.ttl_attribute)}")
    if table.billing is not None:
        args.append(f"billing={_billing(table.billing)}")
    if discriminator is not None:
        args.append(f"discriminator={literal(discriminator)}")
    return Bracketed(f"{variable} = Table", args)


def _billing(billing: Billing) -> str:
    given = attrs.asdict(billing)
    options = ", ".join(f"{name}={units}" for name, units in given.items() if units is not None)
    return f"{'OnDemand' if isinstance(billing, OnDemand) else 'Provisioned'}({options})"


def _index_call(index: Index) -> Code:
    args: list[Code] = [literal(index.name)]
    if isinstance(index, GlobalIndex):
        args.append(f"partition_key={_names(index.partition_key)}")
    if index.sort_key:
        args.append(f"sort_key={_names(index.sort_key)}")
    if isinstance(index.projection, str):
        if index.projection != "all":
            args.append(f"projection={literal(index.projection)}")
    else:
        args.append(Bracketed("projection=", [literal(name) for name in index.projection], "[]"))
    return Bracketed("GlobalIndex" if isinstance(index, GlobalIndex) else "LocalIndex", args)


def _names(names: Sequence[str]) -> str:
    written = ", ".join(map(literal, names))
    return written if len(names) == 1 else f"({written})"


def _is_option(attribute: str) -> bool:
    """Whether a key attribute can be written as an option of `@model`."""
    return (
        attribute.isidentifier()
        and not keyword.iskeyword(attribute)
        and attribute not in inspect.signature(model).parameters
    )


def _decorator(
    table: Table, variable: str, patterns: KeyPatterns, fields: Sequence[Field]
) -> list[Code]:
    field_of = {each.attribute: each.name for each in fields}
    args: list[Code] = [variable]
    others: list[Code] = []
    for attribute in table.key_attributes:
        pattern = patterns.by_attribute.get(attribute)
        if pattern is None:
            continue
        written = literal(pattern.written(field_of))
        if _is_option(attribute):
            args.append(f"{attribute}={written}")
        else:
            others.append(f"{literal(attribute)}: {written}")
    if others:
        args.append(Bracketed("keys=", others, "{}"))
    return args
