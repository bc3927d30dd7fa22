"""A table as a DataFrame of Dask: one partition for each segment of a scan, read where it is worked on.

https://docs.dask.org/en/stable/generated/dask.dataframe.from_map.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from dynattrs.errors import QueryError
from dynattrs.frames.libraries import as_pandas, need
from dynattrs.jobs.session_specs import SessionSpec, session_of
from dynattrs.jobs.which_items import models_of, names_of

if TYPE_CHECKING:
    import dask.dataframe as dd

    from dynattrs.session.results import ArrowBatches


def dask_frame(
    model: type[object],
    /,
    *,
    session: SessionSpec | None = None,
    segments: int = 16,
    where: bool | None = None,
    types: Mapping[str, Any] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> dd.DataFrame:
    """All items of a model as a DataFrame of Dask, whose columns are those of `query.pandas()`.

    Nothing is read before Dask computes: then each worker scans segments, by a session of its own. A
    segment is one partition, so it has to fit into a worker's memory, and a worker that dies costs the
    segments that it had. Items that are written meanwhile may be in it or not. It needs `dynattrs[dask]`.

    Args:
        model: The model. Where workers are other processes it has to be importable, which a class of
            `__main__` is not.
        session: How workers make their sessions; without it they make `Session()`.
        segments: Into how many parts the scan is divided.
        where: A condition. The service sends matching items only; all are read, and paid for.
        types: As `query.arrow` takes them. A partition has the types of the others, so a number that does
            not fit is an error.
        on_error: "skip" leaves out items that cannot be read; "raise" fails at the first of them.

    Raises:
        MissingExtra: Dask or pyarrow is not installed.
        QueryError: An argument is none that can be.
        MappingError: (later) An item cannot be read, or a value has no place in its column.
    """
    need("pyarrow", "arrow")
    frames = need("dask.dataframe", "dask")
    if type(segments) is not int or segments < 1:
        raise QueryError(f"dask_frame(segments={segments!r}): a positive int is expected")
    if on_error not in ("raise", "skip"):
        raise QueryError(f"dask_frame(on_error={on_error!r}): write 'raise' or 'skip'")
    part = _Part(model, session or SessionSpec(), segments, where, dict(types or {}), on_error)
    meta = as_pandas(part.scan(0).schema.empty_table())
    found: dd.DataFrame = frames.from_map(
        part, range(segments), meta=meta, label=f"scan-{model.__name__}", enforce_metadata=True
    )
    return found


@attrs.frozen(eq=False)
class _Part:
    """What reads one partition, in whatever process."""

    model: type[object]
    spec: SessionSpec
    segments: int
    where: bool | None
    types: dict[str, Any]
    on_error: Literal["raise", "skip"]
    #: Dask keeps what it knows by such names; a table is another one each time it is read.
    token: str = attrs.field(factory=lambda: uuid.uuid4().hex)

    def __call__(self, segment: int) -> Any:
        return as_pandas(self.scan(segment).reader().read_all())

    def scan(self, segment: int) -> ArrowBatches:
        """A segment before anything of it is read."""
        model: Any = self.model
        scanned = session_of(self.spec).scan(model).segment(segment, of=self.segments)
        scanned = scanned.on_error(self.on_error)
        if self.where is not None:
            scanned = scanned.where(self.where)
        return scanned.arrow(types=self.types)

    def __reduce__(self) -> Any:
        [name] = names_of([self.model], "dask_frame()")
        return _part, (
            name, self.spec, self.segments, self.where, self.types, self.on_error, self.token,
        )  # fmt: skip

    def __dask_tokenize__(self) -> str:
        return self.token


def _part(name: str, *others: Any) -> _Part:
    [model] = models_of([name], "dask_frame()")
    assert isinstance(model, type)
    return _Part(model, *others)
