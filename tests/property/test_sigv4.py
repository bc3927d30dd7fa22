"""Our Signature Version 4 beside botocore's: the same header for the same request."""

from __future__ import annotations

import datetime as dt
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from dynattrs.wire.fast_requests import Signer
from dynattrs.wire.sigv4 import canonical_path, host_of, scope_in, timestamp

# Header names and values as HTTP allows them, with the white space that canonical form changes.
_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=40)
_KEYS = st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True)
_SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
_WORDS = st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True)
_HOSTS = st.one_of(
    st.from_regex(
        r"[A-Za-z0-9]([A-Za-z0-9-]{0,10}[A-Za-z0-9])?(\.[A-Za-z0-9]{1,8}){0,3}", fullmatch=True
    ),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)
_PATHS = st.one_of(
    st.sampled_from(["", "/", "//", "/.", "/..", "/a//b/", "/a/./b/../c", "/a/../..", "/%7Ea/~b"]),
    st.lists(st.text("ab.~% é+", max_size=4), max_size=4).map(lambda parts: "/" + "/".join(parts)),
)  # fmt: skip
_MOMENTS = st.integers(0, 4_000_000_000).map(
    lambda seconds: dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
)

# Not signed by botocore, or set by the signer itself.
_OTHER = frozenset(name.lower() for name in botocore.auth.SIGNED_HEADERS_BLACKLIST) | {
    "host", "x-amz-date", "x-amz-security-token", "date", "authorization", "x-amz-content-sha256",
}  # fmt: skip


@st.composite
def urls(draw: Any) -> str:
    port = draw(
        st.sampled_from(["", ":80", ":443", ":8000"]) | st.integers(1, 65535).map(":{}".format)
    )
    return f"{draw(st.sampled_from(['http', 'https']))}://{draw(_HOSTS)}{port}{draw(_PATHS)}"


def signed_by_botocore(
    url: str, headers: dict[str, str], body: bytes, credentials: ReadOnlyCredentials,
    moment: dt.datetime, region: str, service: str,
) -> str:  # fmt: skip
    request = AWSRequest("POST", url, dict(headers), body)
    # The newer and the older way in which botocore asks for the time.
    newer = "get_current_datetime"
    if hasattr(botocore.auth, newer):
        clock: Any = mock.patch.object(botocore.auth, newer, return_value=moment)
    else:
        clock = mock.patch.object(
            botocore.auth,
            "datetime",
            mock.Mock(wraps=dt, datetime=mock.Mock(utcnow=lambda: moment)),
        )
    with clock:
        SigV4Auth(credentials, service, region).add_auth(request)
    return str(request.headers["Authorization"])


@given(
    url=urls(),
    headers=st.dictionaries(
        _NAMES.filter(lambda name: name.lower() not in _OTHER), _VALUES, max_size=5
    ).filter(lambda headers: len({name.lower() for name in headers}) == len(headers)),
    body=st.binary(max_size=200),
    access=_KEYS,
    secrets=st.tuples(_SECRETS, _SECRETS),
    token=st.none() | st.just("") | _SECRETS,
    moments=st.tuples(_MOMENTS, _MOMENTS),
    region=_WORDS,
    service=_WORDS,
)
@example(
    url="https://dynamodb.eu-west-1.amazonaws.com/",
    headers={
        "X-Amz-Target": "DynamoDB_20120810.GetItem",
        "Content-Type": "application/x-amz-json-1.0",
    },
    body=b"{}",
    access="AKIDEXAMPLE",
    secrets=("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "other"),
    token="one two  three",
    moments=(
        dt.datetime(2026, 12, 31, 23, 59, 59, tzinfo=dt.timezone.utc),
        dt.datetime(2027, 1, 1, tzinfo=dt.timezone.utc),
    ),
    region="eu-west-1",
    service="dynamodb",
)
def test_a_request_is_signed_as_botocore_signs_it(
    url: str, headers: dict[str, str], body: bytes, access: str, secrets: tuple[str, str],
    token: str | None, moments: tuple[dt.datetime, dt.datetime], region: str, service: str,
) -> None:  # fmt: skip
    """Also where the second, the day or one thing of the credentials is another one than before: what was
    kept too long shows.
    """
    signer = Signer(url, headers, region=region, service=service, method="POST")
    first, second = secrets
    signers = [(access, first, token), (access, second, token), (access, second, "another")]

    for who in (*signers, ("ANOTHER", second, "another"), *signers):
        for moment in moments:
            credentials = ReadOnlyCredentials(*who)
            theirs = signed_by_botocore(url, headers, body, credentials, moment, region, service)

            ours = signer.authorization(body, credentials, timestamp(moment.timestamp()))

            assert ours == theirs
            found = scope_in(theirs)
            assert found[:2] == (region, service)
            assert {name.lower() for name in headers} < {*found[2]}


@given(urls())
def test_host_and_path_are_botocores(url: str) -> None:
    auth = SigV4Auth(ReadOnlyCredentials("a", "b", None), "dynamodb", "us-east-1")

    assert host_of(url) == botocore.auth._host_from_url(url)  # type: ignore[attr-defined]
    assert canonical_path(urlsplit(url).path) == auth._normalize_url_path(urlsplit(url).path)  # type: ignore[attr-defined]


@pytest.mark.parametrize("query", ["b=2&a=1", "a", "a=2&a=1", "a=1&a-=2"])
def test_a_query_string_is_put_in_order(query: str) -> None:
    url = f"https://example.com/x?{query}"
    credentials = ReadOnlyCredentials("a", "b", None)
    moment = dt.datetime(2026, 11, 25, tzinfo=dt.timezone.utc)
    signer = Signer(url, {}, region="us-east-1", service="dynamodb", method="POST")

    assert signer.authorization(b"", credentials, "20261125T000000Z") == signed_by_botocore(
        url, {}, b"", credentials, moment, "us-east-1", "dynamodb"
    )


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer abc",
        "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/aws4_request",
        "AWS4-HMAC-SHA256 x",
    ],
)
def test_other_ways_to_sign_are_told_apart(authorization: str) -> None:
    with pytest.raises(ValueError, match="not signed with Signature Version 4"):
        scope_in(authorization)


def test_headers_that_change_are_none_of_those_that_stay() -> None:
    with pytest.raises(ValueError, match="x-amz-date"):
        Signer("https://x/", {"X-Amz-Date": "1"}, region="r", service="s", method="POST")
