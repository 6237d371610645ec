"""Who may do what: password hashes, sessions and tokens, host keys, signatures."""
