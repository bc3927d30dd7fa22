"""What stands for the codec of a type while that is being made, so that it can be part of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynattrs.mapper.annotations import show_type
from dynattrs.mapper.codec import ANY, Codec


class Placeholder(Codec):
    """Stands for the codec of a type while that is being made, so that it can be part of itself."""

    def __init__(self, type_: object) -> None:
        self.target: Codec | None = None
        super().__init__(
            type_,
            ANY,
            self._late("dump"),
            self._late("load"),
            expected=f"a {show_type(type_)}",
            dump_at=self._late("dump_at"),
            load_at=self._late("load_at"),
        )

    def _late(self, way: str) -> Callable[..., Any]:
        def call(*arguments: object) -> Any:
            return getattr(self._made, way)(*arguments)

        return call

    @property
    def _made(self) -> Codec:
        assert self.target is not None
        return self.target

    def fill(self, codec: Codec) -> None:
        self.target = self.wrapped = codec
        for name in (
            "tags",
            "element",
            "key",
            "fields",
            "names",
            "optional",
            "is_set",
            "expected",
            "plain",
            "sparse",
            "required",
            "rules",
            "form",
        ):
            setattr(self, name, getattr(codec, name))
