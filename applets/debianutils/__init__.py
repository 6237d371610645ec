"""Applets of the family debianutils; the table is in applets/__init__.py."""
