"""The folders that callers name."""

from __future__ import annotations

import os
from pathlib import Path

from dynattrs.jobs.files.errors import FilesError
from dynattrs.jobs.files.places import WILD, LocalFolder, Place
from dynattrs.jobs.files.s3_options import S3Options


def place_of(what: object, options: S3Options | None = None) -> Place:
    """The folder that a caller names: a path, or an `s3://` address.

    Args:
        what: That.
        options: For S3: `S3Options`, or None.

    Raises:
        FilesError: It is none.
    """
    if isinstance(what, (str, os.PathLike)):
        text = os.fspath(what)
        if isinstance(text, str):
            if text.startswith("s3://"):
                # botocore's errors are imported when there is S3.
                from dynattrs.jobs.files.s3_folder import folder_of

                return folder_of(text, options)
            if "://" in text:
                raise FilesError(text, "it is neither a path nor s3://bucket/prefix")
            # Where a worker has another working directory it is the same folder.
            return LocalFolder(str(Path(text).expanduser().absolute()))
    raise FilesError(repr(what), "it is not a folder", "give a path or s3://bucket/prefix")


def split_pattern(text: str) -> tuple[str, str]:
    """A pattern as the folder before its first wild character, and the pattern in that folder."""
    match = WILD.search(text)
    assert match is not None
    cut = text.rfind("/", 0, match.start())
    if os.sep != "/" and not text.startswith("s3://"):
        cut = max(cut, text.rfind(os.sep, 0, match.start()))
    return (text[:cut] or "/") if cut >= 0 else ".", text[cut + 1 :]
