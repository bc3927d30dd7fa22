"""A model with docstrings, as Sphinx's autodoc renders it in the API reference."""

import attrs

from dynattrs import GlobalIndex, model, partition_key


@model("books", indexes=[GlobalIndex("by-author", partition_key="author", sort_key="year")])
class Book:
    """A book in the library.

    Attributes:
        isbn: Thirteen digits.
        author: As it stands on the cover.
        year: Of this edition; None where nobody knows.
        tags: What readers call it.
    """

    isbn: str = partition_key()
    author: str
    year: int | None = None
    tags: set[str] = attrs.field(factory=set)

    @property
    def label(self) -> str:
        """What is printed on the spine."""
        return f"{self.author} {self.year or '?'}"

    def is_by(self, author: str) -> bool:
        """Whether *author* wrote it."""
        return self.author == author


if __name__ == "__main__":
    print(Book("9780000000002", "Ann Author", 1999).label)
