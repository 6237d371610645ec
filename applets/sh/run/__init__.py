"""Evaluation of the tree (POSIX XCU 2.9): commands, redirections, processes."""
