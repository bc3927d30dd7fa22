"""Python models for the tables of a design: readable source, made from what its samples show.

Facets, a discriminator attribute, or the shapes of keys say which items are of one kind. A key
template is written only where it makes the key of every sample of its kind again.

No program imports this: `dynattrs generate` prints what it makes.
"""

from __future__ import annotations

import inspect
import json
import keyword
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import attrs

from dynattrs.errors import ModelError
from dynattrs.models.model import model
from dynattrs.schema.capacity import Billing, OnDemand
from dynattrs.schema.table import AnyIndex, AttributeValue, GlobalIndex, LocalIndex, Table
from dynattrs.schema.vectors import VectorIndex
from dynattrs.tools.generation.class_fields import Field, fields_of
from dynattrs.tools.generation.item_kinds import Kind, Shapes, kinds_of, samples_of
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
from dynattrs.tools.generation.trial import faults


def models(
    tables: Iterable[Table],
    *,
    title: str = "Models.",
    on_left_out: Callable[[str], object] = lambda said: None,
) -> str:
    """The source of a module with a `Table` for each table and a model for each kind of item.

    A few items whose keys have no shape, in a table whose other items are told apart by the shapes of
    theirs, have no model: nothing would tell it from the others. A comment names their keys.

    Args:
        tables: Tables with sample items, as `workbench.load` gives them.
        title: The module's docstring.
        on_left_out: Is told which items have no model.

    Raises:
        ModelError: A sample item cannot be read by any model; it is not an item of its table.
    """
    body: list[str] = []
    variables, classes = Names(), Names()
    for table in tables:
        body += _table_source(table, variables, classes, on_left_out)
    return "\n".join([f'"""{_in_docstring(title)}"""', "", *_imports(body), *body]).rstrip() + "\n"


def _in_docstring(text: str) -> str:
    shown = text.replace("\\", "/").replace('"', "'")
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in shown)


def _imports(body: Sequence[str]) -> Iterator[str]:
    text = "\n".join(body)
    standard = (
        ("datetime", ("date", "datetime")),
        ("decimal", ("Decimal",)),
        ("typing", ("Any",)),
        ("uuid", ("UUID",)),
    )
    written = []
    for module, candidates in standard:
        used = [name for name in candidates if _uses(text, name)]
        if used:
            written.append(f"from {module} import {', '.join(used)}")
    yield from written
    if written:
        yield ""
    ours = (
        "GlobalIndex", "KinesisStream", "LocalIndex", "OnDemand", "Provisioned", "Replica", "Replicas",
        "Table", "VectorIndex", "WarmThroughput", "field", "model",
    )  # fmt: skip
    names = [name for name in ours if f"{name}(" in text]
    # A formatter breaks an import line at the same width as any other.
    line = f"from dynattrs import {', '.join(names)}"
    yield from [line] if len(line) <= WIDTH else lines_of(Bracketed("from dynattrs import ", names))


def _uses(text: str, name: str) -> bool:
    """Whether an annotation has a name."""
    return re.search(rf"^    \w+: [^=\n]*\b{name}\b", text, re.MULTILINE) is not None


@attrs.define
class _Draft:
    """A class to be written.

    Attributes:
        kind: The items that it is for.
        name: Its name.
        plainness: How little is inferred: 0 whatever the samples show, 1 no key templates, 2 no types
            of attributes either.
    """

    kind: Kind
    name: str
    plainness: int = 0


