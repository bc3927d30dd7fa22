"""Exports to S3 as the service writes them, after the developer guide.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any


def service_export(folder: Path, kind: str, lines: list[Any], **more: Any) -> Path:
    """What the service writes into a bucket, as the developer guide shows it."""
    root = folder / "AWSDynamoDB"
    own = root / "01693685827463-2d8752fd"
    data = (own if kind == "FULL_EXPORT" else root) / "data"
    for each in (own, data):
        each.mkdir(parents=True, exist_ok=True)
    content = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())
    (data / "asdl123dasas.json.gz").write_bytes(content)
    (data / "empty.json.gz").write_bytes(gzip.compress(b""))
    prefix = str(data.relative_to(folder))
    entries = [
        {
            "itemCount": count,
            "md5Checksum": base64.b64encode(hashlib.md5(content).digest()).decode(),
            "etag": "af83d6f217c19b8b0fff8023d8ca4716-1",
            "dataFileS3Key": f"{prefix}/{name}",
        }
        for name, count in [("asdl123dasas.json.gz", len(lines)), ("empty.json.gz", 0)]
    ]
    (own / "manifest-files.json").write_text("".join(json.dumps(each) + "\n" for each in entries))
    (own / "_started").touch()
    summary = {
        "version": "2020-06-30" if kind == "FULL_EXPORT" else "2023-08-01",
        "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/songs",
        "s3Bucket": "bucket",
        "manifestFilesS3Key": "AWSDynamoDB/01693685827463-2d8752fd/manifest-files.json",
        "itemCount": len(lines),
        "outputFormat": "DYNAMODB_JSON",
        **({"exportType": kind} if kind != "FULL_EXPORT" else {}),
        **more,
    }
    (own / "manifest-summary.json").write_text(json.dumps(summary))
    return own
