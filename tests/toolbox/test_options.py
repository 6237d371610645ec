"""The option parser: what a docstring promises is what the command line does.

Breaks when the grammar of toolbox/options.py and GNU getopt_long(3) part ways.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.errors import UsageError
from toolbox.options import Options, number, seconds, whole

SAMPLE = Options(
    """sample [-aqv] [-n N] [-e PATTERN]... [--color[=WHEN]] [FILE]...

    Show what a docstring can say.  Only this sentence is the summary's neighbour.
""".replace("    Show", "Show")
    + """
  -a, --all             a flag
  -n, --lines=N         a number
  -c, --bytes=[-]N      a word that keeps its sign
  -e, --regexp=PATTERN...   may be repeated
  -v...                 counts
  -1                    a digit as a letter
  -t, --wait=SECONDS    a time
      --color[=WHEN]    an optional argument
      --colour-map=FILE  shares a beginning with --color
"""
)

OLD_STYLE = Options(
    "tail [-NUM] [FILE]...\n\nShow ends.\n\n  -n, --lines=N  lines\n  -NUM  the same\n"
)


@pytest.mark.parametrize(
    ("words", "attribute", "value"),
    [
        (["-a"], "all", True),
        (["--all"], "all", True),
        (["--al"], "all", True),
        ([], "all", False),
        (["-n", "5"], "lines", 5),
        (["-n5"], "lines", 5),
        (["-an5k"], "lines", 5120),
        (["--lines", "1MB"], "lines", 1_000_000),
        (["-c", "-0"], "bytes", "-0"),
        (["-e", "x", "--regexp=y", "-ez"], "regexp", ["x", "y", "z"]),
        (["-vvv", "-v"], "v", 4),
        (["-1"], "_1", True),
        (["-t", "1.5m"], "wait", 90.0),
        (["--color"], "color", ""),
        (["--color=always"], "color", "always"),
        (["--colour=f"], "colour_map", "f"),
        ([], "color", None),
    ],
)
def test_values(words: list[str], attribute: str, value: object) -> None:
    values, operands = SAMPLE.parse(["sample", *words])
    assert getattr(values, attribute) == value
    assert operands == []


@pytest.mark.parametrize(
    ("words", "operands"),
    [
        (["x", "-a", "y"], ["x", "y"]),
        (["--", "-a"], ["-a"]),
        (["x", "--", "--", "-a"], ["x", "--", "-a"]),
        (["-"], ["-"]),
        (["-n", "5", "-"], ["-"]),
    ],
)
def test_operands(words: list[str], operands: list[str]) -> None:
    assert SAMPLE.parse(["sample", *words])[1] == operands


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-z"], "invalid option -- 'z'"),
        (["-az"], "invalid option -- 'z'"),
        (["--nothing"], "unrecognized option '--nothing'"),
        (["--all=1"], "option '--all' doesn't allow an argument"),
        (["-n"], "option requires an argument -- 'n'"),
        (["--lines"], "option '--lines' requires an argument"),
        (["-n", "x"], "invalid number for '-n': 'x'"),
        (["--lines=1_0"], "invalid number for '--lines': '1_0'"),
        (["-t", "-1"], "invalid time interval for '-t': '-1'"),
        (["--co"], "option '--co' is ambiguous; possibilities: '--color' '--colour-map'"),
    ],
)
def test_errors_name_the_word(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        SAMPLE.parse(["sample", *words])
    assert str(caught.value) == message


def test_no_name_is_no_abbreviation() -> None:
    """Also where --help and --version are the only long options."""
    for grammar in (SAMPLE, Options("plain [-a]\n\nDo.\n\n  -a  all\n")):
        with pytest.raises(UsageError, match="option '--' is ambiguous"):
            grammar.parse([grammar.name, "--=x"])


def test_an_option_without_a_name_is_a_fault_of_the_docstring() -> None:
    with pytest.raises(ValueError, match="without a name"):
        Options("plain\n\nDo.\n\n  -, --all  all\n")


def test_posixly_correct_stops_at_the_first_operand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSIXLY_CORRECT", "1")
    values, operands = SAMPLE.parse(["sample", "x", "-a"])
    assert not values.all
    assert operands == ["x", "-a"]


def test_old_style_number_and_letters_are_told_apart() -> None:
    assert OLD_STYLE.parse(["tail", "-5"])[0].NUM == 5
    assert OLD_STYLE.parse(["tail", "-n", "5"])[0].lines == 5
    with pytest.raises(UsageError, match="smallest is 0"):
        OLD_STYLE.parse(["tail", "-n", "-5"])


def test_the_last_of_several_options_is_known() -> None:
    values, _ = SAMPLE.parse(["sample", "-a", "-n1", "-v"])
    assert values.last("all", "lines") == "lines"
    assert values.last("color") is None


@pytest.mark.parametrize(
    ("synopsis", "least", "most"),
    [
        ("true", 0, 0),
        ("head [-q] [FILE]...", 0, None),
        ("tee [FILE]", 0, 1),
        ("rm [-f] FILE...", 1, None),
        ("cp [-a] [-S SUFFIX] SOURCE... DEST", 2, None),
        ("ln [-s] TARGET [LINK]", 1, 2),
        ("x [--color[=WHEN]] FILE", 1, 1),
        ("httpd --box [-v]", 0, 0),
    ],
)
def test_operand_counts_follow_from_the_synopsis(
    synopsis: str, least: int, most: int | None
) -> None:
    options = Options(f"{synopsis}\n\nDo it.\n")
    assert (options.least, options.most) == (least, most)
    if least:
        with pytest.raises(UsageError, match="missing operand"):
            options.parse(["x"] * least)
    if most is not None:
        with pytest.raises(UsageError, match="extra operand 'last'"):
            options.parse(["x", *["y"] * most, "last"])


def test_options_behind_a_command_are_the_commands() -> None:
    options = Options("env [-i] [COMMAND [ARG]...]\n\nRun it.\n\n  -i  empty\n")
    values, operands = options.parse(["env", "-i", "ls", "-l", "-i"])
    assert values.i
    assert operands == ["ls", "-l", "-i"]


@given(st.lists(st.text(alphabet="-=aencv15 \udc80x", max_size=6), max_size=6))
def test_any_command_line_is_parsed_or_refused(words: list[str]) -> None:
    try:
        values, operands = SAMPLE.parse(["sample", *words])
    except UsageError as error:
        assert str(error)
    else:
        assert all(word in words for word in operands)
        assert values.v >= 0


@given(st.integers(min_value=-(10**12), max_value=10**12), st.sampled_from(["", "k", "M", "kB"]))
def test_numbers_with_suffixes(value: int, suffix: str) -> None:
    factor = {"": 1, "k": 1024, "M": 1024**2, "kB": 1000}[suffix]
    assert number(f"{value}{suffix}") == value * factor


@pytest.mark.parametrize("text", ["", "-", "1e3", "0x10", "1kk", "٣", " 1", "1 "])
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="invalid number"):
        number(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("2h", 7200),
        ("1d", 86400),
        ("inf", float("inf")),
        ("1e99", 1e99),
        ("9" * 5000, float("inf")),
    ],
)
def test_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "-1", "1_0", "٣", "1x", "nan", "s", "1 s"])
def test_seconds_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="invalid time interval"):
        seconds(text)


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775808",
        "-9223372036854775808",
        "8E",
        "1Y",
        "9" * 20,
        "9" * 5000,
        "-" + "9" * 5000,
    ],
)
def test_numbers_are_bounded(text: str) -> None:
    """The message names the operand and the bound, and no number of digits is too many to read."""
    with pytest.raises(
        UsageError, match=r"invalid number of legs: '.*(largest|smallest) is -?9223372036854775807"
    ):
        number(text, "number of legs")


def test_bounds_of_its_own() -> None:
    assert number("7", least=0, most=7) == whole("07", least=0, most=7) == 7
    for text in ("8", "-1", "1k"):
        with pytest.raises(UsageError, match=r"invalid number: .*(largest is 7|smallest is 0)"):
            number(text, least=0, most=7)
    with pytest.raises(UsageError, match=r"invalid number: '1k'$"):
        whole("1k")
