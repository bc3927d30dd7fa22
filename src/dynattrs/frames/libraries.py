"""The libraries of frames, imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dynattrs.errors import MissingExtra, QueryError


def need(module: str, extra: str = "") -> Any:
    """Import a module that may not be installed.

    Args:
        module: Its name.
        extra: The extra that installs it; without one, it is installed under its own name.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MissingExtra(extra, module) from None


def as_pandas(table: Any) -> Any:
    """Return a table as a pandas DataFrame with Arrow columns: ints stay ints if some are missing, and
    decimals and times keep all their digits.
    """
    pandas = need("pandas")
    return table.to_pandas(types_mapper=pandas.ArrowDtype)


def as_polars(table: Any) -> Any:
    """Return a table as a Polars DataFrame.

    Raises:
        QueryError: It has decimals with more digits than Polars supports.
    """
    polars, pyarrow = need("polars"), need("pyarrow", "arrow")
    for each in table.schema:
        if _has_wide(pyarrow, each.type):
            raise QueryError(
                f"polars(): {each.name!r} holds decimals of more than 20 digits before the point or 18 "
                f"after it, and Polars has 38 together: say polars(types={{{each.name!r}: ...}}), "
                f"pyarrow.string() for their text"
            )
    return polars.from_arrow(table)


def _has_wide(pyarrow: Any, kind: Any) -> bool:
    """Whether a type has decimals of more than 38 digits, in whatever part."""
    if pyarrow.types.is_dictionary(kind) or pyarrow.types.is_run_end_encoded(kind):
        return _has_wide(pyarrow, kind.value_type)
    return bool(pyarrow.types.is_decimal256(kind)) or any(
        _has_wide(pyarrow, kind.field(place).type) for place in range(kind.num_fields)
    )
