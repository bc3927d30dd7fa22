"""Examples run as a reader's would, with AWS's environment variables naming the embedded engine."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import boto3
import pytest

import engines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynattrs.wire.local_engine import Lease


@pytest.fixture
def aws(embedded: Lease, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lease]:
    """An empty DynamoDB that any client finds by itself, for one document.

    It is part of an engine that goes on for the next one, by the lease of `embedded`.
    """
    with engines.embedded() as lease:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", lease.endpoint_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", lease.endpoint_url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", lease.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", lease.secret_key)
        monkeypatch.setenv("AWS_DEFAULT_REGION", lease.region_name)
        # boto3.client() keeps a session, and with it the first credentials it saw.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        yield lease
        # So do jobs.
        if (specs := sys.modules.get("dynattrs.jobs.session_specs")) is not None:
            while specs._sessions:
                specs._sessions.pop()[1].close()


@pytest.fixture
def s3(aws: Lease, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty S3 that any client finds by itself."""
    with ExitStack() as stack:
        endpoint = engines.entered(lambda: stack.enter_context(engines.aws()))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        yield
