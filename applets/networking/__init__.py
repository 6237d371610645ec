"""Applets of the family networking; the table is in applets/__init__.py."""
