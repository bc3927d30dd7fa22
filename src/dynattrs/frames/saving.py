"""The rows of a frame as objects, saved like those of `save_all`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from dynattrs.errors import MappingError, QueryError
from dynattrs.expressions.paths import did_you_mean
from dynattrs.frames.cells import Cells
from dynattrs.frames.errors import BadRow
from dynattrs.frames.tables import FrameRows
from dynattrs.mapper.class_kinds import MISSING
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.codec import Trail, cause_of
from dynattrs.operations.flows import Flow
from dynattrs.operations.reading.projections import check_on_error
from dynattrs.quoting import quoted
from dynattrs.schema.model_info import ModelInfo, model_info

if TYPE_CHECKING:
    from dynattrs.operations.reading.projections import OnError
    from dynattrs.operations.writing.ledger import Progress
    from dynattrs.operations.writing.verbs import WriteVerbs

#: Where the path of a field ends, and a place inside of its value begins.
_PLACE_INSIDE: Final = re.compile(r"[.\[{]")


def save_frame(
    handle: WriteVerbs,
    model: type[object],
    frame: object,
    on_progress: Callable[[Progress], object] | None,
    on_error: OnError,
    unknown: Literal["forbid", "drop"],
) -> Flow[int]:
    """As `AnyHandle.save_frame`."""
    if unknown not in ("forbid", "drop"):
        raise QueryError(f"save_frame(unknown={quoted(unknown)}): write 'forbid' or 'drop'")
    check_on_error(on_error)
    rows = Rows(model_info(model), model, FrameRows(frame), on_error, unknown)
    try:
        yield from handle._save_each(iter(rows), on_progress, rows.told)
    except BadRow:
        raise
    except MappingError as error:
        if on_error != "raise" or (error.obj is not None and error.obj is not rows.obj):
            raise
        raise rows.bad(error) from error
    return rows.saved


class Rows:
    """The rows of a frame as objects.

    Raises:
        QueryError: The columns are not those of the model.
    """

    def __init__(
        self,
        info: ModelInfo,
        model: type[object],
        frame: FrameRows,
        on_error: OnError,
        unknown: Literal["forbid", "drop"],
    ) -> None:
        codec = info.mapper.model_codec(model)
        if not isinstance(codec, ClassCodec):
            raise QueryError(
                f"save_frame({info.name}): hooks of yours make its objects, not fields"
            )
        self._info = info
        self._codec = codec
        self._frame = frame
        self._on_error = on_error
        self._cells = Cells(info.mapper)
        self._places = self._columns(unknown)
        #: The number of the row at hand, its object, and how many rows were taken.
        self.row = -1
        self.obj: Any = None
        self.saved = 0
        self.told: OnError = "raise" if on_error == "raise" else self._tell

    def _columns(self, unknown: Literal["forbid", "drop"]) -> dict[str, int]:
        names, fields = self._frame.names, [field.name for field in self._codec.members]
        where = f"save_frame({self._info.name}, ...)"
        for place, name in enumerate(names):
            if names.index(name) != place:
                raise QueryError(f"{where}: two columns of the frame are called {name!r}")
            if name not in fields and unknown == "forbid":
                raise QueryError(
                    f"{where}: the column {name!r} is not a field{did_you_mean(str(name), fields)}; "
                    f"leave it out, or say unknown='drop'"
                )
        for field in self._codec.members:
            needed = field.member.default is MISSING and field.member.init
            if needed and not field.always_set and field.name not in names:
                raise QueryError(
                    f"{where}: the frame has no column {field.name!r}, and the field has no default"
                )
        return {name: names.index(name) for name in fields if name in names}

    def __iter__(self) -> Iterator[Any]:
        for chunk in self._frame.chunks():
            columns = [(name, chunk[place]) for name, place in self._places.items()]
            for position in range(len(chunk[0]) if chunk else 0):
                self.row += 1
                try:
                    self.obj = self._object({name: cells[position] for name, cells in columns})
                except BadRow as error:
                    if self._on_error == "raise":
                        raise
                    if callable(self._on_error):
                        self._on_error(error)
                    continue
                self.saved += 1
                yield self.obj

    def _object(self, cells: Mapping[str, Any]) -> Any:
        try:
            return self._cells.object(self._codec, cells)
        except Exception as error:
            failed = error
        try:
            raise self._explained(cells, failed) from cause_of(failed)
        finally:
            del failed  # it would be a circle with its traceback

    def _explained(self, cells: Mapping[str, Any], error: Exception) -> BadRow:
        """What is wrong with a row, and where."""
        name = self._info.name
        for field in self._codec.members:
            if field.name not in cells:
                continue
            try:
                self._cells.member(field, cells[field.name])
            except Exception as refused:
                return self.bad(Trail(f"{name}.{field.name}").error(refused))
        if isinstance(error, MappingError):
            return self.bad(error)
        try:  # a converter or a validator of one field
            given = self._cells.given(self._codec, cells)
            self._codec._name_refused(given, name)
        except MappingError as named:
            return self.bad(named)
        except Exception:  # noqa: S110 - the error itself says enough
            pass
        return self.bad(Trail(name).error(error))

    def bad(self, error: MappingError) -> BadRow:
        """An error with the row's number."""
        _, _, rest = error.path.partition(".")
        column = _PLACE_INSIDE.split(rest, maxsplit=1)[0]
        return BadRow(
            error.path, error.expected, error.found, error.key, error.hint, error.item, error.obj,
            error.written, self.row, column if column in self._places else None,
        )  # fmt: skip

    def _tell(self, error: MappingError) -> None:
        self.saved -= 1
        if callable(self._on_error):
            self._on_error(self.bad(error))
