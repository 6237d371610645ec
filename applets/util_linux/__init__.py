"""Applets of the family util_linux; the table is in applets/__init__.py."""
