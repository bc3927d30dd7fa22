"""Parts of `clashing_models` that have the same names there."""

from __future__ import annotations

import enum

from pynamodb.attributes import BinaryAttribute, ListAttribute, MapAttribute, UnicodeAttribute
from pynamodb.models import Model

ONE = 1


class Kind(enum.Enum):
    THEIR = "their"


def made() -> str:
    return "there"


class Inner(MapAttribute):
    c = UnicodeAttribute()


class Holder(Model):
    """With bytes inside, which 5 and 6 store differently."""

    class Meta:
        table_name = "holders"

    id = UnicodeAttribute(hash_key=True)
    blobs = ListAttribute(of=BinaryAttribute, null=True)
