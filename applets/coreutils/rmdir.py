"""rmdir [-pv] DIRECTORY...

Remove empty directories.

  -p, --parents  remove the directories above, too, as far as they are named and empty
  -v, --verbose  print each directory
      --ignore-fail-on-non-empty  it is no error when one is not empty
"""

from __future__ import annotations

import errno
import os

from toolbox.errors import warn
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    opt, directories = options.parse(argv)
    for path in directories:
        while True:
            if opt.verbose:
                stdout().write(os.fsencode(f"{argv[0]}: removing directory, {path!r}\n"))
            try:
                os.rmdir(path)
            except OSError as error:
                # The system may say either of a directory that holds something.
                full = error.errno in (errno.ENOTEMPTY, errno.EEXIST)
                if not (full and opt.ignore_fail_on_non_empty):
                    warn(f"failed to remove {path!r}: {error.strerror}")
                break
            path = path.rstrip("/").rpartition("/")[0].rstrip("/")
            if not opt.parents or not path:
                break
    return 0
