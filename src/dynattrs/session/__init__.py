"""`Session`: the flows driven over boto3, in threads.

This is one of the two places that wait, sleep or open a connection.
"""
