"""Random small programs from a grammar: where dash, bash and BusyBox's ash agree, ours must, too.

What breaks here belongs into a row of tables/.  `FUZZ_SHELL=SEED:COUNT` in the environment tries others.
"""

from __future__ import annotations

import os
import random

from tests.applets.sh.shells import ORACLES, oracle, ours, python_of

#: Seed and number of the programs of a usual run.
USUAL = "12:120"

_PLAIN = [
    *("a", "b", "'a b'", '"c  d"', "x*", "\\$a", "~", "''", '""', "a\\ b", "[ab]", "-n", "1", "0"),
    *("=x", "a=b", "{a}", "#c", "a#b"),
]
_VALUES = [
    *("$x", "${x}", '"$x"', "$1", '"$@"', "$*", '"$*"', "$#", "$?", "${#x}", "$y", "${#1}"),
    *("$-x", "${x}y", "$@"),
]
_OPERATORS = ["-", ":-", "+", ":+", "#", "##", "%", "%%", "=", ":=", "?", ":?"]
_BACKQUOTED = ["echo a", "echo $x", "true", "echo 'q r'", "printf 'a\\nb\\n'"]
_NUMBERS = ["1", "2", "0", "7", "n", "$n", "010", "0x1f", "(3)", "z"]
_BINARY = ["+", "-", "*", "<", "<=", "==", "!=", "&&", "||", "&", "|", "^", "?2:"]
_REDIRECTIONS = [
    *(">f", "<f", "2>/dev/null", ">>f", "<&-", ">&2", "2>&1", "<no/such", "3>f", "<&3", ">&-"),
    *("<<E\n$x $n `echo h` \\$x $((n+1))\nE\n", "<<'E'\n$x\nE\n"),
]
_COMMANDS = [
    *("shift", "true", "false", ":", "return 3", "break", "continue", "exit 4", "unset x", "wait"),
    *("readonly z", "export x", "f a", "f", "set -e", "set -u", "set -f", "set +f", "cd .", "eval"),
    *(
        "unset -f f",
        "command f",
        "command true",
        "eval 'echo $x'",
        'eval "echo $x"',
        "eval 'exit 3'",
    ),
    *("read x y <f", "read -r x <<E\na b  c\\\nd\nE\n", "trap 'echo T$?' EXIT", "exec 3>&1"),
]


