"""tee [-aip] [FILE]...

Copy standard input to each FILE and to standard output.

  -a, --append             add to the files
  -i, --ignore-interrupts  ignore SIGINT
  -p                       go on when an output is a closed pipe
"""

from __future__ import annotations

import os

from toolbox.errors import warn
from toolbox.options import Options
from toolbox.streams import open_input, write_all

alters_process = True  # its signal handling

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """POSIX XCU tee: an output that fails is warned of, the others go on."""
    opt, files = options.parse(argv)
    if opt.ignore_interrupts or opt.p:
        import _signal

        if opt.ignore_interrupts:
            _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
        if opt.p:
            _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if opt.append else os.O_TRUNC)
    outputs = {1: "standard output"}
    for name in files:
        try:
            outputs[os.open(name, flags, 0o666)] = name
        except OSError as error:
            warn(error)
    try:
        spread(outputs)
    finally:
        for fd in outputs:
            if fd > 2:
                os.close(fd)
    return 0


def spread(outputs: dict[int, str]) -> None:
    """Write what comes in to all outputs; one that fails is dropped."""
    source = open_input("-")
    if source is None:
        return
    for block in source.blocks(65536):
        for fd, name in list(outputs.items()):
            try:
                write_all(fd, block)
            except BrokenPipeError:
                del outputs[fd]
            except OSError as error:
                warn(f"{name}: {error.strerror}")
                del outputs[fd]
        if not outputs:
            return
