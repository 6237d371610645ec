"""The commands that the shell runs itself (POSIX XCU 1.7, 2.14).  table.py lists them."""
