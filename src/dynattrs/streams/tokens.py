"""Where an iterator of changes stands, as text that another process goes on from."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from dynattrs.errors import QueryError
from dynattrs.late_classes import define
from dynattrs.quoting import quoted
from dynattrs.streams.positions import Position

_VERSION: Final = 1


@define
class Place:
    """Where it stands in the stream of a table.

    Attributes:
        arn: The stream's ARN; None where it was not opened yet.
        shards: Where it stands in each shard that it knows.
        start: Where it begins in those of a stream that was not opened yet.
    """

    arn: str | None
    shards: dict[str, Position]
    start: Position


@define
class Token:
    """Where an iterator stands.

    Attributes:
        at: When that was.
        places: Where in the streams of tables, by their names at the service.
    """

    at: datetime
    places: dict[str, Place]

    def text(self) -> str:
        said = {
            "v": _VERSION,
            "at": self.at.isoformat(),
            "tables": {
                table: {
                    "arn": place.arn,
                    "start": str(place.start),
                    "shards": {shard: str(position) for shard, position in place.shards.items()},
                }
                for table, place in self.places.items()
            },
        }
        packed = zlib.compress(json.dumps(said, separators=(",", ":")).encode())
        return base64.urlsafe_b64encode(packed).decode()

    @classmethod
    def parse(cls, text: str) -> Token:
        """The token that *text* was made of.

        Raises:
            QueryError: It is none.
        """
        try:
            said = json.loads(zlib.decompress(base64.b64decode(text, b"-_", validate=True)))
            return cls._read(said)
        except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
            if isinstance(error, (binascii.Error, UnicodeError, zlib.error)):
                why = "it is none, or is damaged"
            else:
                why = f"it is damaged ({error})"
            raise QueryError(
                f'changes(start={quoted(text)}): "latest", "horizon", an aware datetime, or what token() '
                f"gave is expected; as a token {why}"
            ) from error

    @classmethod
    def _read(cls, said: Mapping[str, Any]) -> Token:
        if said["v"] != _VERSION:
            raise ValueError(f"it is of version {said['v']}, which a newer dynattrs wrote")
        at = datetime.fromisoformat(said["at"])
        if at.tzinfo is None:
            raise ValueError("its time has no zone")
        places = {
            str(table): Place(
                place["arn"],
                {str(shard): Position.parse(each) for shard, each in place["shards"].items()},
                Position.parse(place["start"]),
            )
            for table, place in said["tables"].items()
        }
        return cls(at, places)