def _table_source(
    table: Table, variables: Names, classes: Names, on_left_out: Callable[[str], object]
) -> Sequence[str]:
    """The declarations of a table and its models, which have read all samples.

    Raises:
        ModelError: A sample item cannot be read, as it is not an item of this table.
    """
    found = kinds_of(table)
    variable = variables.take(_variable(table))
    drafts = [_Draft(kind, classes.take(kind.name)) for kind in found.kinds]
    samples = {each.name: each.kind.items for each in drafts}
    while True:
        made = _with_patterns(table, drafts, found.discriminator)
        shapeless = [] if found.discriminator is not None else _shapeless(made)
        kept = [each for each in made if each[0] not in shapeless]
        left_out = _left_out(table, shapeless)
        body = [*_declarations(table, variable, kept, found.discriminator, left_out)]
        wrong = faults(
            "\n".join([*_imports(body), *body]),
            {draft.name: samples[draft.name] for draft, _ in kept},
        )
        if not wrong:
            for said in left_out:
                on_left_out(f"{table.name}: {said}")
            return body
        for draft in drafts:
            if draft.name in wrong:
                if draft.plainness == _PLAINEST:
                    raise ModelError(
                        f"Table({table.name!r})",
                        f"no model can have its sample items of the kind {draft.kind.name}: "
                        f"{wrong[draft.name]}; correct them, or leave them out",
                    )
                draft.plainness += 1


_PLAINEST: Final = 2


def _with_patterns(
    table: Table, drafts: Sequence[_Draft], discriminator: str | None
) -> list[tuple[_Draft, KeyPatterns]]:
    """The classes with what their keys are made of, as far as that tells them apart."""
    shapes = Shapes(table, samples_of(table))
    made: list[tuple[_Draft, KeyPatterns]] = []
    for draft in drafts:
        patterns = KeyPatterns() if draft.plainness else patterns_of(table, draft.kind, shapes)
        patterns.by_attribute.pop(table.ttl_attribute or "", None)
        if not _are_useful(table, patterns):
            patterns = KeyPatterns()
        if discriminator is None and patterns.by_attribute:
            alike = [
                number
                for number, (_, other) in enumerate(made)
                if other.by_attribute and not patterns.is_apart_from(other, table.key)
            ]
            # Nothing could tell such items apart; then the keys of all of them are plain fields. Only
            # where one has nothing where others have a value, as `USER#` has, it is the one that gives way.
            gives_way = False
            for number in alike:
                former, other = made[number]
                lacks = patterns.lacks_a_value_of(other, table.key)
                if not lacks:
                    made[number] = former, KeyPatterns()
                gives_way |= lacks or not other.lacks_a_value_of(patterns, table.key)
            patterns = KeyPatterns() if gives_way else patterns
        made.append((draft, patterns))
    return made


def _shapeless(made: Sequence[tuple[_Draft, KeyPatterns]]) -> list[_Draft]:
    """The classes that nothing would tell from those whose keys do, and that have fewer items.

    Facets are classes that a person has named, and stay.
    """
    plain = [
        draft for draft, patterns in made if not patterns.by_attribute and draft.kind.facet is None
    ]
    count = sum(len(draft.kind.items) for draft in plain)
    told = sum(len(draft.kind.items) for draft, patterns in made if patterns.by_attribute)
    return plain if count < told else []


def _left_out(table: Table, shapeless: Sequence[_Draft]) -> list[str]:
    """What is said of items that have no class, in a line for each."""
    return [
        f"no class for an item that nothing tells from others: "
        f"{', '.join(f'{name}={_shown(item.get(name))}' for name in table.key)}"
        for draft in shapeless
        for item in draft.kind.items
    ]


def _shown(value: AttributeValue | None) -> str:
    return "".join(map(ascii, value.values())) if value else "nothing"


