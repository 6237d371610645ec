"""`python -m toolbox APPLET ...`: the multicall program from a checkout."""

import sys

from toolbox.multicall import main

sys.exit(main(["toolbox", *sys.argv[1:]]))
