"""Items that are only passed on: their text as the service has sent it, with what tells their models apart.

A reply's items are not made into dicts where they become lines of a file: their text is such a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from dynattrs.operations.flows import Decode
from dynattrs.schema.messages import Message


class RawItem(dict[str, Any]):
    """What tells of an item what it is, as an attribute map.

    Attributes:
        text: The whole item as the service has sent it, a JSON object.
    """

    __slots__ = ("text",)

    text: bytes


class _Page(msgspec.Struct):
    Items: list[msgspec.Raw] = []
    Count: int = 0
    ScannedCount: int | None = None
    LastEvaluatedKey: dict[str, Any] | None = None
    ConsumedCapacity: dict[str, Any] | None = None


_pages = msgspec.json.Decoder(_Page)


# Measured (benchmarks/exports.py): 19.4 -> 5.5 us an item of twelve attributes, from the reply to the file.
# tests/property/test_job_files.py holds the lines to those that dicts become.
@lru_cache(maxsize=64)
def raw_decoder(tells: Sequence[str]) -> Decode:
    """What reads the replies of a scan.

    Args:
        tells: The attributes that say what an item is.
    """
    fields = [
        (f"a{n}", dict[str, Any] | msgspec.UnsetType, msgspec.UNSET) for n in range(len(tells))
    ]
    names = {f"a{number}": name for number, name in enumerate(tells)}
    kind = msgspec.defstruct("Tells", fields, rename=names)
    read = msgspec.json.Decoder(kind).decode
    attributes = [*names.items()]

    def decode(body: bytes) -> Message:
        page = _pages.decode(body)
        items: list[RawItem] = []
        for raw in page.Items:
            text = bytes(raw)
            found = read(text)
            item = RawItem()
            for place, name in attributes:
                value = getattr(found, place)
                if value is not msgspec.UNSET:
                    item[name] = value
            # A service sends no line breaks; another one may lay its replies out.
            item.text = (
                text if b"\n" not in text else msgspec.json.encode(msgspec.json.decode(text))
            )
            items.append(item)
        response: Message = {"Items": items, "Count": page.Count}
        if page.ScannedCount is not None:
            response["ScannedCount"] = page.ScannedCount
        if page.LastEvaluatedKey:
            response["LastEvaluatedKey"] = page.LastEvaluatedKey
        if page.ConsumedCapacity:
            response["ConsumedCapacity"] = page.ConsumedCapacity
        return response

    return decode
