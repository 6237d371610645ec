r"""Perl's regular expressions (PCRE) as Python's `re` understands them, on bytes.

Most is the same.  Translated here: \K, \h, \H, \R, \N, \Q...\E, \z, \Z, \x{..}, (?<name>...), \k<name>, \g{n},
[:class:].  Not known to `re`, and refused with its message: recursion, branch reset, \p{...}.
"""

from __future__ import annotations

import re

from toolbox.errors import UsageError

_TOKEN = re.compile(
    rb"\\Q(?P<quoted>.*?)(?:\\E|\Z)|\\x\{(?P<hex>[0-9A-Fa-f]+)\}|\\k[<{'](?P<named>\w+)[>}']"
    rb"|\\g\{?(?P<number>\d+)\}?|\\(?P<escape>.)|\(\?[<'](?P<name>[A-Za-z_]\w*)[>']"
    rb"|\[(?P<set>\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*)\]",
    re.DOTALL,
)

_ESCAPES = {
    b"h": b"[ \\t]",
    b"H": b"[^ \\t\\n]",
    b"R": b"(?:\\r\\n|[\\n\\v\\f\\r])",
    b"N": b"[^\\n]",
    b"z": b"\\Z",
    b"Z": b"(?=\\n?\\Z)",
    b"e": b"\\x1b",
    b"E": b"",
    b"/": b"/",
}

_SET_CLASS = re.compile(rb"\[:(\^?)(\w+):\]")


def perl(pattern: bytes) -> tuple[bytes, str]:
    r"""The expression for `re`, and the name of the group that holds what \K keeps ("" without \K)."""
    keep = ""
    out: list[bytes] = []
    at = 0
    for found in _TOKEN.finditer(pattern):
        out.append(pattern[at : found.start()])
        at = found.end()
        if found["escape"] == b"K":
            if keep:
                raise UsageError("\\K may stand only once")
            # What is kept becomes a group up to the end; that needs \K outside of parentheses.
            keep = "kept"
            out.append(b"(?P<kept>")
            continue
        out.append(_translated(found))
    out.append(pattern[at:] + (b")" if keep else b""))
    return b"".join(out), keep


def _translated(found: re.Match[bytes]) -> bytes:
    from toolbox.regex import escape

    if found["quoted"] is not None:
        return escape(found["quoted"])
    if found["hex"]:
        try:
            return escape(chr(int(found["hex"], 16)).encode())
        except (ValueError, OverflowError, UnicodeEncodeError):
            raise UsageError("character code point value in \\x{} is too large") from None
    if found["named"]:
        return b"(?P=" + found["named"] + b")"
    if found["number"]:
        return b"(?:\\" + found["number"] + b")"
    if found["name"]:
        return b"(?P<" + found["name"] + b">"
    if found["set"] is not None:
        return b"[" + _SET_CLASS.sub(_class, found["set"]).replace(b"\\h", b" \\t") + b"]"
    return _ESCAPES.get(found["escape"], found[0])


def _class(found: re.Match[bytes]) -> bytes:
    from toolbox.regex.charset import ALL, class_members
    from toolbox.regex.source import ranges

    members = class_members(found[2])
    return b"".join(ranges(ALL & ~members if found[1] else members))
