"""What annotations say to pydantic of models inside of them. They are there without pydantic, too, which
alone asks them for a schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from dynattrs.deferral import deferred
from dynattrs.models.pydantic_words import ReadOnly, UnknownKeys

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

    from dynattrs.models import pydantic_types
else:
    pydantic_types = deferred("dynattrs.models.pydantic_types")


@attrs.frozen
class Accepts:
    """Inside `Annotated[...]`: what pydantic makes of the fields of a model that a client does not set.

    `Body[Annotated[Song, Accepts(unknown="forbid")]]`, or, to read what this program has written,
    `TypeAdapter(Annotated[Song, Accepts(read_only="take")])`.

    Attributes:
        read_only: What to do with a version, a time stamp, or a field without `init`: `"refuse"`, with a
            validation error, is what happens without this; `"ignore"` leaves it out; `"take"`
            takes versions and time stamps as other fields.
        unknown: What to do with keys that are not fields: `"ignore"`, as pydantic does, or `"forbid"`.
            Without it, a model that is declared with `unknown="forbid"` forbids them.
    """

    read_only: ReadOnly = attrs.field(
        default="refuse", validator=attrs.validators.in_(("refuse", "ignore", "take"))
    )
    unknown: UnknownKeys | None = attrs.field(
        default=None, validator=attrs.validators.in_((None, "ignore", "forbid"))
    )

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return pydantic_types.accepted_schema(source, handler, self)

    @property
    def suffix(self) -> str:
        """What the name of a definition ends in, for a class with other options than usual."""
        taken = "" if self.read_only == "refuse" else self.read_only.title()
        return taken + (self.unknown or "").title()


@attrs.frozen
class ByKind:
    """Inside `Annotated[...]`: a union of models of one table, told apart in JSON by the table's
    discriminator, under its name there: `list[Annotated[User | Order, ByKind()]]`.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return pydantic_types.by_kind_schema(source, handler)
