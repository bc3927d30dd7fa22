"""The billing of a table, and its other settings besides keys.

Only declared settings are created, compared and changed; a setting that is None can be managed elsewhere.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-mode.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from dynattrs import limits
from dynattrs.errors import ModelError
from dynattrs.schema.messages import Message
from dynattrs.schema.written import Written

__all__ = [
    "Billing", "OnDemand", "Provisioned", "StreamView", "TableClass", "WarmThroughput",
]  # fmt: skip

StreamView: TypeAlias = Literal["keys", "new", "old", "new and old"]
TableClass: TypeAlias = Literal["standard", "infrequent access"]

STREAM_VIEWS: Final[Mapping[str, str]] = {
    "keys": "KEYS_ONLY",
    "new": "NEW_IMAGE",
    "old": "OLD_IMAGE",
    "new and old": "NEW_AND_OLD_IMAGES",
}
TABLE_CLASSES: Final[Mapping[str, str]] = {
    "standard": "STANDARD",
    "infrequent access": "STANDARD_INFREQUENT_ACCESS",
}
#: What the service has for "no maximum".
_NO_MAXIMUM: Final = -1


def check_units(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Refuse what is not capacity."""
    if value is None and attribute.default is None:
        return
    if type(value) is not int or value < 1:
        raise ModelError(
            type(instance).__name__,
            f"{attribute.name}={value!r}: capacity is a whole number of units a second, 1 or more",
        )


@attrs.frozen(kw_only=True, repr=False)
class OnDemand(Written):
    """Billing of a table or an index for each request.

    Args:
        max_read: The most read units a second; None for no maximum.
        max_write: The most write units a second; None for no maximum.
    """

    max_read: int | None = attrs.field(default=None, validator=check_units)
    max_write: int | None = attrs.field(default=None, validator=check_units)

    def __str__(self) -> str:
        parts = (("read", self.max_read), ("write", self.max_write))
        most = [f"at most {units} {what} units" for what, units in parts if units is not None]
        return ", ".join(["on demand", *most])

    def arguments(self) -> Message:
        """What CreateTable takes for it besides the billing mode."""
        found = {"MaxReadRequestUnits": self.max_read, "MaxWriteRequestUnits": self.max_write}
        given = {name: units for name, units in found.items() if units is not None}
        return {"OnDemandThroughput": given} if given else {}

    def changes(self) -> Message:
        """What UpdateTable takes for it: no maximum is said too, which takes one away."""
        return {
            "OnDemandThroughput": {
                "MaxReadRequestUnits": self.max_read or _NO_MAXIMUM,
                "MaxWriteRequestUnits": self.max_write or _NO_MAXIMUM,
            }
        }


@attrs.frozen(kw_only=True, repr=False)
class Provisioned(Written):
    """Billing of a table or an index for reserved capacity, whether it is used or not.

    Args:
        read: Read units a second.
        write: Write units a second.
    """

    read: int = attrs.field(validator=check_units)
    write: int = attrs.field(validator=check_units)

    def __str__(self) -> str:
        return f"provisioned, {self.read} read and {self.write} write units"

    def arguments(self) -> Message:
        """What CreateTable takes for it besides the billing mode."""
        return {
            "ProvisionedThroughput": {
                "ReadCapacityUnits": self.read,
                "WriteCapacityUnits": self.write,
            }
        }

    def changes(self) -> Message:
        """What UpdateTable takes for it."""
        return self.arguments()


@attrs.frozen(kw_only=True, repr=False)
class WarmThroughput(Written):
    """The traffic that a table or an index can handle immediately. You can pay to raise it, but it cannot be
    lowered, and it also grows with past traffic. So a declaration is a minimum.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html

    Args:
        read: Read units a second.
        write: Write units a second.
    """

    read: int | None = attrs.field(default=None, validator=check_units)
    write: int | None = attrs.field(default=None, validator=check_units)

    def __attrs_post_init__(self) -> None:
        if self.read is None and self.write is None:
            raise ModelError("WarmThroughput", "it says neither read nor write units")

    def __str__(self) -> str:
        parts = (("read", self.read), ("write", self.write))
        return " and ".join(f"{units} {what} units" for what, units in parts if units is not None)

    def arguments(self) -> Message:
        """What CreateTable and UpdateTable take for it."""
        found = {"ReadUnitsPerSecond": self.read, "WriteUnitsPerSecond": self.write}
        given = {name: units for name, units in found.items() if units is not None}
        return {"WarmThroughput": given}

    def raised(self, stored: WarmThroughput | None) -> WarmThroughput | None:
        """What there is to be where so much is stored; None where that is enough."""
        there = (None, None) if stored is None else (stored.read, stored.write)
        read, write = (
            None if mine is None else max(mine, theirs or 0)
            for mine, theirs in zip((self.read, self.write), there, strict=True)
        )
        enough = read in (None, there[0]) and write in (None, there[1])
        return None if enough else WarmThroughput(read=read, write=write)


