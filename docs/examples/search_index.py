"""A full-text index that follows a table: SQLite's FTS5 beside DynamoDB.

    uv run docs/examples/search_index.py

It needs no AWS account: `Session.local()` starts an embedded engine inside this process. With
`Session()` in its place the same program runs on the service.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from dynattrs import Session, Table, model, set_
from dynattrs.streams import Inserted, Modified, Removed, Unreadable

app = Table("notes", partition_key="pk", sort_key="sk", stream="new and old")


@model(app, pk="USER#{owner}", sk="NOTE#{number:06d}")
class Note:
    owner: str
    number: int
    title: str
    text: str = ""


SCHEMA = """
    create table if not exists notes (
        id integer primary key, owner text, number integer, title text, text text,
        unique (owner, number)
    );
    create virtual table if not exists words
        using fts5 (title, text, content='notes', content_rowid='id');
    create trigger if not exists added after insert on notes begin
        insert into words (rowid, title, text) values (new.id, new.title, new.text);
    end;
    create trigger if not exists gone after delete on notes begin
        insert into words (words, rowid, title, text)
            values ('delete', old.id, old.title, old.text);
    end;
    create trigger if not exists changed after update on notes begin
        insert into words (words, rowid, title, text)
            values ('delete', old.id, old.title, old.text);
        insert into words (rowid, title, text) values (new.id, new.title, new.text);
    end;
    create table if not exists position (id integer primary key check (id = 1), token text);
"""


class SearchIndex:
    """What notes say, in a file of SQLite, and how far the file has followed the stream.

    The position is written in the same transaction as the rows. So a process may die at any moment:
    a change and the position behind it are both stored, or neither is.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        self._database.close()

    def follow(self, session: Session) -> int:
        """Bring the index up to date; gives how many changes there were."""
        count = 0
        changes = session.changes(app, start=self._token() or "horizon", follow=False)
        for change in changes:
            with self._database:  # a transaction
                self._apply(change)
                self._remember(changes.token())
            count += 1
        return count

    def search(self, words: str) -> list[Note]:
        """The notes with these words, the best one first."""
        found = self._database.execute(
            "select owner, number, notes.title, notes.text"
            " from words join notes on notes.id = words.rowid where words match ? order by rank",
            (words,),
        )
        return [Note(*row) for row in found]

    def _apply(self, change: object) -> None:
        match change:
            case Inserted(new=Note() as note) | Modified(new=Note() as note):
                self._database.execute(
                    "insert into notes (owner, number, title, text) values (?, ?, ?, ?)"
                    " on conflict (owner, number)"
                    " do update set title = excluded.title, text = excluded.text",
                    (note.owner, note.number, note.title, note.text),
                )
            case Removed(old=Note() as note):
                self._database.execute(
                    "delete from notes where owner = ? and number = ?", (note.owner, note.number)
                )
            case Unreadable() as unreadable:
                raise unreadable.cause

    def _token(self) -> str | None:
        row = self._database.execute("select token from position").fetchone()
        return None if row is None else str(row[0])

    def _remember(self, token: str) -> None:
        self._database.execute("insert or replace into position values (1, ?)", (token,))


def say(index: SearchIndex, words: str) -> None:
    titles = ", ".join(note.title for note in index.search(words))
    print(f"  {words}: {titles or 'nothing'}")


def main(folder: Path) -> None:
    with Session.local() as session:
        session.tables.create(app)
        with session.batch() as batch:
            batch.save(Note("ann", 1, "Bread", "flour, water, salt, and patience"))
            batch.save(Note("ann", 2, "Soup", "leeks, potatoes, salt"))
            batch.save(Note("bob", 1, "Shopping", "potatoes, coffee"))

        with closing(SearchIndex(folder / "search.db")) as index:
            print(f"three notes were saved: {index.follow(session)} changes")
            say(index, "potatoes")
            say(index, "salt")

        session.update(Note, ("bob", 1), set_(Note.text, "coffee, salt"))
        session.delete(Note, ("ann", 2))

        # Another run of the program: it goes on where the last one has stopped.
        with closing(SearchIndex(folder / "search.db")) as index:
            print(f"one was changed and one deleted: {index.follow(session)} changes")
            say(index, "potatoes")
            say(index, "salt")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(Path(folder))
