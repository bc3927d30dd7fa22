"""Examples run as a reader's would, with AWS's environment variables naming the embedded engine."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import boto3
import pytest

import engines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynattrs.wire.local_engine import Lease


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lease]:
    """An empty DynamoDB that any client finds by itself, for one document."""
    with ExitStack() as stack:
        try:
            lease = stack.enter_context(engines.embedded())
        except engines.MissingEngine as error:
            if os.environ.get("CI", "").lower() in {"1", "true"}:
                pytest.fail(str(error), pytrace=False)
            pytest.skip(str(error))
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", lease.endpoint_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", lease.endpoint_url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", lease.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", lease.secret_key)
        monkeypatch.setenv("AWS_DEFAULT_REGION", lease.region_name)
        # boto3.client() keeps a session, and with it the first credentials it saw.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        yield lease
