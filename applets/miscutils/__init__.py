"""Applets of the family miscutils; the table is in applets/__init__.py."""
