"""Objects whose puts have no condition, and which become JSON at once, without attribute maps.

All others are left to `encoding`, which makes JSON of most of them too, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dynattrs.keys.discriminator import ask_again
from dynattrs.keys.kinds import kinds_of
from dynattrs.mapper.carried import NOTHING_CARRIED, carried_by, quiet
from dynattrs.operations.context import Core, Packing, is_frozen
from dynattrs.operations.item_keys import key_map
from dynattrs.operations.writing.buffer import Buffer, Write
from dynattrs.operations.writing.settling import NO_MOVES, moves_of, settling_packed
from dynattrs.schema.model_info import DumpAsRequest, info_of


def packed_write(core: Core, obj: object) -> Write | None:
    """The write of an object that becomes JSON at once; None where it does not."""
    # Measured (benchmarks/second_ways.py): 4.8 -> 1.9 us an object of 11 attributes.
    # tests/property/test_write_code.py holds it to the other way.
    cls = type(obj)
    known = core.packing.get(cls) or _packing(core, cls)
    if known is None:
        return None
    # By a model that was declared since.
    if known.guarding or known.members.declared != known.declared:
        core.packing.pop(cls, None)
        return None
    info, table, kinds = known.info, known.table, known.kinds
    dump: DumpAsRequest = known.mapper.request_dumps.get(cls) or known.mapper.dump_as_request
    moves = NO_MOVES
    try:
        if known.changes:
            moves = moves_of(core, info, obj)
            write: Write | None = dump(obj, table, Write, moves)
        else:
            write = dump(obj, table, Write)
    except Exception:  # the general way decides, and explains
        return None
    if write is None or (kinds is not None and kinds.owner_of(key_map(write.identity)) is not None):
        return None
    if known.changes or (id(cls) not in quiet and carried_by(obj) is not NOTHING_CARRIED):
        write.acknowledged = settling_packed(info, obj, moves, write.request)
    return write


#: What `take_packed` gives when a batch may be whole, and when there are no more objects.
WHOLE: Final = object()
END: Final = object()


def take_packed(core: Core, buffer: Buffer, objects: Iterator[object], at_once: bool) -> object:
    """Put the writes of objects into a buffer that is the caller's alone, until there may be a whole batch.

    Args:
        core: The session's.
        buffer: Takes them.
        objects: Where they come from.
        at_once: Whether this may be; otherwise each is left to the caller.

    Returns:
        `WHOLE`, `END`, or an object that is left to the caller: it may not become JSON at once, or
        something else comes before it is written.
    """
    if not at_once:
        return next(objects, END)
    # Measured (benchmarks/second_ways.py): 2.1 -> 1.8 us an object of 11 attributes.
    # tests/property/test_write_code.py holds it to the other way.
    # A `save_all` that the caller is in had stored all before this one began, and takes nothing meanwhile.
    coming, gathering = buffer.coming, core.gathering
    room = buffer.room()
    for obj in objects:
        if buffer.has_failures or gathering:
            return obj
        write = packed_write(core, obj)
        if write is None:
            return obj
        coming.append(write)
        room -= 1
        if room <= 0:
            return WHOLE
    return END


def packed_put(core: Core, obj: object) -> Write | None:
    """As `packed_write`, for a put by a request of its own.

    An object that carries its key in another spelling changes with the write, and only if that is
    stored: it goes the other way.
    """
    carried = carried_by(obj)
    # (A class, given by mistake, has something else there.)
    if carried is not NOTHING_CARRIED and getattr(carried, "key", None) is not None:
        return None
    return packed_write(core, obj)


def _packing(core: Core, cls: type[object]) -> Packing | None:
    """What is to be known of a model whose objects may become JSON at once.

    Not those that are sent each under its condition, those that hooks replace, and frozen ones that a
    save changes: they are replaced as well.
    """
    info = info_of(cls)
    keeps = info is not None and (info.carries or info.unknown != "keep")
    if info is None or not keeps or info.version is not None or info.guarding:
        return None
    if core.saves_through_hooks(info) or (info.moves and is_frozen(info)):
        return None
    ask_again(info)
    table, members = core.table_name(info.table), info.table.members
    kinds = kinds_of(info) if info.keys is None else None
    known = Packing(
        info, info.mapper, table, info.guarding, members, members.declared, kinds, info.moves
    )
    return core.packing.learn(cls, known)
