"""tee [-aip] [FILE]...

Copy standard input to each FILE and to standard output.

  -a, --append             add to the files
  -i, --ignore-interrupts  ignore SIGINT
  -p                       go on when an output is a closed pipe
      --output-error[=MODE]  what an error leads to: warn, exit; warn-nopipe (as -p) and
                           exit-nopipe: not when it is a closed pipe
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError, warn
from toolbox.options import Options
from toolbox.streams import open_input, write_all

alters_process = True  # its signal handling

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """POSIX XCU tee: an output that fails is warned of, the others go on."""
    opt, files = options.parse(argv)
    mode = "warn-nopipe" if opt.output_error == "" or opt.p else opt.output_error
    if mode not in (None, "warn", "warn-nopipe", "exit", "exit-nopipe"):
        raise UsageError(f"invalid argument {mode!r} for '--output-error'")
    if opt.ignore_interrupts or mode:
        import _signal

        if opt.ignore_interrupts:
            _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
        if mode:
            _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if opt.append else os.O_TRUNC)
    outputs = {1: "standard output"}
    for name in files:
        try:
            outputs[os.open(name, flags, 0o666)] = name
        except OSError as error:
            warn(error)
    try:
        spread(outputs, mode or "warn")
    finally:
        for fd in outputs:
            if fd > 2:
                os.close(fd)
    return 0


def spread(outputs: dict[int, str], mode: str) -> None:
    """Write what comes in to all outputs; one that fails is dropped, or the last thing done."""
    source = open_input("-")
    if source is None:
        return
    for block in source.blocks(65536):
        for fd, name in list(outputs.items()):
            try:
                write_all(fd, block)
            except OSError as error:
                del outputs[fd]
                if isinstance(error, BrokenPipeError) and mode.endswith("-nopipe"):
                    continue
                warn(f"{name}: {error.strerror}")
                if mode.startswith("exit"):
                    return
        if not outputs:
            return
