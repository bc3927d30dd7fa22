"""Tables of several models, drawn at random, and what is right in them.

What is right is said here without the library: which key a model makes of a name, which keys could be
its own, and whose an item is by its kind or else by its key.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
from hypothesis import strategies as st

from dynattrs import ModelError, Table, model, partition_key
from dynattrs.schema.model_info import model_info


@attrs.frozen
class Shape:
    """How the keys of a model are made.

    Attributes:
        template: The template of the partition key; None where that is the field itself.
        keys: Its texts.
        names: Names that have a key.
    """

    template: str | None
    keys: str
    names: tuple[str, ...]

    def key(self, name: str) -> str:
        return name if self.template is None else re.sub(r"\{name(:\*)?\}", name, self.template)


FREE = ("a", "X#a", "Y#b", "X#a#S")
SHAPES = {
    "plain": Shape(None, ".+", FREE),
    "x": Shape("X#{name}", "X#[^#]*", ("a", "b")),
    "xs": Shape("X#{name}#S", "X#[^#]*#S", ("a", "b")),
    "y": Shape("Y#{name}", "Y#[^#]*", ("a", "b")),
    "any": Shape("{name:*}", ".+", FREE),
}
#: All keys that an item may lie under.
KEYS = ("a", "X#a", "X#b", "X#a#S", "X#b#S", "Y#a", "Y#b")


@attrs.frozen(eq=False)
class Model:
    """A model of a world, as what is right needs it.

    Attributes:
        cls: The class.
        shape: How its keys are made.
        kinds: What its items say that they are; empty without a discriminator.
        base: The model that it derives from.
    """

    cls: Any
    shape: Shape
    kinds: tuple[str, ...]
    base: Model | None

    @property
    def plain(self) -> bool:
        return self.shape.template is None

    def derives(self, other: Model) -> bool:
        return self is other or (self.base is not None and self.base.derives(other))

    def makes(self, key: str) -> bool:
        """Whether a template of the model makes a key."""
        template = self.shape.template
        if template is None:
            return False
        return re.fullmatch(self.shape.keys.replace("{name:*}", ".+"), key) is not None


@attrs.frozen(eq=False)
class World:
    """The models of one table."""

    table: Table
    models: tuple[Model, ...]
    marked: bool

    def ours(self, asked: Model) -> list[Model]:
        return [each for each in self.models if each.derives(asked)]

    def kinds_under(self, key: str) -> list[str | None]:
        """What an item under a key may say that it is: a kind of a model that can have it, or nothing; or
        the kind of another program's model, where keys do not say that there can be none.
        """
        having = (each for each in self.models if each.plain or each.makes(key))
        alien = ["alien"] if self.marked and any(each.plain for each in self.models) else []
        return [None, *alien, *(kind for each in having for kind in each.kinds)]

    def owner(
        self, asked: Model, key: str, kind: str | None, *, found: bool = False
    ) -> Model | None:
        """The model that an item is of to who asks for *asked*; None where it is of another one.

        Args:
            asked: The model that is asked for.
            key: The item's key.
            kind: What it says that it is.
            found: Whether the item was found, and not asked for by a key of the model.
        """
        ours = self.ours(asked)
        if kind is not None:
            return next((each for each in ours if kind in each.kinds), None)
        if not found and not asked.plain:
            return asked
        making = [each for each in self.models if each.makes(key)]
        first = next((each for each in ours if each in making), None)
        if first is not None or making:
            return first
        return asked if asked.plain else None

    def foreign(self, asked: Model, key: str) -> bool:
        """Whether an item that a model made under a key would be taken for another model's."""
        others = (each for each in self.models if not each.derives(asked))
        return not self.marked and asked.plain and any(each.makes(key) for each in others)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    marked = draw(st.booleans())
    table = Table("law", partition_key="pk", discriminator="type" if marked else None)
    models: list[Model] = []
    for number in range(draw(st.integers(2, 4))):
        base = draw(st.sampled_from([*models, None]))
        name = draw(st.sampled_from(sorted(SHAPES)))
        inherits = base is not None and (base.plain or draw(st.integers(0, 3)) == 3)
        if base is not None and not inherits and name == "plain":
            inherits = True
        shape = base.shape if base is not None and inherits else SHAPES[name]
        kinds: tuple[str, ...] = (f"M{number}",) if marked else ()
        options: dict[str, Any] = {}
        if marked and draw(st.booleans()):
            options["kind"] = kinds = (f"kind{number}", f"old{number}")[: draw(st.integers(1, 2))]
        if shape.template is not None and not inherits:
            options["pk"] = shape.template
        with_model = _declared(table, f"M{number}", base, shape, options)
        if with_model is not None:
            models.append(Model(with_model, shape, kinds, base))
    if not models:
        cls = _declared(table, "Only", None, SHAPES["x"], {"pk": "X#{name}"})
        models = [Model(cls, SHAPES["x"], ("Only",) if marked else (), None)]
    return World(table, tuple(models), marked)


def _declared(
    table: Table, name: str, base: Model | None, shape: Shape, options: dict[str, Any]
) -> Any:
    """A class of that name; None where its keys could be another model's, and nothing tells."""
    fields: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
    fields["__qualname__"] = f"worlds.{name}"
    if base is None:
        fields["__annotations__"] = {"name": str, "n": int}
        fields["n"] = 0
        if shape.template is None:
            fields["name"] = partition_key(name="pk")
    made = type(name, () if base is None else (base.cls,), fields)
    try:
        cls = model(table, **options)(made)
    except ModelError as error:
        if table.discriminator is not None or "could be one of" not in str(error):
            raise
        return None
    assert model_info(cls).table is table
    return cls
