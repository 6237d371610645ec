"""Applets of the family procps; the table is in applets/__init__.py."""
