"""Applets of the family findutils; the table is in applets/__init__.py."""
