"""Thin typed doors to the kernel that the standard library lacks.  Each names its man page; errors are OSError."""
