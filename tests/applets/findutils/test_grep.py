"""grep: breaks when a line is selected, numbered, counted or cut out other than POSIX and GNU say."""

from __future__ import annotations

import os

import pytest

TEXT = b"apple\nbanana\ncherry pie\nApple tart\n\nfoo.bar\nfoo bar\nabcabc\nxyzzy\nab\n123 45\nend"
ODD = b"a+b\na{1}b\n*star\n^caret$\n\\back\\\ntab\there\n"

SELECT = [
    (["apple"], b"apple\n"),
    (["-i", "apple"], b"apple\nApple tart\n"),
    (["-n", "foo"], b"6:foo.bar\n7:foo bar\n"),
    (["-c", "a"], b"7\n"),
    (["-vc", "a"], b"5\n"),
    (["-b", "foo"], b"36:foo.bar\n44:foo bar\n"),
    (["-ob", "foo"], b"36:foo\n44:foo\n"),
    (["-H", "pie"], b"(standard input):cherry pie\n"),
    (["-H", "--label=X", "pie"], b"X:cherry pie\n"),
    (["-w", "foo"], b"foo.bar\nfoo bar\n"),
    (["-x", "ab"], b"ab\n"),
    (["end"], b"end\n"),  # a last line without its end gets one
    (["-n", "$"], b"".join(b"%d:%s\n" % (i, s) for i, s in enumerate(TEXT.split(b"\n"), 1))),
    (["-c", ""], b"12\n"),
    (["^$"], b"\n"),
    (["-e", "pie", "-e", "end"], b"cherry pie\nend\n"),
    (["pie\nend"], b"cherry pie\nend\n"),
    (["-F", "foo.bar"], b"foo.bar\n"),
    (["-Fi", "APPLE T"], b"Apple tart\n"),
    (["-Fx", "-e", "ab", "-e", "foo"], b"ab\n"),
    (["-m2", "a"], b"apple\nbanana\n"),
    (["-m1", "-A1", "foo"], b"foo.bar\nfoo bar\n"),
    (["-l", "foo"], b"(standard input)\n"),
    (["-A1", "cherry"], b"cherry pie\nApple tart\n"),
    (["-B1", "cherry"], b"banana\ncherry pie\n"),
    (["-n", "-C1", "foo b"], b"6-foo.bar\n7:foo bar\n8-abcabc\n"),
    (["-1", "cherry"], b"banana\ncherry pie\nApple tart\n"),
    (["-A0", "pp"], b"apple\n--\nApple tart\n"),
    (["--group-separator=++", "-A0", "pp"], b"apple\n++\nApple tart\n"),
    (["--no-group-separator", "-A0", "pp"], b"apple\nApple tart\n"),
    (["-o", "[a-c]\\{2,\\}"], b"ba\nba\nba\nabcabc\nab\n"),
    (["-v", "[a-z]"], b"\n123 45\n"),
    (["-T", "pie"], b"cherry pie\n"),
    (["--color=always", "pie"], b"cherry \x1b[01;31m\x1b[Kpie\x1b[m\x1b[K\n"),
]


