"""Applets of the family console_tools; the table is in applets/__init__.py."""
