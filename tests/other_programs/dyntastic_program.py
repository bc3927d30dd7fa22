"""A program with Dyntastic, on the items of `tests/integration/test_beside_others.py`."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import lines
from dyntastic import Dyntastic
from pydantic import BaseModel


class Part(BaseModel):
    name: str
    at: datetime | None = None


class Verbs:
    def connect(self, endpoint: str, table: str, access: str, secret: str) -> None:
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = access, secret
        fields: dict[str, Any] = {
            "id": str, "number": Decimal | None, "count": int, "text": str | None,
            "flag": bool | None, "data": bytes | None, "words": set[str], "numbers": set[Decimal],
            "many": list[Any] | None, "raw": dict[str, Any] | None, "when": datetime | None,
            "day": date | None, "span": timedelta | None, "uid": UUID | None, "part": Part | None,
        }  # fmt: skip
        defaults: dict[str, Any] = dict.fromkeys(fields, None)
        del defaults["id"]
        defaults |= {"count": 7, "words": set(), "numbers": set()}
        namespace = {
            "__table_name__": table, "__table_host__": endpoint, "__table_region__": "us-east-1",
            "__hash_key__": "id", "__module__": __name__, "__annotations__": fields, **defaults,
        }  # fmt: skip
        self._cls: Any = type("Thing", (Dyntastic,), namespace)

    def save(self, fields: dict[str, Any]) -> None:
        thing = self._cls(**fields)
        self._save(thing)

    def _save(self, thing: Any) -> None:
        # boto3's serializer has no empty sets.
        for name in ("words", "numbers"):
            if not getattr(thing, name):
                object.__setattr__(thing, name, None)
        thing.save()

    def change(self, id: str, fields: dict[str, Any]) -> None:
        thing = self._cls.get(id, consistent_read=True)
        for name, value in fields.items():
            setattr(thing, name, Part(**value) if name == "part" and value else value)
        self._save(thing)

    def get(self, id: str) -> Any:
        found = self._cls.safe_get(id, consistent_read=True)
        return None if found is None else found.model_dump()

    def delete(self, id: str) -> None:
        self._cls.get(id, consistent_read=True).delete()


if __name__ == "__main__":
    lines.serve(Verbs())
