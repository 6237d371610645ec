"""Arithmetic expansion (POSIX XCU 2.6.4): C's expressions on signed 64-bit integers, with assignment.

An expression is compiled once to a closure over the shell's variables: `(shell) -> int`.
Besides POSIX: `++`, `--`, `**`, `,`, `base#digits`, as BusyBox has them.
"""

from __future__ import annotations

import operator
import re

from applets.sh.errors import ShellError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.sh.shell.state import Compiled, State

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9][0-9A-Za-z_@#]*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>\*\*=?|<<=|>>=|\+\+|--|&&|\|\||[-+*/%&|^<>=!]=|<<|>>|[-+*/%&|^<>=!~?:(),]))"
)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_WRAP = 1 << 64
_SIGN = 1 << 63
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def wrap(value: int) -> int:
    """`value` as a signed 64-bit integer, wrapped around."""
    return value if -_SIGN <= value < _SIGN else (value + _SIGN) % _WRAP - _SIGN


def _divide(a: int, b: int) -> int:
    if not b:
        raise ShellError("divide by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int:
    return a - b * _divide(a, b)


def _power(a: int, b: int) -> int:
    if b < 0:
        raise ShellError("exponent less than 0")
    return wrap(pow(a, b, _WRAP))


# Operator: precedence and function; && and || are built apart, because they do not always evaluate.
BINARY: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "||": (1, operator.or_),
    "&&": (2, operator.and_),
    "|": (3, operator.or_),
    "^": (4, operator.xor),
    "&": (5, operator.and_),
    "==": (6, operator.eq),
    "!=": (6, operator.ne),
    "<": (7, operator.lt),
    ">": (7, operator.gt),
    "<=": (7, operator.le),
    ">=": (7, operator.ge),
    "<<": (8, lambda a, b: a << (b & 63)),
    ">>": (8, lambda a, b: a >> (b & 63)),
    "+": (9, operator.add),
    "-": (9, operator.sub),
    "*": (10, operator.mul),
    "/": (10, _divide),
    "%": (10, _remainder),
    "**": (11, _power),
}
UNARY: dict[str, Callable[[int], int]] = {
    "-": operator.neg,
    "+": operator.pos,
    "~": operator.invert,
    "!": lambda a: not a,
}
ASSIGNMENT = frozenset(["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "**="])


def compiled(shell: State, text: str) -> Compiled:
    """The closure for an expression, kept in the shell for the next time."""
    found = shell.expressions.get(text)
    if found is None:
        if len(shell.expressions) > 500:
            shell.expressions.clear()
        found = shell.expressions[text] = compile_expression(text)
    return found


def compile_expression(text: str) -> Compiled:
    """The closure for an expression; raises ShellError("arithmetic syntax error")."""
    return _Compiler(text).whole()


def variable(shell: State, name: str, depth: int = 0) -> int:
    """A variable's integer value: a number, or an expression that is evaluated in turn; unset is 0."""
    text = shell.get(name)
    if text is None:
        if "u" in shell.flags:
            raise ShellError(f"{name}: parameter not set")
        return 0
    if _DECIMAL.match(text):
        return wrap(int(text))
    text = text.strip()
    if not text:
        return 0
    if depth > 200:
        raise ShellError("expression recursion loop detected")
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        return variable(shell, text, depth + 1)
    return compiled(shell, text)(shell)


class _Compiler:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        end = 0
        text = text.rstrip()
        while end < len(text):
            match = _TOKEN.match(text, end)
            if not match:
                raise _syntax()
            self.tokens.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
            end = match.end()
        self.tokens.append(("end", ""))
        self.at = 0

    def whole(self) -> Compiled:
        if len(self.tokens) == 1:
            return lambda shell: 0
        value = self.comma()
        if self.tokens[self.at][0] != "end":
            raise _syntax()
        return value

    def accept(self, *operators: str) -> str:
        kind, text = self.tokens[self.at]
        if kind == "operator" and text in operators:
            self.at += 1
            return text
        return ""

    def comma(self) -> Compiled:
        value = self.assignment()
        while self.accept(","):
            value = _both(value, self.assignment())
        return value

    def assignment(self) -> Compiled:
        kind, name = self.tokens[self.at]
        if kind == "name":
            following = self.tokens[self.at + 1]
            if following[0] == "operator" and following[1] in ASSIGNMENT:
                self.at += 2
                return _assign(name, following[1], self.assignment())
        return self.ternary()

    def ternary(self) -> Compiled:
        condition = self.binary(1)
        if not self.accept("?"):
            return condition
        yes = self.comma()
        if not self.accept(":"):
            raise _syntax()
        no = self.ternary()
        return lambda shell: yes(shell) if condition(shell) else no(shell)

    def binary(self, lowest: int) -> Compiled:
        left = self.unary()
        while True:
            self.split_step()
            kind, text = self.tokens[self.at]
            if kind != "operator" or text not in BINARY or BINARY[text][0] < lowest:
                return left
            self.at += 1
            precedence, function = BINARY[text]
            # ** is right-associative
            right = self.binary(precedence if text == "**" else precedence + 1)
            left = _binary(text, function, left, right)

    def split_step(self) -> None:
        """Where an operator must stand, `++` is a plus and what follows it: 4+++a is 4 + ++a."""
        kind, text = self.tokens[self.at]
        if kind == "operator" and text in ("++", "--"):
            sign = ("operator", text[0])
            rest = [sign]
            if self.tokens[self.at + 1] == sign:
                rest = [(kind, text)]
                del self.tokens[self.at + 1]
            self.tokens[self.at : self.at + 1] = [sign, *rest]

    def unary(self) -> Compiled:
        text = self.accept("++", "--")
        if text:
            kind, name = self.tokens[self.at]
            if kind == "name":
                self.at += 1
                return _assign(name, text[0] + "=", lambda shell: 1)
            self.at -= 1  # not a variable: two signs
            self.tokens[self.at : self.at + 1] = [("operator", text[0]), ("operator", text[0])]
        text = self.accept("-", "+", "~", "!")
        if text:
            function, operand = UNARY[text], self.unary()
            return lambda shell: wrap(int(function(operand(shell))))
        return self.primary()

    def primary(self) -> Compiled:
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            number = parse_number(text)
            return lambda shell: number
        if kind == "name":
            following = self.tokens[self.at + 1 : self.at + 2]
            if not following or following[0][0] not in ("name", "number"):  # a++b is a + +b
                step = self.accept("++", "--")
                if step:
                    return _step_after(text, 1 if step == "++" else -1)
            return lambda shell: variable(shell, text)
        if kind == "operator" and text == "(":
            value = self.comma()
            if not self.accept(")"):
                raise _syntax()
            return value
        raise _syntax()


def parse_number(text: str) -> int:
    """A constant: decimal, 0octal, 0xhexadecimal or base#digits."""
    try:
        if "#" in text:
            base_text, _, digits = text.partition("#")
            return wrap(_in_base(int(base_text), digits))
        if text[0] == "0" and len(text) > 1:
            return wrap(int(text, 16) if text[1] in "xX" else int(text, 8))
        return wrap(int(text))
    except ValueError:
        raise _syntax() from None


def _in_base(base: int, digits: str) -> int:
    """Digits are 0-9, a-z, A-Z, @ and _; up to base 36 the case does not matter (as in ksh)."""
    if not 2 <= base <= 64 or not digits:
        raise ValueError
    value = 0
    for c in digits:
        digit = _DIGITS.find(c.lower() if base <= 36 else c)
        if digit < 0:
            digit = 62 if c == "@" else 63 if c == "_" else 36 + ord(c) - ord("A")
        if not 0 <= digit < base:
            raise ValueError
        value = value * base + digit
    return value


def _syntax() -> ShellError:
    return ShellError("arithmetic syntax error")


def _both(first: Compiled, second: Compiled) -> Compiled:
    def run(shell: State) -> int:
        first(shell)
        return second(shell)

    return run


def _binary(
    text: str, function: Callable[[int, int], int], left: Compiled, right: Compiled
) -> Compiled:
    if text == "&&":
        return lambda shell: 1 if left(shell) and right(shell) else 0
    if text == "||":
        return lambda shell: 1 if left(shell) or right(shell) else 0

    def run(shell: State) -> int:
        return wrap(int(function(left(shell), right(shell))))

    return run


def _assign(name: str, text: str, value: Compiled) -> Compiled:
    if text == "=":

        def plain(shell: State) -> int:
            got = value(shell)
            shell.set(name, str(got))
            return got

        return plain
    function = BINARY[text[:-1]][1]

    def combined(shell: State) -> int:
        old = variable(shell, name)
        got = wrap(int(function(old, value(shell))))
        shell.set(name, str(got))
        return got

    return combined


def _step_after(name: str, step: int) -> Compiled:
    def run(shell: State) -> int:
        old = variable(shell, name)
        shell.set(name, str(wrap(old + step)))
        return old

    return run
