"""The option parser.  A module's docstring is its usage, its help and its grammar.

    '''head [-qv] [-n N] [FILE]...

    Print the first 10 lines of each FILE, or of standard input.

      -n, --lines=N   first N lines
      -q, --quiet     never print headers
    '''
    options = Options(__doc__)
    opt, files = options.parse(argv)

The lines before the first blank one are the synopsis: the applet's name, its options in brackets, and
its operands, from which follows how many there may be: `FILE`, `[FILE]`, `FILE...`, `[FILE]...`.
With several synopsis lines each of them is allowed.  After an operand called COMMAND everything
belongs to that command.

An option's line starts with two spaces and a dash (six spaces before a long name without a letter):
names separated by commas, two spaces, help.

    -x                  a flag: False or True
    --long=WORD, -x WORD   takes an argument: None or the argument; N: int from 0 with a size suffix;
                        SECONDS: float with a unit; any other word: str
    --long[=WORD]       the argument is optional, only with `=` (or directly after the letter); "" without
    -x...               may be repeated: a count; with an argument: a list
    -NUM                a number behind a dash, as in `head -5`

The attribute's name is the first long name with `_` for `-`, else the letter (`_1` for `-1`).

Arguments are parsed as GNU getopt_long(3) does: options and operands mix, `--` ends the options,
letters may be bundled, long names shortened as far as they are unambiguous; with POSIXLY_CORRECT in the
environment the first operand ends the options (POSIX XBD 12.2).
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

#: What a size suffix multiplies by (GNU coreutils, "Block size"; `b`, `c` and `w` as in dd and head).
_PREFIXES = "KMGTPEZY"
_UNITS = {"": 1, "c": 1, "w": 2, "b": 512, "k": 1024, "kB": 1000, "kiB": 1024}
for _power, _letter in enumerate(_PREFIXES, 1):
    _UNITS[_letter] = _UNITS[_letter + "iB"] = 1024**_power
    _UNITS[_letter + "B"] = 1000**_power

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


#: The largest number that is taken: that of a file's size, off_t, which counts nothing that anybody has.
LARGEST = (1 << 63) - 1


def number(text: str, what: str = "number", *, least: int = -LARGEST, most: int = LARGEST) -> int:
    """An integer with a sign and a size suffix (`5`, `-2k`, `1MB`), from `least` to `most`.

    UsageError names `what` it should be.
    """
    digits = text.rstrip("KMGTPEZYkiBbcw")
    unit = _UNITS.get(text[len(digits) :])
    if unit is None:
        _bad(what, text)
    return _within(_whole(digits, what, text) * unit, what, text, least, most)


def too_wide(flags: str) -> bool:
    """Whether a field's flags, width and precision (`-08.3`) have a number of more than a million in them.

    What is padded to it is held in memory.
    """
    digits = "".join(c if c.isdecimal() else " " for c in flags).split()
    return any(len(d.lstrip("0")) > 6 for d in digits)


def whole(text: str, what: str = "number", *, least: int = -LARGEST, most: int = LARGEST) -> int:
    """An integer with a sign and no suffix, from `least` to `most`.  UsageError names `what` it should be."""
    return _within(_whole(text, what, text), what, text, least, most)


def _whole(digits: str, what: str, text: str) -> int:
    unsigned = digits[1:] if digits[:1] in ("+", "-") else digits
    if not (unsigned.isascii() and unsigned.isdecimal()):
        _bad(what, text)
    # int() refuses thousands of digits (sys.set_int_max_str_digits), as it would take long.
    significant = unsigned.lstrip("0")[:40] or "0"
    return -int(significant) if digits[:1] == "-" else int(significant)


def _within(value: int, what: str, text: str, least: int, most: int) -> int:
    if value > most:
        _bad(what, text, f": the largest is {most}")
    if value < least:
        _bad(what, text, f": the smallest is {least}")
    return value


def seconds(text: str, what: str = "time interval") -> float:
    """A number of seconds, with an optional unit s, m, h or d (GNU sleep); `inf` is allowed."""
    digits = text.rstrip("smhd") if not text.endswith("inf") else text
    try:
        if "_" in digits or not digits.isascii() or digits.strip() != digits:
            raise ValueError
        value = float(digits) * _SECONDS[text[len(digits) :]]
    except (ValueError, KeyError):
        _bad(what, text)
    if not value >= 0:
        _bad(what, text)
    return value


def _bad(what: str, text: str, why: str = "") -> NoReturn:
    raise UsageError(f"invalid {what}: {text!r}{why}")


class Option:
    """One option: `letters` and `longs` are its names, `attribute` where its value goes."""

    __slots__ = ("attribute", "letters", "longs", "number", "optional", "repeated", "word")

    def __init__(self, spec: str) -> None:
        self.letters: list[str] = []
        self.longs: list[str] = []
        self.word: str | None = None
        self.optional = self.number = False
        self.repeated = spec.endswith("...")
        for name in spec.removesuffix("...").replace(" ...", "").split(", "):
            self._add(name.strip())
        if not all(self.longs) or not all(self.letters):
            raise ValueError(f"{spec!r}: an option without a name")
        self.attribute = _attribute((self.longs or self.letters or ["NUM"])[0])

    def _add(self, name: str) -> None:
        if name == "-NUM":
            self.number = True
            return
        if "[=" in name:
            name, _, word = name.partition("[=")
            self.word, self.optional = word.removesuffix("]"), True
        elif "=" in name[2:]:
            name, _, self.word = name.partition("=")
        elif " " in name:
            name, _, self.word = name.partition(" ")
        if name.startswith("--"):
            self.longs.append(name[2:])
        else:
            self.letters.append(name[1:])

    @property
    def initial(self) -> Any:
        """The attribute's value when the option is not given."""
        if self.repeated:
            return [] if self.word else 0
        return None if self.word or (self.number and not self.letters) else False

    def convert(self, text: str, shown: str) -> Any:
        """The value of an argument by the option's WORD; UsageError names the option as `shown`."""
        if self.word == "N":
            return number(text, f"number for {shown}", least=0)
        if self.word == "SECONDS":
            return seconds(text, f"time interval for {shown}")
        return text


