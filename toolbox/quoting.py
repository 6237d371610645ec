"""How file names are shown so that odd ones can be read or pasted (GNU's quoting styles).

    quote("a b", "shell-escape")    'a b'
    quote("a\\n", "escape")          a\\n
    quote('a"', "c")                "a\\""

Styles: literal, shell, shell-always, shell-escape, shell-escape-always, c, escape.
Names are str as the os module gives them: bytes that are no UTF-8 are lone surrogates.
"""

from __future__ import annotations

from toolbox.harmless import harmless

STYLES = (
    "literal",
    "shell",
    "shell-always",
    "shell-escape",
    "shell-escape-always",
    "c",
    "escape",
)

_NAMED = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}

#: Characters that a POSIX shell does not take literally (XCU 2.2), wherever they stand.
_SPECIAL = frozenset(" !\"$&'()*;<=>?[\\^`|")

#: ... and those it does not take literally at the start of a word.
_SPECIAL_FIRST = frozenset("#~")


def is_plain(name: str) -> bool:
    """Whether every character of a name can be shown as it is."""
    return name.isprintable()


def mask(name: str) -> str:
    """The name with `?` for each byte that cannot be shown (ls -q)."""
    return harmless(name, form="?")


def quote(name: str, style: str) -> str:
    """The name in one of `STYLES`."""
    if style == "literal":
        return name
    if style == "c":
        return '"' + _backslashes(name, '"') + '"'
    if style == "escape":
        return _backslashes(name, " ")
    escape = style.startswith("shell-escape")
    if escape and not name.isprintable():
        return _dollar_quoted(name)
    if style.endswith("-always") or _needs_quotes(name):
        if "'" in name and not _SPECIAL_IN_DOUBLE.intersection(name):
            return f'"{name}"'
        return "'" + name.replace("'", "'\\''") + "'"
    return name


#: What a shell still expands between double quotes.
_SPECIAL_IN_DOUBLE = frozenset('"$`\\!')


def _needs_quotes(name: str) -> bool:
    return (
        not name
        or name[0] in _SPECIAL_FIRST
        or not _SPECIAL.isdisjoint(name)
        or not name.isprintable()
    )


def _backslashes(name: str, also: str) -> str:
    out = []
    for c in name:
        if c in "\\" + also:
            out.append("\\" + c)
        elif c.isprintable():
            out.append(c)
        else:
            out.append(_NAMED.get(c) or _octal(c))
    return "".join(out)


def _octal(c: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in c.encode("utf-8", "surrogateescape"))


def _dollar_quoted(name: str) -> str:
    """'plain'$'\\n''plain': printable stretches in single quotes, the others as $'...' escapes."""
    out = []
    escaped: bool | None = None
    for c in name:
        odd = not c.isprintable()
        if odd is not escaped:
            if escaped is not None:
                out.append("'")
            out.append("$'" if odd else "'")
            escaped = odd
        out.append((_NAMED.get(c) or _octal(c)) if odd else c.replace("'", "'\\''"))
    text = "".join(out) + "'"
    return text if text.startswith("'") else "''" + text
