"""Where the sample data are: files that this project reads and does not hold.

In the folder that ``DYNATTRS_SHARED_DATA`` names, or in ``shared/data`` beside the checkout or above.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def folder() -> Path | None:
    named = os.environ.get("DYNATTRS_SHARED_DATA")
    if named:
        return Path(named)
    for parent in Path(__file__).resolve().parents:
        if (parent / "shared" / "data").is_dir():
            return parent / "shared" / "data"
    return None


def read(name: str) -> str:
    """A file's text; a test that needs it is skipped where it is missing."""
    data = folder()
    if data is None or not (data / name).is_file():
        pytest.skip(
            f"{name} is not here: set DYNATTRS_SHARED_DATA to the folder of the sample data, or put "
            f"it into ../shared/data beside the checkout"
        )
    return (data / name).read_text(encoding="utf-8")


def guide_items(table: str) -> list[dict[str, Any]]:
    """The items of a file of the developer guide: a BatchWriteItem request."""
    requests = json.loads(read(f"{table}.json"))[table]
    return [request["PutRequest"]["Item"] for request in requests]