class Grammar:
    """Programs from one seed."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.in_function = False  # there nothing calls the function, so that it returns

    def program(self) -> str:
        """A few lines with variables, a function perhaps, and the last status."""
        lines = [self.list(0) for _ in range(self.choose.randrange(1, 4))]
        text = "\n".join(["x='a b'; n=3; set -- p 'q r'", *lines, "echo end $?\n"])
        return text.replace("\n ; ", "\n").replace("\n; ", "\n").replace("\n;", "\n")

    def list(self, depth: int) -> str:
        """Commands one after the other."""
        return "; ".join(self.command(depth) for _ in range(self.choose.randrange(1, 3)))

    def command(self, depth: int) -> str:
        """A command of any kind."""
        kind = self.choose.randrange(22)
        below = depth + 1
        if depth > 3 or kind < 10:
            return self.simple(depth) + " " + self.redirection()
        if kind < 12:
            opening, closing = ("{ ", "; }") if kind == 10 else ("(", ")")
            return opening + self.list(below) + closing + self.redirection()
        if kind == 12:
            otherwise = self.choose.choice(["", "; else " + self.command(below)])
            return f"if {self.command(below)}; then {self.list(below)}{otherwise}; fi"
        if kind == 13:
            return f"for i in {self.words(depth)}; do {self.list(below)}; done"
        if kind == 14:
            patterns = self.choose.choice(["a*", "*b", "[!a]", "'a b'", "?", self.word(depth)])
            first, rest = self.command(below), self.command(below)
            return f"case {self.word(depth)} in {patterns}|x) {first};; *) {rest};; esac"
        if kind < 19:
            joint = self.choose.choice([" | ", " && ", " || "])
            return self.command(below) + joint + self.command(below)
        if kind == 19:
            before, self.in_function = self.in_function, True
            body = self.list(below)
            self.in_function = before
            return f"f() {{ {body}; }}"
        if kind == 20:
            count = f"m{depth}"  # one for each depth, so that every loop ends
            step = f"{count}=$(({count}+1))"
            return f"{count}=0; while [ ${count} -lt 2 ]; do {step}; {self.command(below)}; done"
        return "! " + self.simple(depth)

    def simple(self, depth: int) -> str:
        """A command with a name, or assignments."""
        kind = self.choose.randrange(20)
        if kind < 8:
            return "echo " + self.words(depth)
        if kind < 11:
            return f"printf '<%s>' {self.word(depth)} {self.words(depth)}"
        if kind < 14:
            return self.choose.choice(["x", "y", "n", "z", "IFS"]) + "=" + self.word(depth)
        if kind == 14:
            return f"set -- {self.words(depth)}"
        if kind == 15:
            operator = self.choose.choice(["=", "!=", "-eq", "-lt"])
            return f"[ {self.word(depth)} {operator} {self.word(depth)} ]"
        if kind == 16:
            command = self.choose.choice(["true", ":", "f", "eval 'echo $x'"])
            return f"x={self.word(depth)} {self._not_itself(command)}"
        return self._not_itself(self.choose.choice(_COMMANDS))

    def _not_itself(self, command: str) -> str:
        return "true" if self.in_function and "f" in command.split() else command

    def redirection(self) -> str:
        """Now and then one."""
        return self.choose.choice(_REDIRECTIONS) if self.choose.random() < 0.15 else ""

    def words(self, depth: int) -> str:
        """Up to three words."""
        return " ".join(self.word(depth) for _ in range(self.choose.randrange(4)))

    def word(self, depth: int) -> str:
        """A word with any expansion."""
        kind = self.choose.randrange(16)
        if kind < 4 or depth > 2:
            return self.choose.choice(_PLAIN)
        if kind < 8:
            return self.choose.choice(_VALUES)
        if kind < 12:
            operator = self.choose.choice(_OPERATORS)
            names = ["x", "y", "z"] if "=" in operator else ["x", "y", "1", "z", "@", "*"]
            quote = self.choose.choice(["", "", '"'])
            inside = self.word(depth + 1).replace('"', "" if quote else '"')
            return f"{quote}${{{self.choose.choice(names)}{operator}{inside}}}{quote}"
        if kind == 12:
            return f"$(({self.arithmetic(0)}))"
        if kind < 15:
            quote = self.choose.choice(["", '"'])
            return f"{quote}$( {self.command(depth + 1)}){quote}"  # $(( is arithmetic
        return f"`{self.choose.choice(_BACKQUOTED)}`"

    def arithmetic(self, depth: int) -> str:
        """An expression."""
        if self.choose.random() < 0.4 or depth > 2:
            return self.choose.choice(_NUMBERS)
        sign = self.choose.choice(["-", "!", "~", "", ""])
        operator = self.choose.choice(_BINARY)
        return f"{sign}{self.arithmetic(depth + 1)} {operator} {self.arithmetic(depth + 1)}"


def test_ours_agrees_where_all_others_do(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    seed, count = map(int, os.environ.get("FUZZ_SHELL", USUAL).split(":"))
    grammar = Grammar(seed)
    agreed = {}
    for program in {grammar.program() for _ in range(count)}:
        results = [oracle(name, toolbox_env, program) for name in ORACLES]
        if len({(out, status == 0) for status, out, _ in results}) == 1:
            agreed[program] = results[0]
    assert len(agreed) > count // 3, "the grammar makes too many programs of which nobody is sure"
    got = ours(python_of(toolbox_argv), toolbox_env, agreed)
    wrong = []
    for program, (status, out, _) in agreed.items():
        mine = got[program]
        if (mine[1], mine[0] == 0) != (out, status == 0) or b"Traceback" in mine[2]:
            wrong.append((program, (status, out), mine))
    assert not wrong
