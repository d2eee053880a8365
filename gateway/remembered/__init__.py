"""Remembered rows: what a source said last, kept so that a later delivery's rows that say exactly the same are
recognised and not judged, hashed and compared once more (docs/decisions/0050).

A miss costs time, never correctness: what is not recognised goes the whole way, and a memory that is not sure to be
right is no memory.
"""
