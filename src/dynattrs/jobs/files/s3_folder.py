"""Files in S3: a prefix of a bucket as a folder.

Uploads are conditional on there being no such object where the installed botocore can ask for that, and
in parts where they are large. An object appears when all of it has arrived.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import contextlib
import functools
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, TypeVar, cast

import attrs

from dynattrs.jobs.files.errors import FilesError, NoFile
from dynattrs.jobs.files.places import IN_THE_WAY, FileInfo, NewFile, is_pattern, pattern_of
from dynattrs.jobs.files.s3_options import S3Options

R = TypeVar("R")

#: An upload's parts have so many bytes; of 10,000 parts at most. A file of a step is smaller by far.
PART: Final = 8 * 1024 * 1024


def folder_of(address: str, options: S3Options | None = None) -> S3Folder:
    """The folder with an address, `s3://bucket/prefix`.

    Raises:
        FilesError: It names no bucket.
    """
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    if not bucket or is_pattern(bucket):
        raise FilesError(address, "it does not name a bucket", "write s3://bucket/prefix")
    prefix = prefix.strip("/")
    return S3Folder(bucket, f"{prefix}/" if prefix else "", options or S3Options())


@functools.cache
def client_of(options: S3Options) -> Any:
    # Not `wire.boto_client`'s session, which knows DynamoDB's services only.
    from botocore.session import Session

    session = Session(profile=options.profile_name)
    return session.create_client(
        "s3", region_name=options.region_name, endpoint_url=options.endpoint_url
    )


_making: Final = threading.Lock()


@attrs.frozen
class S3Folder:
    """A prefix of a bucket.

    Attributes:
        bucket: The bucket.
        prefix: The prefix, with `/` at its end where it is not empty.
        options: How S3 is reached.
    """

    bucket: str
    prefix: str = ""
    options: S3Options = attrs.field(factory=S3Options)

    @property
    def text(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def _key(self, name: str) -> str:
        """The key of a name; the data of an incremental export is beside the folder of its manifest."""
        prefix = self.prefix
        while name.startswith("../"):
            name, above = name[3:], prefix.rstrip("/").rpartition("/")[0]
            prefix = f"{above}/" if above else ""
        return prefix + name

    @property
    def client(self) -> Any:
        with _making:
            return client_of(self.options)

    def _call(self, name: str, what: Callable[[], R]) -> R:
        from botocore.exceptions import BotoCoreError, ClientError

        place = f"{self.text}{name}"
        try:
            return what()
        except ClientError as error:
            said = cast("dict[str, Any]", error.response).get("Error", {})
            code = str(said.get("Code"))
            if code in ("NoSuchKey", "404", "NotFound"):
                raise NoFile(place, "the object does not exist") from error
            if code == "NoSuchBucket":
                raise NoFile(place, "the bucket does not exist", "make it first") from error
            if code in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise FilesError(place, "the object already exists", IN_THE_WAY) from error
            problem = f"{error.operation_name}: {code}: {said.get('Message', '')}"
            raise FilesError(place, problem, "check the bucket, and the permissions") from error
        except BotoCoreError as error:
            raise FilesError(place, str(error), "check the AWS configuration") from error

    def check(self, *, writing: bool) -> None:
        request = {"Bucket": self.bucket, "Prefix": self.prefix, "MaxKeys": 1}
        self._call("", lambda: self.client.list_objects_v2(**request))

    def new_file(self, name: str) -> NewFile:
        if self.find(name) is not None:
            raise FilesError(f"{self.text}{name}", "the object already exists", IN_THE_WAY)
        return _Upload(self, name)

    def open(self, name: str, start: int = 0) -> BinaryIO:
        request: dict[str, Any] = {"Bucket": self.bucket, "Key": self._key(name)}
        if start:
            found = self.find(name)
            if found is not None and start >= found.size:
                return io.BytesIO()  # the object has no such range
            request["Range"] = f"bytes={start}-"
        response = self._call(name, lambda: self.client.get_object(**request))
        return cast("BinaryIO", io.BufferedReader(_Body(self, name, response["Body"]), 1 << 16))

    def files(self, pattern: str = "*") -> Iterator[FileInfo]:
        fits = pattern_of(pattern)
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": self.prefix}
        if "/" not in pattern:
            request["Delimiter"] = "/"
        while True:
            page = self._call("", lambda: self.client.list_objects_v2(**request))
            for each in page.get("Contents", ()):
                name = each["Key"][len(self.prefix) :]
                if name and fits.fullmatch(name):
                    yield FileInfo(name, each["Size"])
            token = page.get("NextContinuationToken")
            if not page.get("IsTruncated") or token is None:
                return
            request["ContinuationToken"] = token

    def folder(self, name: str) -> S3Folder:
        prefix = self._key(name).strip("/")
        return attrs.evolve(self, prefix=f"{prefix}/" if prefix else "")

    def find(self, name: str) -> FileInfo | None:
        request = {"Bucket": self.bucket, "Key": self._key(name)}
        try:
            found = self._call(name, lambda: self.client.head_object(**request))
        except NoFile:
            return None
        return FileInfo(name, found["ContentLength"])

    def delete(self, name: str) -> None:
        request = {"Bucket": self.bucket, "Key": self._key(name)}
        self._call(name, lambda: self.client.delete_object(**request))

    def delete_partial(self, beginning: str) -> int:
        count, request = 0, {"Bucket": self.bucket, "Prefix": self.prefix + beginning}
        found = self._call("", lambda: self.client.list_multipart_uploads(**request))
        for each in found.get("Uploads", ()):
            with contextlib.suppress(FilesError):  # it has ended meanwhile
                self.abort(each["Key"], each["UploadId"])
                count += 1
        return count

    def abort(self, key: str, upload: str) -> None:
        request = {"Bucket": self.bucket, "Key": key, "UploadId": upload}
        self._call("", lambda: self.client.abort_multipart_upload(**request))


class _Body(io.RawIOBase):
    """The bytes of an object, read as they are asked for; a lost connection is an error of the place."""

    def __init__(self, folder: S3Folder, name: str, body: Any) -> None:
        self._folder, self._name, self._body = folder, name, body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        from botocore.exceptions import HTTPClientError

        data: bytes = b""
        try:
            data = self._folder._call(self._name, lambda: self._body.read(len(buffer)))
        except HTTPClientError as error:
            place = f"{self._folder.text}{self._name}"
            raise FilesError(place, str(error), "the connection was lost: try again") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()


class _Upload:
    """An object that is being written, in one request where it is small, else in parts."""

    def __init__(self, folder: S3Folder, name: str) -> None:
        self._folder, self._name = folder, name
        self._key = {"Bucket": folder.bucket, "Key": folder.prefix + name}
        self._buffer = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._ended = False

    def write(self, data: bytes, /) -> object:
        self._buffer += data
        while len(self._buffer) >= PART:
            self._send(bytes(self._buffer[:PART]))
            del self._buffer[:PART]
        return len(data)

    def _call(self, operation: str, **parameters: Any) -> Any:
        client = self._folder.client
        ending = operation in ("put_object", "complete_multipart_upload")
        if ending and takes(client, operation, "IfNoneMatch"):
            parameters["IfNoneMatch"] = "*"
        call = getattr(client, operation)
        return self._folder._call(self._name, lambda: call(**self._key, **parameters))

    def _send(self, data: bytes) -> None:
        if self._upload is None:
            self._upload = self._call("create_multipart_upload")["UploadId"]
        number = len(self._parts) + 1
        sent = self._call("upload_part", UploadId=self._upload, PartNumber=number, Body=data)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def end(self) -> None:
        if self._upload is None:
            try:
                self._call("put_object", Body=bytes(self._buffer))
            except FilesError:
                # A lost reply: botocore has sent it again, and it is there already.
                if not self._is_there():
                    raise
        else:
            if self._buffer:
                self._send(bytes(self._buffer))
            parts = {"Parts": self._parts}
            self._call("complete_multipart_upload", UploadId=self._upload, MultipartUpload=parts)
        self._buffer.clear()
        self._ended = True

    def _is_there(self) -> bool:
        with contextlib.suppress(FilesError), self._folder.open(self._name) as file:
            return file.read(len(self._buffer) + 1) == self._buffer
        return False

    def abandon(self) -> None:
        self._buffer.clear()
        with contextlib.suppress(FilesError):
            if self._ended:
                self._folder.delete(self._name)
            elif self._upload is not None:
                self._folder.abort(self._key["Key"], self._upload)


def takes(client: Any, method: str, member: str) -> bool:
    """Whether the installed botocore knows a parameter of an operation."""
    model = client.meta.service_model
    operation = client.meta.method_to_api_mapping[method]
    return member in model.operation_model(operation).input_shape.members
