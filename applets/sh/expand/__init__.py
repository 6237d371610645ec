"""Word expansion (POSIX XCU 2.6)."""
