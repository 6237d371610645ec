"""The language: characters to tokens, tokens to a tree.  It needs no shell, and a tool can use it alone."""