def described_warmth(description: Message) -> WarmThroughput | None:
    """The warm throughput that a description has; None where the engine keeps none."""
    found = description.get("WarmThroughput", {})
    read, write = found.get("ReadUnitsPerSecond"), found.get("WriteUnitsPerSecond")
    return WarmThroughput(read=read or None, write=write or None) if read or write else None


#: What a table on demand takes at once from the beginning, and an index of it.
_FIRST_READ, _FIRST_WRITE = 12_000, 4_000


def declared_warmth(billing: Billing, description: Message) -> WarmThroughput | None:
    """The warm throughput that a description has beyond what comes with the billing."""
    found = described_warmth(description)
    if found is None:
        return None
    if isinstance(billing, Provisioned):
        first = WarmThroughput(read=billing.read, write=billing.write)
    else:
        first = WarmThroughput(read=_FIRST_READ, write=_FIRST_WRITE)
    return found if found.raised(first) is not None else None


def check_warmth(subject: str, value: object) -> None:
    """Refuse what is not warm throughput."""
    if not isinstance(value, WarmThroughput):
        raise ModelError(
            subject, f"warm_throughput={value!r}: write WarmThroughput(read=..., write=...)"
        )


Billing: TypeAlias = "OnDemand | Provisioned"


def billing_mode(billing: Billing | None) -> str:
    return "PROVISIONED" if isinstance(billing, Provisioned) else "PAY_PER_REQUEST"


def described_mode(table: Message) -> str:
    """The billing mode of a table that the service describes. It says nothing of tables that have always
    been provisioned.
    """
    return str(table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"))


def described(mode: str, description: Message) -> Billing:
    """The billing of a table or an index that the service describes."""
    if mode == "PROVISIONED":
        units = description.get("ProvisionedThroughput", {})
        # An index that is being created may have none yet.
        return Provisioned(
            read=max(1, units.get("ReadCapacityUnits", 1)),
            write=max(1, units.get("WriteCapacityUnits", 1)),
        )
    most = description.get("OnDemandThroughput", {})
    return OnDemand(
        max_read=_maximum(most.get("MaxReadRequestUnits")),
        max_write=_maximum(most.get("MaxWriteRequestUnits")),
    )


def _maximum(units: int | None) -> int | None:
    return None if units is None or units < 1 else units


def check_billing(subject: str, value: object) -> None:
    """Refuse what is not billing."""
    if value is not None and not isinstance(value, (OnDemand, Provisioned)):
        raise ModelError(
            subject, f"billing={value!r}: write OnDemand() or Provisioned(read=..., write=...)"
        )


def check_settings(
    subject: str, stream: object, deletion_protection: object, recovery: object, table_class: object
) -> None:
    """Refuse settings that no table has."""
    if stream not in (None, False) and stream not in STREAM_VIEWS:
        written = ", ".join(map(repr, STREAM_VIEWS))
        raise ModelError(subject, f"stream={stream!r}: write {written}, or False for none")
    if deletion_protection not in (None, True, False):
        raise ModelError(subject, f"deletion_protection={deletion_protection!r}: write a bool")
    days = type(recovery) is int and 1 <= recovery <= limits.RECOVERY_DAYS
    if not (recovery is None or isinstance(recovery, bool) or days):
        raise ModelError(
            subject,
            f"point_in_time_recovery={recovery!r}: write True, False, or for how many days, "
            f"1 to {limits.RECOVERY_DAYS}",
        )
    if table_class is not None and table_class not in TABLE_CLASSES:
        written = " or ".join(map(repr, TABLE_CLASSES))
        raise ModelError(subject, f"table_class={table_class!r}: write {written}")
