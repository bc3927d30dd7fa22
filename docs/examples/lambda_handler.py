"""An AWS Lambda function: what takes long is done once, before the first event.

Everything at the top of a module runs while Lambda starts the process, and what it makes is there
for every later event: the models, the session, and its connections.
"""

from __future__ import annotations

import os
import time
from typing import Any

from dynattrs import Session, model, partition_key, sort_key


@model("orders")
class Order:
    customer: str = partition_key()
    number: int = sort_key()
    total: int = 0


# One for the process. Making it asks nothing of the service: no table is described. Lambda itself
# says what region and credentials are; the default lets the file run anywhere.
began = time.perf_counter()
session = Session(region_name=os.environ.get("AWS_REGION", "us-east-1"))
seconds = time.perf_counter() - began


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Store the orders of an event, and say how many the customer has now.

    The batch ends before the function returns: Lambda freezes the process then, and nothing that
    still waits in memory would be sent.
    """
    customer = event["customer"]
    with session.batch() as batch:
        batch.save_all(Order(customer, **order) for order in event["orders"])
    return {"orders": session.query(Order).where(Order.customer == customer).consistent().count()}


if __name__ == "__main__":
    print(f"The session is there after {seconds * 1000:.0f} ms.")
