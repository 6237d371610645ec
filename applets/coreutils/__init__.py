"""Applets of the family coreutils; the table is in applets/__init__.py."""