class Values:
    """The options' values as attributes; `order` holds the attributes in the order given."""

    def __init__(self, initial: dict[str, Any]) -> None:
        self.__dict__.update(initial)
        self.order: list[str] = []

    def last(self, *attributes: str) -> str | None:
        """Which of `attributes` was given last on the command line; None when none was."""
        for attribute in reversed(self.order):
            if attribute in attributes:
                return attribute
        return None

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class Options:
    """The grammar of one applet, read from its docstring.

    trouble: exit status for usage errors and for errors of the system (1; 2 for grep, sort, ...)
    permute: False when the first operand ends the options
    """

    def __init__(self, doc: str | None, *, trouble: int = 1, permute: bool = True) -> None:
        self.doc = (doc or "").strip("\n")
        self.trouble = trouble
        synopsis, _, text = self.doc.partition("\n\n")
        self.synopsis = [line.strip() for line in synopsis.split("\n")]
        self.summary = _first_sentence(text)
        self.name = self.synopsis[0].split(" ")[0]
        counts = [_operands(line) for line in self.synopsis]
        self.least = min(least for least, _, _ in counts)
        self.most = (
            None if any(m is None for _, m, _ in counts) else max(m or 0 for _, m, _ in counts)
        )
        self.permute = permute and not any(stops for _, _, stops in counts)
        self.options = [Option(spec) for spec in _specs(text)]
        self.by_letter = {letter: o for o in self.options for letter in o.letters}
        self.by_long = {long: o for o in self.options for long in o.longs}
        self.by_number = next((o for o in self.options if o.number), None)

    def parse(self, argv: list[str]) -> tuple[Values, list[str]]:
        """The values and the operands of a command line; `argv[0]` is the applet's name.

        --help and --version print and leave by SystemExit.  UsageError names what is wrong.
        """
        values = Values({o.attribute: o.initial for o in self.options})
        operands: list[str] = []
        permute = self.permute and "POSIXLY_CORRECT" not in os.environ
        rest = iter(argv[1:])
        for word in rest:
            if word == "--":
                operands += rest
            elif word.startswith("--"):
                self._long(word[2:], rest, values)
            elif word.startswith("-") and word != "-":
                self._letters(word, rest, values)
            else:
                operands.append(word)
                if not permute:
                    operands += rest
        self.check_count(operands)
        return values, operands

    def standard(self, argv: list[str]) -> None:
        """Obey a lone --help or --version, for an applet that parses its own operands."""
        if argv[1:] == ["--help"]:
            self._leave(self.help())
        if argv[1:] == ["--version"]:
            self._leave(self._version())

    def usage(self) -> str:
        """The synopsis, as --help begins."""
        return "\n".join(
            ("Usage: " if i == 0 else "       ") + line for i, line in enumerate(self.synopsis)
        )

    def help(self) -> str:
        """What --help prints."""
        text = self.doc.partition("\n\n")[2].rstrip()
        return f"{self.usage()}\n\n{text}\n" if text else f"{self.usage()}\n"

    def _version(self) -> str:
        from toolbox import VERSION

        return f"{self.name} (Snakeroot) {VERSION}\n"

    def _leave(self, text: str) -> None:
        from toolbox.streams import stdout

        stdout().write(text.encode())
        raise SystemExit(0)

    def check_count(self, operands: list[str]) -> None:
        """UsageError when there are fewer or more operands than the synopsis allows."""
        if len(operands) < self.least:
            after = f" after {operands[-1]!r}" if operands else ""
            raise UsageError(f"missing operand{after}")
        if self.most is not None and len(operands) > self.most:
            raise UsageError(f"extra operand {operands[self.most]!r}")

    def _long(self, word: str, rest: Iterator[str], values: Values) -> None:
        name, equals, text = word.partition("=")
        option = self.by_long.get(name) or self._abbreviated(name)
        shown = f"'--{name}'"
        if option.word is None:
            if equals:
                raise UsageError(f"option {shown} doesn't allow an argument")
            self._set(values, option, True)
            return
        if not equals and not option.optional:
            following = next(rest, None)
            if following is None:
                raise UsageError(f"option {shown} requires an argument")
            text = following
        given = bool(equals) or not option.optional
        self._set(values, option, option.convert(text, shown) if given else "")

    def _abbreviated(self, name: str) -> Option:
        known = [*self.by_long, "help", "version"]
        fits = [long for long in known if long.startswith(name)]
        if "help" in fits and (name == "help" or len(fits) == 1):
            self._leave(self.help())
        if "version" in fits and (name == "version" or len(fits) == 1):
            self._leave(self._version())
        found = {id(self.by_long.get(long)) for long in fits}
        if len(found) == 1 and fits[0] in self.by_long:
            return self.by_long[fits[0]]
        if fits:
            shown = " ".join(f"'--{long}'" for long in fits)
            raise UsageError(f"option '--{name}' is ambiguous; possibilities: {shown}")
        raise UsageError(f"unrecognized option '--{name}'")

    def _letters(self, word: str, rest: Iterator[str], values: Values) -> None:
        given = word[1:].isascii() and word[1:].isdecimal()
        if self.by_number is not None and given and word[1] not in self.by_letter:
            values.__dict__[self.by_number.attribute] = (
                number(word[1:]) if self.by_number.word in (None, "N") else word[1:]
            )
            values.order.append(self.by_number.attribute)
            return
        for i, letter in enumerate(word[1:], 2):
            option = self.by_letter.get(letter)
            if option is None:
                raise UsageError(f"invalid option -- {letter!r}")
            if option.word is None:
                self._set(values, option, True)
                continue
            text = word[i:]
            if not text and not option.optional:
                following = next(rest, None)
                if following is None:
                    raise UsageError(f"option requires an argument -- {letter!r}")
                text = following
            self._set(
                values,
                option,
                option.convert(text, f"'-{letter}'") if text or not option.optional else "",
            )
            return

    def _set(self, values: Values, option: Option, value: Any) -> None:
        if option.repeated and option.word:
            value = [*values.__dict__[option.attribute], value]
        elif option.repeated:
            value = values.__dict__[option.attribute] + 1
        values.__dict__[option.attribute] = value
        values.order.append(option.attribute)


