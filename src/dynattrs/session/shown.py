"""How sessions, batches and what they give look to people: `repr`, which sends nothing and takes no lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dynattrs.operations.item_keys import plain_key
from dynattrs.quoting import quoted, shortened, written

if TYPE_CHECKING:
    from dynattrs.operations.reading.batch_get import BatchGet
    from dynattrs.operations.reading.partiql import Statement
    from dynattrs.operations.writing.buffer import Buffer
    from dynattrs.operations.writing.transaction_actions import TransactionAction
    from dynattrs.operations.writing.transactions import TransactionVerbs
    from dynattrs.session.any_session import AnyBatch, AnyMeasure, AnySession

#: The most actions of a transaction that are written out, and the most of each.
_ACTIONS: Final = 10
_MOST: Final = 200


def session(found: AnySession) -> str:
    """`<Session region='eu-west-1' endpoint='https://…' open>`: where it is, and never who."""
    client = found._driver.wire.client
    region, endpoint = found._place
    if client is not None:
        region, endpoint = client.meta.region_name, client.meta.endpoint_url
    core = found._core
    said = {
        "region": region,
        "endpoint": None if endpoint is None else _without_credentials(endpoint),
        "table_prefix": core.table_prefix or None,
    }
    parts = [f"{name}={value!r}" for name, value in said.items() if value is not None]
    if core.tables:
        parts.append(f"tables={written(dict(core.tables), _MOST)}")
    if (batches := len(found._batches)) and found._closed is None:
        parts.append(f"batches={batches}")
    parts.append("open" if found._closed is None else "closed")
    return f"<{type(found).__name__} {' '.join(parts)}>"


def _without_credentials(url: str) -> str:
    """A URL without what may stand before its host, and after its path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def batch(found: AnyBatch) -> str:
    """`<Batch 12 pending, 25 in flight, open>`."""
    assert found._buffer is not None
    state = "open" if found._closed is None else found._closed
    if found._closed is None and found._session._closed is not None:
        state = "session closed"
    return f"<{type(found).__name__} {', '.join([*_counts(found._buffer), state])}>"


def measure(found: AnyMeasure) -> str:
    """`<Measure 3 requests, 40 items, 1.5 read units, 25 write units, open>`."""
    usage = found._costs.total
    said = [f"{usage.requests} requests", f"{usage.items} items"]
    if usage.read_units:
        said.append(f"{usage.read_units:g} read units")
    if usage.write_units:
        said.append(f"{usage.write_units:g} write units")
    return f"<{type(found).__name__} {', '.join(said)}, {found._closed or 'open'}>"


def _counts(buffer: Buffer) -> list[str]:
    # Not under the buffer's lock: who looks may be a debugger, or a handler of a signal, inside it.
    waiting = buffer.lanes.held[0]
    counts = {
        "pending": len(buffer._pending),
        "stored": buffer._stored,
        "in flight": len(buffer._in_flight),
        "not stored": buffer._given_up,
        "waiting for busy partitions": waiting,
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


def transaction(found: TransactionVerbs) -> str:
    """`<Transaction of 2 actions: insert(Song {…}), update(Song {…}, …); open>`."""
    statements = [] if found._statements is None else found._statements.rows
    actions = [*map(_action, found._actions), *(f"execute({each._said})" for each in statements)]
    state = "ended" if found._ended else "not begun" if found._caller is None else "open"
    count = f"{len(actions)} action{'s' * (len(actions) != 1)}"
    shown = ", ".join(actions[:_ACTIONS])
    more = ", …" * (len(actions) > _ACTIONS)
    return f"<{type(found).__name__} of {count}{': ' * bool(shown)}{shown}{more}; {state}>"


def _action(action: TransactionAction) -> str:
    text = action.written
    if text.endswith(" ...)"):  # the object itself is not kept
        text = f"{text.removesuffix('...)')}{plain_key(action.info, action.key)})"
    return shortened(text, _MOST)


def editing(found: Any, obj: object) -> str:
    return f"<{type(found).__name__} of {quoted(obj, _MOST)}>"


def items(found: BatchGet[Any]) -> str:
    """`<get_many(Song, ordered=True), not begun>`."""
    options = {
        "ordered": found._ordered,
        "missing": "none" * found._none_for_missing,
        "consistent": found._consistent,
    }
    said = "".join(f", {name}={value!r}" for name, value in options.items() if value)
    state = f"begun, {len(found.missing)} missing so far" if found.begun else "not begun"
    return f"<get_many({found.what}{said}), {state}>"


def rows(found: Statement[Any]) -> str:
    """`<execute('SELECT * FROM "songs"'), 1 parameter>`."""
    parameters = len(found.said.parameters)
    given = f", {parameters} parameter{'s' * (parameters != 1)}" if parameters else ""
    return f"<execute({quoted(found.said.statement, _MOST)}){given}>"