def _declarations(
    table: Table,
    variable: str,
    made: Sequence[tuple[_Draft, KeyPatterns]],
    discriminator: str | None,
    left_out: Sequence[str],
) -> Iterator[str]:
    yield ""
    yield from lines_of(_table_call(table, variable, discriminator))
    for draft, patterns in made:
        yield ""
        yield ""
        plain = draft.plainness == _PLAINEST
        fields = fields_of(table, draft.kind, patterns, discriminator, plain=plain)
        decorator = _decorator(table, variable, patterns, fields)
        if discriminator is not None and draft.kind.value not in (None, draft.name):
            decorator.append(f"kind={literal(str(draft.kind.value))}")
        yield from lines_of(Bracketed("@model", decorator))
        yield f"class {draft.name}:"
        for each in fields:
            yield from lines_of(each.source(), 4)
        if not fields:
            yield "    pass"
    if left_out:
        yield ""
        yield ""
        yield from (f"# {said[:1].upper()}{said[1:]}" for said in left_out)
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
    if table.stream:
        args.append(f"stream={literal(table.stream)}")
    # What is off as on a new table is left to those who run the table.
    if table.deletion_protection:
        args.append("deletion_protection=True")
    if table.point_in_time_recovery:
        args.append(f"point_in_time_recovery={table.point_in_time_recovery}")
    if table.table_class == "infrequent access":
        args.append(f"table_class={literal(table.table_class)}")
    # A written declaration of these is what a program would write.
    if table.warm_throughput is not None:
        args.append(f"warm_throughput={table.warm_throughput!r}")
    if table.tags:
        tags = [f"{literal(name)}: {literal(text or '')}" for name, text in table.tags.items()]
        args.append(Bracketed("tags=", tags, "{}"))
    if table.encryption not in (None, "owned"):
        args.append(f"encryption={literal(str(table.encryption))}")
    if table.resource_policy:
        args.append(f"resource_policy={literal(json.dumps(table.resource_policy))}")
    if table.replicas is not None and table.replicas.regions:
        args.append(f"replicas={_written(table.replicas)}")
    if table.contributor_insights:
        args.append(f"contributor_insights={_written(table.contributor_insights)}")
    if table.kinesis:
        args.append(f"kinesis={_written(table.kinesis)}")
    if discriminator is not None:
        args.append(f"discriminator={literal(discriminator)}")
    return Bracketed(f"{variable} = Table", args)


def _written(value: object) -> str:
    """A declaration of ours, with the quotes of a formatter. Regions and ARNs have none of their own."""
    return repr(value).replace("'", '"')


def _billing(billing: Billing) -> str:
    given = attrs.asdict(billing)
    options = ", ".join(f"{name}={units}" for name, units in given.items() if units is not None)
    return f"{'OnDemand' if isinstance(billing, OnDemand) else 'Provisioned'}({options})"


def _index_call(index: AnyIndex) -> Code:
    args: list[Code] = [literal(index.name)]
    if not isinstance(index, (GlobalIndex, LocalIndex)):
        return _vector_index_call(index)
    if isinstance(index, GlobalIndex):
        args.append(f"partition_key={_names(index.partition_key)}")
    if index.sort_key:
        args.append(f"sort_key={_names(index.sort_key)}")
    args += _projection(index)
    if isinstance(index, GlobalIndex) and index.billing is not None:
        args.append(f"billing={_billing(index.billing)}")
    if isinstance(index, GlobalIndex) and index.warm_throughput is not None:
        args.append(f"warm_throughput={index.warm_throughput!r}")
    if isinstance(index, GlobalIndex) and index.contributor_insights:
        args.append(f"contributor_insights={_written(index.contributor_insights)}")
    return Bracketed("GlobalIndex" if isinstance(index, GlobalIndex) else "LocalIndex", args)


def _vector_index_call(index: VectorIndex) -> Code:
    args: list[Code] = [
        literal(index.name), f"vector={literal(index.vector)}", f"dimensions={index.dimensions}"
    ]  # fmt: skip
    if index.distance != "cosine":
        args.append(f"distance={literal(index.distance)}")
    if index.partition_key is not None:
        args.append(f"partition_key={literal(index.partition_key)}")
    if index.filters:
        args.append(Bracketed("filters=", [literal(name) for name in index.filters], "[]"))
    return Bracketed("VectorIndex", [*args, *_projection(index)])


def _projection(index: AnyIndex) -> list[Code]:
    if index.projection == "all":
        return []
    if isinstance(index.projection, str):
        return [f"projection={literal(index.projection)}"]
    return [Bracketed("projection=", [literal(name) for name in index.projection], "[]")]


def _names(names: Sequence[str]) -> str:
    written = ", ".join(map(literal, names))
    return written if len(names) == 1 else f"({written})"


def _is_option(attribute: str) -> bool:
    """Whether a key attribute can be written as an option of `@model`."""
    return (
        # Python takes some letters of other alphabets for their likes.
        attribute.isascii()
        and attribute.isidentifier()
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
