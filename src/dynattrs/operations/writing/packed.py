"""Objects whose puts have no condition, and which become JSON at once, without attribute maps.

All others are left to `encoding`, which makes JSON of most of them too, and says what is wrong.
"""

from __future__ import annotations

from dynattrs.keys.discriminator import ask_again
from dynattrs.keys.kinds import kinds_of
from dynattrs.mapper.carried import NOTHING_CARRIED, carried_by, quiet
from dynattrs.operations.context import Core, Packing, is_frozen
from dynattrs.operations.item_keys import key_map
from dynattrs.operations.writing.buffer import Write
from dynattrs.operations.writing.settling import NO_MOVES, moves_of, settling_packed
from dynattrs.schema.model_info import DumpAsRequest, info_of


def packed_write(core: Core, obj: object) -> Write | None:
    """The write of an object that becomes JSON at once; None where it does not."""
    # Measured (benchmarks/second_ways.py): 4.8 -> 1.9 us an object of 11 attributes.
    # tests/property/test_write_code.py holds it to the other way.
    cls = type(obj)
    packing = core.packing.get(cls) or _packing(core, cls)
    if packing is None:
        return None
    info, mapper, table, guarding, members, declared, kinds, changes = packing
    if guarding or members.declared != declared:  # by a model that was declared since
        core.packing.pop(cls, None)
        return None
    dump: DumpAsRequest = mapper.request_dumps.get(cls) or mapper.dump_as_request
    moves = NO_MOVES
    try:
        if changes:
            moves = moves_of(core, info, obj)
            found = dump(obj, table, moves)
        else:
            found = dump(obj, table)
    except Exception:  # the general way decides, and explains
        return None
    if found is None or (kinds is not None and kinds.owner_of(key_map(found[2])) is not None):
        return None
    request, size, key = found
    acknowledged = None
    if changes or (id(cls) not in quiet and carried_by(obj) is not NOTHING_CARRIED):
        acknowledged = settling_packed(info, obj, moves, request)
    return Write(table, None, request, size, obj, "save", acknowledged, key)


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
    return core.packing.learn(
        cls,
        (info, info.mapper, table, info.guarding, members, members.declared, kinds, info.moves),
    )
