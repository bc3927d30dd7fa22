"""What stands for a codec while that is being made, so that a type can be part of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynattrs.mapper.annotations import show_type
from dynattrs.mapper.codec import ANY, Codec


class Placeholder(Codec):
    """Stands for the codec of a recursive type alias while that is being made."""

    __slots__ = ("target",)

    def __init__(self, type_: Any) -> None:
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
        def call(*arguments: Any) -> Any:
            return getattr(self._made, way)(*arguments)

        return call

    @property
    def _made(self) -> Codec:
        assert self.target is not None
        return self.target

    def fill(self, codec: Codec) -> None:
        self.target = codec
        for name in (
            "kinds",
            "element",
            "fields",
            "names",
            "optional",
            "is_set",
            "expected",
            "plain",
            "sparse",
        ):
            setattr(self, name, getattr(codec, name))
