"""The service's limits, with their sources. Sizes are in bytes.

Unless a line says otherwise:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

from typing import Final

# One BatchWriteItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
BATCH_WRITE_ITEMS: Final = 25
BATCH_WRITE_BYTES: Final = 16 * 1024 * 1024

# One BatchGetItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
BATCH_GET_ITEMS: Final = 100

# One BatchExecuteStatement:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
BATCH_STATEMENTS: Final = 25

# One ExecuteTransaction has at most as many as these:
# One TransactWriteItems or TransactGetItems:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
TRANSACTION_ACTIONS: Final = 100
TRANSACTION_BYTES: Final = 4 * 1024 * 1024

ITEM_BYTES: Final = 400 * 1024
PARTITION_KEY_BYTES: Final = 2048
SORT_KEY_BYTES: Final = 1024
NESTING_DEPTH: Final = 32

# How long the service remembers the idempotency token of a transaction:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
TRANSACTION_TOKEN_SECONDS: Final = 600
TRANSACTION_TOKEN_LENGTH: Final = 36

# Numbers: up to 38 digits, 1E-130 to 9.9999999999999999999999999999999999999E+125 either sign.
NUMBER_DIGITS: Final = 38
NUMBER_LEAST_EXPONENT: Final = -130
NUMBER_MOST_EXPONENT: Final = 125

# Expressions.
EXPRESSION_BYTES: Final = 4096
EXPRESSION_OPERATORS: Final = 300
IN_OPERANDS: Final = 100

# Index keys may have up to four attributes each, for the partition and for the sort key, since
# November 2025, on global secondary indexes:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
INDEX_KEY_ATTRIBUTES: Final = 4
GLOBAL_INDEXES: Final = 20
LOCAL_INDEXES: Final = 5

# Vectors: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
VECTOR_INDEXES: Final = 5
VECTOR_DIMENSIONS: Final = 4096
VECTOR_FILTERS: Final = 18
SEARCH_RESULTS: Final = 100
# Vectors are compared as 32-bit floats: from here on the nearest one is infinite.
FLOAT32_BEYOND: Final = 2.0**128 - 2.0**103

# For how long a table can be restored to a point in time:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PointInTimeRecoverySpecification.html
RECOVERY_DAYS: Final = 35

# A global table with strong consistency:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
STRONG_REGIONS: Final = 3

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html
TAGS: Final = 50
TAG_NAME: Final = 128
TAG_VALUE: Final = 256

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html
POLICY_BYTES: Final = 20 * 1024

# Ours: each is a request of its own when the index is queried.
WRITE_SHARDS: Final = 100

# One parallel scan: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
SCAN_SEGMENTS: Final = 1_000_000

# Ours: so many requests are begun where the conditions of one query take several, unless more are allowed.
FAN_OUT: Final = 25

# Ours: what compressed bytes may become when they are read, forty times what an item holds. A few
# bytes can stand for very many (gzip: a thousand for one).
UNPACKED_BYTES: Final = 16 * 1024 * 1024
