"""Alembic's migrations: `versions/NNNN_name.py`, in the order of their numbers. `store.schema` runs them.

A version that has been released is never edited: a new one changes what the last one left. A test compares the result
with the tables of `store.tables` on both databases.
"""
