"""Applets of the family modutils; the table is in applets/__init__.py."""
