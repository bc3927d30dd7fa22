"""Where a reader stands in a shard, as a value and as text: leases and tokens keep it.

Sequence numbers are compared as integers: longer ones are greater, and some begin with zeros.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final, Literal, TypeAlias

from dynattrs.late_classes import frozen

Kind: TypeAlias = Literal["horizon", "at", "after", "end"]


@frozen
class Position:
    """Where a reader stands in a shard.

    Attributes:
        kind: `horizon`, before all that the shard still has; `at`, before what has happened since an
            instant; `after`, behind a record; `end`, behind all that the shard will ever have.
        number: The sequence number of that record.
        instant: That instant, aware.
    """

    kind: Kind
    number: str = ""
    instant: datetime | None = None

    @classmethod
    def at(cls, instant: datetime) -> Position:
        return cls("at", instant=instant.astimezone(timezone.utc))

    @classmethod
    def after(cls, number: str) -> Position:
        return cls("after", number)

    @property
    def last(self) -> str | None:
        """The sequence number of the last record before it; None where none is known."""
        return self.number or None

    def is_past(self, number: str | None) -> bool:
        """Whether there is nothing before a record that it is not behind of, which is a shard's last one
        (None while the shard is open).
        """
        if self.kind == "end":
            return True
        return self.kind == "after" and number is not None and int(self.number) >= int(number)

    def __str__(self) -> str:
        if self.kind == "at":
            assert self.instant is not None
            return f"at:{self.instant.isoformat()}"
        return f"after:{self.number}" if self.kind == "after" else self.kind

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position that *text* was made of.

        Raises:
            ValueError: It is none.
        """
        kind, _, value = text.partition(":")
        if text in ("horizon", "end"):
            return HORIZON if text == "horizon" else END
        if kind == "at":
            instant = datetime.fromisoformat(value)
            if instant.tzinfo is not None:
                return cls.at(instant)
        if kind == "after" and value.isascii() and value.isdigit():
            return cls.after(value)
        raise ValueError(f"{text!r} is not a position in a shard")


HORIZON: Final = Position("horizon")
END: Final = Position("end")
