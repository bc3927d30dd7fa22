"""The face that `Session` and `AsyncSession` have in common, whichever way they wait.

What is documented here is documented once: the two declare what differs in types, and inherit the
text. Nothing here waits.
"""
