"""Applets of the family system; the table is in applets/__init__.py."""
