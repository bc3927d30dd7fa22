"""PynamoDB's stored forms, so that old and new programs can share a table during a migration.

    @model("songs", forms=pynamodb.forms)      # all fields
    released: Annotated[datetime, pynamodb.UTCDateTime]      # one

dynattrs reads what PynamoDB 5.5 and 6.1 write, and both of them read what dynattrs writes. See the guide,
*From PynamoDB*.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from dynattrs.mapper.pynamodb_extras import (
    UUID,
    DelimitedTuple,
    IntegerDate,
    Timedelta,
    TimedeltaMs,
    TimedeltaUs,
    Timestamp,
    TimestampMs,
    TimestampUs,
    UnicodeDatetime,
    UnknownValue,
)
from dynattrs.mapper.pynamodb_marks import (
    Binary,
    Discriminator,
    Json,
    LegacyBinary,
    LegacyBoolean,
    UTCDateTime,
)
from dynattrs.mapper.stored_forms import Forms

__all__ = [
    "UUID",
    "Binary",
    "DelimitedTuple",
    "Discriminator",
    "Forms",
    "IntegerDate",
    "Json",
    "LegacyBinary",
    "LegacyBoolean",
    "Timedelta",
    "TimedeltaMs",
    "TimedeltaUs",
    "Timestamp",
    "TimestampMs",
    "TimestampUs",
    "UTCDateTime",
    "UnicodeDatetime",
    "UnknownValue",
    "forms",
    "translate",
]

#: What PynamoDB 5 and 6 have in common; `forms(version=6, lenient=True)` has other options.
forms: Final = Forms()


def translate(module: ModuleType) -> str:
    """Return Python source of dynattrs models for the PynamoDB models of a module, with the same stored
    form.

    It is a draft for you to review: open questions are comments that begin with TODO.

        print(pynamodb.translate(my_service.models))

    Raises:
        DynattrsError: The module defines no such models.
    """
    from dynattrs.tools.pynamodb_models import translated

    return translated(module)


def __dir__() -> list[str]:
    return __all__
