"""true

Do nothing, successfully.
"""

from __future__ import annotations

from toolbox.options import Options

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """Arguments are ignored (POSIX), but a lone --help or --version."""
    options.standard(argv)
    return 0
