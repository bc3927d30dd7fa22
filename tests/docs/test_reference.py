"""The reference, as Sphinx makes it: a signature says what a reader can import."""

from __future__ import annotations

import builtins
import collections
import collections.abc
import concurrent.futures
import datetime as dt
import re
import subprocess
import sys
import types
import typing
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import dynattrs
from dynattrs import aio, events, jobs, pynamodb, s3, streams, testing, workbench

pytestmark = pytest.mark.full  # it builds the documentation

pytest.importorskip("sphinx")
pytest.importorskip("fastapi")

from dynattrs import fastapi  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs"

PUBLIC = {
    name
    for module in (dynattrs, aio, events, fastapi, jobs, pynamodb, s3, streams, testing, workbench)
    for name in dir(module)
}
STANDARD = {
    name
    for module in (builtins, collections, collections.abc, concurrent.futures, dt, types, typing)
    for name in dir(module)
} | {"Decimal", "PathLike"}
#: Of other libraries: `attrs.Attribute`, the type of botocore's client, FastAPI, OpenTelemetry.
OTHERS = {
    "Attribute", "DataFrame", "DynamoDBClient", "FastAPI", "MeterProvider", "RecordBatch",
    "RecordBatchReader", "Schema", "TracerProvider",
}  # fmt: skip
TYPE_VARIABLES = set("ABCDMT")


@pytest.fixture(scope="module")
def signatures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Parameters and results of everything in the reference, without texts in quotes."""
    target = tmp_path_factory.mktemp("reference")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "xml", "-D", "root_doc=reference"]
    command += ["-D", "include_patterns=reference.md", str(DOCS), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    made = ET.parse(target / "reference.xml")
    found = [
        "".join(part.itertext())
        for signature in made.iter("desc_signature")
        for part in signature.iter()
        if part.tag in ("desc_parameter", "desc_returns", "desc_annotation")
    ]
    return [re.sub(r"'[^']*'", "", text) for text in found]


def test_a_signature_names_no_module_of_the_library(signatures: list[str]):
    modules = {
        part for name in sys.modules if name.startswith("dynattrs.") for part in name.split(".")
    }
    prefixes = {found for text in signatures for found in re.findall(r"(\w+)\.(?=\w)", text)}

    assert len(signatures) > 200
    assert not prefixes & modules


def test_a_signature_names_types_that_a_reader_can_import(signatures: list[str]):
    named = {
        found
        for text in signatures
        for found in re.findall(r"(?<![\w.])(?:[a-z_]+\.)*([A-Z_][A-Za-z]\w*|[A-Z]\b)", text)
    }

    assert named - PUBLIC - STANDARD - OTHERS - TYPE_VARIABLES == set()
    assert {"AsyncQuery", "Query", "Mapping", "Table"} <= named
