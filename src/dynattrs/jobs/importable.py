"""Names by which other processes find a job's functions, classes and tables: `package.module:name`.

A job's record, and what is handed to workers, holds such names and nothing pickled, so that nothing that was
read from a table is ever executed but what the program itself has at that place.
"""

from __future__ import annotations

import sys

from dynattrs.errors import ModelError
from dynattrs.importable import importable_name, imported
from dynattrs.schema.table import Table

__all__ = ["importable_name", "imported", "table_name"]


def table_name(table: Table, owner: str) -> str:
    """The name of a declared table, which is that of the variable of a module that holds it.

    Raises:
        ModelError: No module has one.
    """
    homes = [cls.__module__ for cls in table.members]
    for module in dict.fromkeys((*homes, "__main__", *sorted(sys.modules))):
        for name, value in list(vars(sys.modules.get(module, object)).items()):
            if value is table:
                return f"{module}:{name}"
    raise ModelError(
        owner,
        f"table {table.name!r} is in no variable of a module, so other processes cannot import it; write "
        f"`{table.name.replace('-', '_')} = Table(...)` at the top of a module",
    )