def _attribute(name: str) -> str:
    name = name.replace("-", "_")
    return f"_{name}" if name[0].isdigit() else name


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split())
    # The dots of `FILE... DIR` end no sentence.
    whole = paragraph.replace("... ", "...\0")
    return whole.partition(". ")[0].replace("\0", " ").removesuffix(".")


def _specs(text: str) -> Iterator[str]:
    """The names part of each option's line: `-n, --lines=N` of `  -n, --lines=N   first N lines`."""
    for line in text.split("\n"):
        stripped = line.lstrip(" ")
        indent = len(line) - len(stripped)
        if stripped.startswith("-") and (
            indent == 2 or (indent == 6 and stripped.startswith("--"))
        ):
            yield stripped.partition("  ")[0].rstrip()


def _operands(synopsis: str) -> tuple[int, int | None, bool]:
    """How many operands a synopsis asks for (least, most; None: any number), and whether a COMMAND ends options."""
    least, most, command = 0, 0, False
    unbounded = False
    depth, option_depth = 0, 0
    words = synopsis.replace("[", " [ ").replace("]", " ] ").replace("...", " ... ").split()[1:]
    required_before = False  # whether the item before an ellipsis counted
    previous = ""
    for word in words:
        if word == "[":
            depth += 1
        elif word == "]":
            if option_depth == depth:
                option_depth = 0
            depth -= 1
        elif word == "...":
            unbounded = unbounded or required_before
        elif option_depth:
            continue
        elif word.startswith("-") and depth and previous == "[":
            option_depth, required_before = depth, False
        elif word.startswith("-"):
            required_before = False  # an option that must be given; a flag, as its word would count
        else:
            command = command or word == "COMMAND"
            most += 1
            least += 0 if depth else 1
            required_before = True
        previous = word
    return least, None if unbounded else most, command