@pytest.mark.parametrize(
    ("args", "out"), SELECT, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_selects(run, args, out):
    r = run("grep", *args, stdin=TEXT)
    assert (r.out, r.err, r.status) == (out, b"", 0)


EXPRESSIONS = [
    ("-G", r"\(abc\)\1", b"abcabc\n"),
    ("-E", r"(abc)\1", b"abcabc\n"),
    ("-G", r"z\{2\}", b"xyzzy\n"),
    ("-E", "z{2}", b"xyzzy\n"),
    ("-E", "^(foo|ab)$", b"ab\n"),
    ("-G", r"pie\|end", b"cherry pie\nend\n"),
    ("-E", "[[:digit:]]{3}", b"123 45\n"),
    ("-E", "[^[:alpha:] .]", b"123 45\n"),
    ("-G", r"\<pie\>", b"cherry pie\n"),
    ("-E", r"\bba\w+\b", b"banana\nfoo.bar\nfoo bar\n"),
    ("-E", "^[]x]", b"xyzzy\n"),
    ("-G", "b*c", b"cherry pie\nabcabc\n"),
    ("-E", "^a**p", b"apple\n"),
    ("-P", r"foo(?=\.)", b"foo.bar\n"),
    ("-P", r"\d+\s\d", b"123 45\n"),
    ("-P", "pie$", b"cherry pie\n"),
    ("-P", r"foo[^x]bar(?!\s)", b"foo.bar\nfoo bar\n"),
]


@pytest.mark.parametrize(("flavor", "pattern", "out"), EXPRESSIONS)
def test_expressions(run, flavor, pattern, out):
    assert run("grep", flavor, pattern, stdin=TEXT).out == out


@pytest.mark.parametrize(
    ("args", "out"),
    [
        (["a\\+b"], b"tab\there\n"),
        (["a+b"], b"a+b\n"),
        (["-E", "a\\+b"], b"a+b\n"),
        (["a{1}b"], b"a{1}b\n"),
        (["*star"], b"*star\n"),
        (["^*star"], b"*star\n"),
        (["\\^caret\\$"], b"^caret$\n"),
        (["^^caret$$"], b"^caret$\n"),
        (["-F", "\\back\\"], b"\\back\\\n"),
        (["b\th"], b"tab\there\n"),
    ],
)
def test_special_characters_where_they_are_none(run, args, out):
    assert run("grep", *args, stdin=ODD).out == out


@pytest.mark.parametrize(
    ("pattern", "out"),
    [
        ("a|ab|abc", b"abc\nabc\n"),  # leftmost-longest, not the first alternative
        ("(a|ab)(c|bcd)?", b"abcd\n"),
        ("x*", b"xx\n"),
        ("", b""),
    ],
)
def test_only_matching_takes_the_longest(run, pattern, out):
    text = {b"abcd\n": b"abcd\n", b"xx\n": b"axxb\n"}.get(out, b"abc abc\n")
    assert run("grep", "-oE", pattern, stdin=text).out == out


def test_perl_keep(run):
    assert run("grep", "-oP", r"foo\K.bar", stdin=TEXT).out == b".bar\n bar\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-E", "("], b"grep: Unmatched ( or \\("),
        (["\\("], b"grep: Unmatched ( or \\("),
        (["[a"], b"grep: Unmatched [, [^, [:, [., or [="),
        (["[[:foo:]]"], b"grep: Invalid character class name"),
        (["a\\"], b"grep: Trailing backslash"),
        (["\\1"], b"grep: Invalid back reference"),
        (["a\\{2,1\\}"], b"grep: Invalid content of \\{\\}"),
        (["-P", "(?<"], b"grep: "),
        ([], b"grep: missing PATTERN"),
        (["--bogus", "x"], b"grep: unrecognized option '--bogus'"),
    ],
)
def test_wrong_patterns_end_with_2(run, args, message):
    r = run("grep", *args)
    assert r.status == 2
    assert r.err.startswith(message)


def test_statuses(run, tmp_path):
    file = tmp_path / "f"
    file.write_bytes(TEXT)
    assert run("grep", "-q", "pie", "f", cwd=tmp_path).status == 0
    assert run("grep", "-q", "nothing", "f", cwd=tmp_path).status == 1
    r = run("grep", "pie", "f", "gone", cwd=tmp_path)
    assert (r.status, r.out, r.err) == (
        2,
        b"f:cherry pie\n",
        b"grep: gone: No such file or directory\n",
    )
    assert run("grep", "-s", "pie", "gone", cwd=tmp_path)[::2] == (2, b"")
    # A match is worth more than an error to -q (POSIX).
    assert run("grep", "-q", "pie", "gone", "f", cwd=tmp_path).status == 0
    assert run("grep", "x", ".", cwd=tmp_path).err == b"grep: .: Is a directory\n"


def test_names_and_lists(run, tmp_path):
    (tmp_path / "one").write_bytes(b"x\n")
    (tmp_path / "two").write_bytes(b"y\n")
    assert run("grep", "x", "one", "two", cwd=tmp_path).out == b"one:x\n"
    assert run("grep", "-h", "x", "one", "two", cwd=tmp_path).out == b"x\n"
    assert run("grep", "-c", "x", "one", "two", cwd=tmp_path).out == b"one:1\ntwo:0\n"
    assert run("grep", "-L", "x", "one", "two", cwd=tmp_path).out == b"two\n"
    assert run("grep", "-lZ", "x", "one", "two", cwd=tmp_path).out == b"one\0"
    (tmp_path / "patterns").write_bytes(b"q\ny\n")
    assert run("grep", "-f", "patterns", "two", cwd=tmp_path).out == b"y\n"
    assert run("grep", "-f", "/dev/null", "two", cwd=tmp_path)[:2] == (1, b"")


def test_aliases(run):
    assert run("egrep", "a|b", stdin=b"b\n").out == b"b\n"
    assert run("fgrep", "a|b", stdin=b"b\na|b\n").out == b"a|b\n"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+b", b"a"),
        ("(x+x+)+y", b"x"),
        ("(a|a)*b", b"a"),
        ("(a|aa)+$", b"ab"),
        ("^(a|aa)+b$", b"a"),
    ],
)
def test_a_long_line_takes_no_longer_than_as_many_bytes_in_short_ones(run, pattern, text):
    """A backtracking matcher never ends on these: a megabyte in a line, and a line of 28 bytes."""
    for line in (text * 28, text * (1 << 20)):
        for options in ("-E", "-oE", "-iE", "-xE", "-wE", "-vcE"):
            r = run("grep", options, pattern, stdin=line + b"\n", timeout=30)
            selected = b"1\n" if options == "-vcE" else b""
            assert (r.out, r.err, r.status) == (selected, b"", 0 if selected else 1)


