"""The state of one shell: variables and options, jobs, traps."""
