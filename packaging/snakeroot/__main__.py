"""`python -m snakeroot`."""

import sys

from snakeroot.cli import main

sys.exit(main())
