"""What happened to an item: it was inserted, modified or removed; or its record cannot be read.

Python's `match` tells them apart, and the models of their images.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast

from dynattrs.expressions.paths import data_of, is_path
from dynattrs.mapper.equality import alike
from dynattrs.operations.reading.projections import Keys, selected
from dynattrs.quoting import quoted
from dynattrs.schema.model_info import ENCRYPTED, ModelInfo
from dynattrs.schema.table import AttributeMap
from dynattrs.streams.errors import NoImage

if TYPE_CHECKING:
    from dynattrs.streams.records import Record

M_co = TypeVar("M_co", covariant=True)


class _OfRecord:
    """What a change has from its record."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record

    @property
    def record(self) -> Any:
        """The record, as it was given."""
        return self._record.source

    @property
    def table(self) -> str | None:
        """The table's name at the service; None where neither the record nor the caller says it."""
        return self._record.table

    @property
    def sequence_number(self) -> str:
        """Where the record stands in its shard. Longer numbers are greater: compare them as `int`."""
        return self._record.sequence_number

    @property
    def expired(self) -> bool:
        """Whether time to live has removed the item."""
        return self._record.expired


#: An object, and the model that it is of.
Image: TypeAlias = tuple[ModelInfo, object]


class Change(_OfRecord, Generic[M_co]):
    """What the three kinds of changes have in common."""

    __slots__ = ("_images", "_info")

    def __init__(
        self, record: Record, info: ModelInfo, images: tuple[Image | None, Image | None]
    ) -> None:
        super().__init__(record)
        self._info = info
        self._images = images

    @property
    def at(self) -> datetime:
        """When the item changed, in UTC. DynamoDB Streams reports whole seconds."""
        at = self._record.at
        assert at is not None, "a record without its time is unreadable"
        return at

    @property
    def model(self) -> type[M_co]:
        """The class of the item: of the new image, or of the old one if there is no new image."""
        return cast("type[M_co]", self._info.cls)

    @property
    def key(self) -> dict[str, Any]:
        """The fields of the item's primary key, for `session.get(change.model, change.key)`.

        Raises:
            MappingError: The key is not a key of the model.
        """
        return Keys(self._info).read(self._record.key)

    def changed(self, path: object) -> bool:
        """Return whether the value at a path differs between the two images: `change.changed(Order.status)`.

        Values are compared in the form that the model stores. So a different spelling of an equal value is
        not a change, and neither is a default that is absent from one of the images. An inserted item has
        changed at every path with a value other than None.

        Args:
            path: A field of the model, or a path into one: `Order.lines[0].price`.

        Raises:
            NoImage: The stream carries only one of the images, or none.
            TypeError: The argument is not a path.
            ValueError: The path belongs to a model that neither image is of.
        """
        if not is_path(path):
            raise TypeError(
                f"changed({quoted(path)}): a field such as {self._info.name}.… is expected, or a path "
                f"into one"
            )
        data = data_of(path)
        if self._record.lacks_old:
            raise self._no_image("old")
        if self._record.lacks_new:
            raise self._no_image("new")
        infos = [each[0] for each in self._images if each is not None]
        if not any(issubclass(info.cls, data.model) for info in infos):
            raise ValueError(
                f"changed({path!r}): it is a field of {data.model.__name__}, and the item is a "
                f"{self._info.name}"
            )
        items = self._record.old, self._record.new
        before, after = (
            None if image is None or item is None else _stored(image[0], path, item)
            for image, item in zip(self._images, items, strict=True)
        )
        form = None if data.form.packed == ENCRYPTED else data.form
        return not alike(before, after, form)

    def _image(self, which: int) -> object:
        found = self._images[which]
        if found is None:
            raise self._no_image("new" if which else "old")
        return found[1]

    def _no_image(self, image: str) -> NoImage:
        return NoImage(self._info.name, type(self).__name__, image, self._record.view)

    def __repr__(self) -> str:
        shown = [
            f"{name}={image[1]!r}"
            for name, image in zip(("old", "new"), self._images, strict=True)
            if image is not None
        ]
        if not shown:
            shown = [f"model={self._info.name}", f"key={self.key!r}"]
        if self.expired:
            shown.append("expired=True")
        return f"{type(self).__name__}({', '.join(shown)})"


def _stored(info: ModelInfo, path: Any, item: AttributeMap) -> Any:
    """The value at a path of an item, as its model stores it; None where there is nothing."""
    if not issubclass(info.cls, data_of(path).model):
        return None
    (value,) = selected(info, (path,)).read(item)
    form = data_of(path).form
    if value is None or form.packed != ENCRYPTED:
        return None if value is None else form.dump(value)
    # What is encrypted is compared as it is inside.
    return form.dump(value)["B"].plain


class _WithOld(Change[M_co]):
    __slots__ = ()

    @property
    def old(self) -> M_co:
        """The item before.

        Raises:
            NoImage: The stream does not carry old images.
        """
        return cast("M_co", self._image(0))


class _WithNew(Change[M_co]):
    __slots__ = ()

    @property
    def new(self) -> M_co:
        """The item after.

        Raises:
            NoImage: The stream does not carry new images.
        """
        return cast("M_co", self._image(1))


class Inserted(_WithNew[M_co]):
    """An item was created."""

    __slots__ = ()
    __match_args__ = ("new",)

    @property
    def old(self) -> None:
        """None: there was no item."""
        return


class Modified(_WithOld[M_co], _WithNew[M_co]):
    """An item was changed."""

    __slots__ = ()
    __match_args__ = ("old", "new")


class Removed(_WithOld[M_co]):
    """An item was deleted."""

    __slots__ = ()
    __match_args__ = ("old",)

    @property
    def new(self) -> None:
        """None: the item was deleted."""
        return


class Unreadable(_OfRecord):
    """A record that cannot be read: its item fits no model, or it is not a valid record.

    Attributes:
        cause: The error: usually a `MappingError`, with the path and the item's key.
    """

    __slots__ = ("cause",)

    def __init__(self, record: Record, cause: Exception) -> None:
        super().__init__(record)
        self.cause = cause

    @property
    def at(self) -> datetime | None:
        """When the item changed, in UTC; None where the record does not say it."""
        return self._record.at

    @property
    def key(self) -> dict[str, Any]:
        """The item's primary key, as an attribute map; empty where the record has none."""
        return self._record.key

    def __repr__(self) -> str:
        return f"Unreadable({type(self.cause).__name__}: {self.cause})"


#: What a handler gets.
AnyChange: TypeAlias = Inserted[M_co] | Modified[M_co] | Removed[M_co]

KINDS: Final[dict[str, Callable[..., Change[Any]]]] = {
    "INSERT": Inserted,
    "MODIFY": Modified,
    "REMOVE": Removed,
}
