"""What ./dev is made of.  The standard library alone: it runs before there is a virtual environment.

commandline   commands, their options and their help        machine   what must be installed
making        the virtual environment and the programs      processes one ./dev at a time; Ctrl-C
"""
