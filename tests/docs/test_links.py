"""Links to other sites, as far as one can judge them without asking: `.ci/run links` asks."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / "README.md",
    *sorted((ROOT / ".github").rglob("*.*")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "examples").glob("*.py")),
    *sorted((ROOT / "src").rglob("*.py")),
    *sorted((ROOT / "src").rglob("*.md")),
]
URL = re.compile(r"https?://[^\s<>\"'`\])]+")
#: Names of real sites. Addresses of engines and placeholders are not links.
SITE = re.compile(
    r"(?!.*\.(?:amazonaws\.com|example|invalid)$)[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}"
)


def links_in(text: str) -> set[str]:
    found = {url.rstrip(".,;:") for url in URL.findall(text)}
    return {url for url in found if SITE.fullmatch(urlsplit(url).netloc.lower())}


def page_of(url: str) -> str:
    """What two spellings of a link to one page have in common."""
    parts = urlsplit(url)
    path = re.sub(r"(/index)?(\.html?|\.md|/)?$", "", parts.path)
    return parts.netloc.lower().removeprefix("www.") + path.lower()


def fault_of(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https":
        return "write https"
    if "amazonwebservices.com" in parts.netloc or re.search(r"/[a-z]{2}_[a-z]{2}/", parts.path):
        return "AWS's pages are at https://docs.aws.amazon.com, without a language"
    if parts.netloc == "docs.aws.amazon.com" and not re.search(
        r"/latest/.*(\.html|/)$", parts.path
    ):
        return "AWS's pages are .../latest/....html"
    if "#" in url and not re.fullmatch(r"[A-Za-z][\w.-]*", parts.fragment):
        return "an anchor is the id of a place in the page, without spaces or highlighted text"
    return ""


LINKS = {url: path.relative_to(ROOT) for path in FILES for url in links_in(path.read_text("utf-8"))}


def test_there_are_links():
    assert len(LINKS) > 80


def test_links_are_well_formed():
    faults = {url: (fault_of(url), str(path)) for url, path in LINKS.items()}

    assert {url: fault for url, fault in faults.items() if fault[0]} == {}


def test_a_page_is_spelled_in_one_way():
    spellings = defaultdict(set)
    for url in LINKS:
        spellings[page_of(url)].add(url.partition("#")[0])

    assert {page: each for page, each in spellings.items() if len(each) > 1} == {}


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html",
        "https://docs.amazonwebservices.com/amazondynamodb/latest/developerguide/Scan.html",
        "https://docs.aws.amazon.com/en_us/amazondynamodb/latest/developerguide/Scan.html",
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.md",
        "https://docs.aws.amazon.com/amazondynamodb/2012-08-10/developerguide/Scan.html",
        "https://docs.python.org/3/library/ast.html#:~:text=visit",
        "https://docs.python.org/3/library/ast.html#",
    ],
)
def test_a_bad_link_is_found(url: str):
    (found,) = links_in(f"See [there]({url}).")

    assert fault_of(found)


def test_two_spellings_are_one_page():
    assert page_of("https://semver.org") == page_of("https://www.semver.org/")
    assert page_of("https://catt.rs/en/index.html") == page_of("https://catt.rs/en/")
