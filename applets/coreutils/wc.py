"""wc [-clLmw] [--files0-from FILE] [FILE]...

Count lines, words and bytes of each FILE, or of standard input.

  -l, --lines            line feeds
  -w, --words            words: what stands between white space
  -c, --bytes            bytes
  -m, --chars            characters (UTF-8)
  -L, --max-line-length  the widest line, in columns
      --files0-from=FILE  the names in FILE, each ended by a NUL
      --total=WHEN       auto, always, only, never: when to print a total
"""

from __future__ import annotations

import os
import stat

from toolbox.errors import UsageError
from toolbox.options import Options
from toolbox.streams import inputs, open_input, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.streams import Source

options = Options(__doc__)

COLUMNS = ("lines", "words", "chars", "bytes", "max_line_length")

#: White space becomes a blank and all else an x: a word starts wherever " x" stands.
_CLASSES = bytes(32 if byte in b" \t\n\v\f\r" else 120 for byte in range(256))


def main(argv: list[str]) -> int:
    """POSIX XCU wc."""
    opt, files = options.parse(argv)
    if opt.total not in (None, "auto", "always", "only", "never"):
        raise UsageError(f"invalid argument {opt.total!r} for '--total'")
    if opt.files0_from is not None:
        if files:
            raise UsageError(f"extra operand {files[0]!r}: names come from --files0-from")
        names = open_input(opt.files0_from)
        files = [os.fsdecode(name) for name in names.lines(b"\0")] if names else []
        if not files:
            return 1 if names is None else 0
    columns = [c for c in COLUMNS if getattr(opt, c)] or ["lines", "words", "bytes"]
    rows = [(count(source, columns), source.name) for source in inputs(files)]
    when = opt.total or "auto"
    if when == "only":
        rows = [(total(rows, columns), "")]
    elif when == "always" or (when == "auto" and len(files) > 1):
        rows.append((total(rows, columns), "total"))
    wide = 1 if when == "only" else width(files, columns)
    out = stdout()
    for row, name in rows:
        label = f" {'-' if name == 'standard input' else name}" if name and files else ""
        out.write(os.fsencode(" ".join(f"{n:{wide}}" for n in row) + f"{label}\n"))
    return 0


def total(rows: list[tuple[list[int], str]], columns: list[str]) -> list[int]:
    """The sums of the columns; of line widths the greatest."""
    numbers = [row for row, _ in rows]
    return [
        (max if column == "max_line_length" else sum)([row[i] for row in numbers] or [0])
        for i, column in enumerate(columns)
    ]


def width(files: list[str], columns: list[str]) -> int:
    """How wide the numbers are: as the files' bytes together, 7 when those are not known before (GNU)."""
    if len(files) < 2 and len(columns) == 1:
        return 1
    known, least = 0, 1
    for name in files or ["-"]:
        try:
            status = os.fstat(0) if name == "-" else os.stat(name)
        except OSError:
            continue  # told when it is opened
        if stat.S_ISREG(status.st_mode):
            known += status.st_size
        else:
            least = 7
    return max(least, len(str(known)))


def count(source: Source, columns: list[str]) -> list[int]:
    """The source's numbers in the order of `columns`; of a regular file whose bytes alone are asked, its size."""
    if columns == ["bytes"] and (size := _size(source.fd)):
        try:
            return [max(0, size - os.lseek(source.fd, 0, os.SEEK_CUR))]
        except OSError:
            pass  # counted below
    found = dict.fromkeys(COLUMNS, 0)
    widest = 0
    before = b" "
    decoder = None
    words, widths = "words" in columns, "max_line_length" in columns
    for block in source.line_blocks() if widths else source.blocks():
        found["lines"] += block.count(b"\n")
        found["bytes"] += len(block)
        if "chars" in columns:
            if decoder is None and not block.isascii():
                import codecs

                # Bytes that are no UTF-8 are no characters.
                decoder = codecs.getincrementaldecoder("utf-8")("ignore")
            found["chars"] += len(decoder.decode(block) if decoder else block)
        if words:
            found["words"] += (before + block.translate(_CLASSES)).count(b" x")
            before = b"x" if _CLASSES[block[-1]] == 120 else b" "
        if widths:
            lines = block.split(b"\n")
            plain = not block.translate(None, _ONE_COLUMN)
            widest = max(widest, *map(len if plain else _columns, lines))
    found["max_line_length"] = widest
    return [found[column] for column in columns]


#: What takes one column each, and line feeds.
_ONE_COLUMN = bytes(range(32, 127)) + b"\n"


def _columns(text: bytes) -> int:
    """The columns that a line takes on a terminal: tabs to every eighth, wide characters two."""
    width = widest = 0
    if text.isascii() and not any(
        control in text for control in (b"\t", b"\r", b"\f", b"\v", b"\b")
    ):
        return len(text.translate(None, bytes([*range(32), 127])))
    from toolbox.columns import display_width

    for char in text.decode("utf-8", "replace"):
        if char == "\t":
            width += 8 - width % 8
        elif char in "\r\f":
            widest, width = max(widest, width), 0
        elif char < " " or char == "\x7f":
            continue  # moves nothing forward (GNU)
        else:
            width += display_width(char)
    return max(widest, width)


def _size(fd: int) -> int:
    status = os.fstat(fd)
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
