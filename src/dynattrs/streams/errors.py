"""What can go wrong with changes, besides what can go wrong with items."""

from __future__ import annotations

from attrs import define

from dynattrs.errors import DynattrsError

_VIEWS = {
    "KEYS_ONLY": "only keys",
    "NEW_IMAGE": "new images and no old ones",
    "OLD_IMAGE": "old images and no new ones",
}


@define(eq=False, slots=False, repr=False)
class NoImage(DynattrsError, LookupError):
    """A change was asked for an image that its stream does not carry.

    Attributes:
        model: The model's name.
        change: `Inserted`, `Modified` or `Removed`.
        image: `old` or `new`.
        view: What the stream carries, as the service calls it; None where the record does not say it.
    """

    model: str
    change: str
    image: str
    view: str | None

    def __str__(self) -> str:
        if self.view is None:
            said = "its record carries none"
        else:
            said = f"the stream's view is {self.view}: {_VIEWS.get(self.view, 'other images')}"
        wanted = "new and old" if self.change == "Modified" else self.image
        return (
            f"{self.change} {self.model}: it has no {self.image} image, because {said}; declare the table "
            f"with stream={wanted!r}, or get the item by change.key"
        )
