"""Remembers: the SQL tables and every query on them, migrations, file contents, Redis keys."""
