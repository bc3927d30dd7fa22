"""What can go wrong with values that are kept in S3."""

from __future__ import annotations

from dynattrs.errors import DynattrsError, InvalidRequest, ServiceUnavailable
from dynattrs.late_classes import define


class ObjectsUnavailable(ServiceUnavailable):
    """S3 has failed, asks for fewer requests, or cannot be reached, still after botocore's retries. An item
    whose value was to be put there was not written.
    """

    def _remedy(self) -> str:
        return "try again later, and check the endpoint and the network"


@define(eq=False, slots=False, repr=False)
class ObjectRefused(InvalidRequest):
    """S3 has refused a request: the bucket does not exist, or a permission is missing. An item whose value
    was to be put there was not written.

    Attributes:
        place: The object: `s3://bucket/key`.
    """

    place: str = ""

    def __str__(self) -> str:
        return f"{self.operation} of {self.place}: {self.code}: {self.message}{self._remedy()}"

    def _remedy(self) -> str:
        if self.code == "NoSuchBucket":
            return "; check InS3(bucket), and the session's region, endpoint and s3_client"
        return (
            "; check the bucket, its policy, the permissions of the credentials, and whether S3 is at the "
            "session's endpoint: s3_client= names another client"
        )


class ObjectMissing(ObjectRefused):
    """A value is not in S3 any more, or never was: its object was removed.

    Where another program has replaced the value of the item, the object was removed some time after that:
    `session.refresh(obj)` reads the item as it is now.
    """

    def _remedy(self) -> str:
        return (
            "; where the value was replaced meanwhile, read the item again: session.refresh(...). (Without "
            "the permission s3:ListBucket S3 says AccessDenied instead.)"
        )


@define(eq=False, slots=False, repr=False)
class ObjectDamaged(DynattrsError):
    """What is in S3 is not what the item says: another program has put something else there.

    Attributes:
        place: The object: `s3://bucket/key`.
        expected: What the item says: size and SHA-256.
        found: What is there.
    """

    place: str
    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"{self.place}: expected {self.expected}, found {self.found}; another program has changed it. "
            f"A bucket with versions has the former one still"
        )