def test_what_is_too_big(run):
    r = run("grep", "-E", "((a{1,100}){1,100}){1,100}", stdin=b"a\n", timeout=10)
    assert (r.out, r.status) == (b"", 2)
    assert r.err.startswith(b"grep: Regular expression too big\n")


def test_the_status_of_a_list_of_files_without_a_match(run, tmp_path):
    """As in GNU grep, except for its 3.2 to 3.4: it tells whether a line was selected, not whether a name was
    printed."""
    (tmp_path / "one").write_bytes(b"x\n")
    (tmp_path / "two").write_bytes(b"y\n")
    for args, out, status in (
        (["-L", "x", "one"], b"", 0),
        (["-L", "x", "two"], b"two\n", 1),
        (["-L", "x", "one", "two"], b"two\n", 0),
        (["-L", "z", "one", "two"], b"one\ntwo\n", 1),
        (["-vL", "x", "one"], b"one\n", 1),
        (["-qL", "x", "two"], b"", 1),
        (["-L", "x", "two", "gone"], b"two\n", 2),
    ):
        assert run("grep", *args, cwd=tmp_path)[:2] == (status, out)


def test_recursive(run, tmp_path):
    (tmp_path / "d" / "s").mkdir(parents=True)
    (tmp_path / "d" / "a.c").write_bytes(b"hit\n")
    (tmp_path / "d" / "s" / "b.h").write_bytes(b"hit\n")
    (tmp_path / "d" / "bin").write_bytes(b"\0hit\n")
    os.symlink("a.c", tmp_path / "d" / "link")

    def lines(*args):
        return sorted(run("grep", *args, cwd=tmp_path).out.splitlines())

    assert lines("-rI", "hit", "d") == [b"d/a.c:hit", b"d/s/b.h:hit"]
    assert lines("-rI", "hit") == [b"d/a.c:hit", b"d/s/b.h:hit"]
    assert lines("-RIl", "hit", "d") == [b"d/a.c", b"d/link", b"d/s/b.h"]
    assert lines("-r", "--include=*.c", "hit", "d") == [b"d/a.c:hit"]
    assert lines("-rI", "--exclude=*.c", "hit", "d") == [b"d/s/b.h:hit"]
    assert lines("-rI", "--include=[[:alpha:]].[!h]", "hit", "d") == [b"d/a.c:hit"]
    assert lines("-rI", "--exclude-dir=s", "hit", "d") == [b"d/a.c:hit"]
    assert lines("-rh", "hit", "d/s") == [b"hit"]
    r = run("grep", "hit", "d/bin", cwd=tmp_path)
    assert (r.status, r.out, r.err) == (0, b"", b"grep: d/bin: binary file matches\n")
    assert run("grep", "-a", "hit", "d/bin", cwd=tmp_path).out == b"\0hit\n"


def test_zero_data(run):
    assert run("grep", "-z", "b.c", stdin=b"a\0b\nc\0").out == b"b\nc\0"


def test_context_and_numbers_across_blocks(run):
    """Blocks are a megabyte: numbers and context must not notice where one ends."""
    lines = [b"%07d%s" % (i, b"x" * 90) for i in range(30000)]
    wanted = [10700, 10710, 21400]
    for i in wanted:
        lines[i] += b"HIT"
    expected = []
    for at, i in enumerate(wanted):
        expected += [b"--"] if at else []
        for k in range(i - 2, i + 3):
            expected.append(b"%d%s%s" % (k + 1, b":" if k == i else b"-", lines[k]))
    out = run("grep", "-n", "-C2", "HIT", stdin=b"\n".join(lines) + b"\n").out
    assert out.splitlines() == expected


def test_utf8(run):
    text = "größe\nmaß\n".encode()
    assert run("grep", "-o", "gr.", stdin=text).out == "grö\n".encode()
    assert run("grep", "-oi", "RÖ", stdin=text).out == "rö\n".encode()
    assert run("grep", "-o", "[à-ö]", stdin=text).out == "ö\n".encode()
    assert run("grep", "-x", "...", stdin=text).out == "maß\n".encode()


def test_max_count_leaves_the_rest_of_standard_input(run, tmp_path):
    (tmp_path / "f").write_bytes(b"a\nb\nc\n")
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    try:
        assert run("grep", "-m1", "b", stdin=fd).out == b"b\n"
        assert os.read(fd, 10) == b"c\n"
    finally:
        os.close(fd)


def test_many_fixed_strings(run, tmp_path):
    words = [b"w%05d" % i for i in range(5000)]
    (tmp_path / "words").write_bytes(b"\n".join(words) + b"\n")
    out = run(
        "grep", "-F", "-c", "-f", "words", stdin=b"w01234 x\nnone\nw99999\n", cwd=tmp_path
    ).out
    assert out == b"1\n"
