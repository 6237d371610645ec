"""CPython's own tests come out the same in the plain program and in the one with the snapshot: a sample of them.

`./dev test --regrtest` compares all.  These break when a start from the image makes anything differ from a start
without, when the comparison would not notice that, or when a test can reach what is outside its sandbox.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.regrtest import compare, sandbox, table, verdicts


@pytest.fixture(scope="session")
def programs() -> tuple[Path, Path]:
    """The plain program and the one with the snapshot, of ./dev build."""
    for path in (compare.PLAIN, compare.SNAPSHOT):
        if not path.exists():
            pytest.fail(f"{path} is not there: ./dev build makes it")
    return compare.PLAIN, compare.SNAPSHOT


@pytest.fixture(scope="session")
def suite() -> Path:
    """CPython's Lib/test."""
    return compare.suite()


@pytest.mark.parametrize("module", table.SAMPLE)
def test_the_same_in_both(programs: tuple[Path, Path], suite: Path, module: str) -> None:
    found = compare.one(programs, suite, module)
    assert not found.differences, compare.report(found)
    assert found.reference.count("ok") > 5, found.reference.output
    assert verdicts.END not in found.reference.outcomes, found.reference.output


def test_every_module_is_chosen_or_has_a_reason(suite: Path) -> None:
    there = {
        path.name.removesuffix(".py").removeprefix("test_")
        for path in suite.glob("test_*")
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    chosen = {name.partition(".")[0] for name in table.CHOSEN}
    left_out = [name for names in table.LEFT_OUT.values() for name in names]
    assert len(table.CHOSEN) == len(set(table.CHOSEN)) >= 150
    assert len(left_out) == len(set(left_out))
    assert not chosen & set(left_out)
    assert chosen | set(left_out) == there
    assert set(table.SAMPLE) <= set(table.CHOSEN)
    assert set(table.TESTS_LEFT_OUT) <= set(table.CHOSEN)


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def ran(**outcomes: str) -> verdicts.Verdict:
    return verdicts.Verdict(dict(outcomes))


@pytest.mark.parametrize(
    ("rows", "outcomes"),
    [
        ([{"start": "a"}, {"id": "a", "outcome": "ok", "why": ""}, {"end": True}], {"a": "ok"}),
        ([{"start": "a"}], {"a": "crashed", verdicts.END: "crashed"}),
        ([], {verdicts.END: "crashed"}),
        (
            [
                *({"start": "a"}, {"id": "a", "outcome": "failure", "why": "no"}),
                *({"id": "a", "outcome": "ok", "why": ""}, {"end": True}),
            ],
            {"a": "failure"},
        ),
    ],
)
def test_outcomes_are_read(rows: list[dict[str, object]], outcomes: dict[str, str]) -> None:
    assert verdicts.read(lines(*rows)).outcomes == outcomes
    # What was killed while it wrote its last line.
    if rows[-1:] != [{"end": True}]:
        assert verdicts.read(lines(*rows) + '{"id": "b", "ou').outcomes == outcomes


@pytest.mark.parametrize(
    ("references", "others", "differ", "unsteady"),
    [
        ([ran(a="ok")], [ran(a="ok")], [], []),
        ([ran(a="ok", b="ok")], [ran(a="ok", b="failure")], ["b"], []),
        ([ran(a="failure")], [ran(a="ok")], ["a"], []),
        ([ran(a="ok")], [ran(a="skipped")], ["a"], []),
        ([ran(a="ok")], [ran()], ["a"], []),
        ([ran()], [ran(a="ok")], ["a"], []),
        ([ran(a="ok"), ran(a="failure")], [ran(a="failure"), ran(a="failure")], [], ["a"]),
        ([ran(a="ok"), ran(a="failure")], [ran(a="hung"), ran(a="hung")], ["a"], []),
    ],
)
def test_differences_are_found(
    references: list[verdicts.Verdict],
    others: list[verdicts.Verdict],
    differ: list[str],
    unsteady: list[str],
) -> None:
    found = verdicts.differences(references, others)
    assert [[one.test for one in part] for part in found] == [differ, unsteady]


#: A program in which one function is broken.
BROKEN = """#!/bin/busybox sh
exec /suite/test/program -c '
import colorsys, os, runpy, signal, sys
colorsys.rgb_to_hsv = lambda *color: {damage}
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")' "$@"
"""


@pytest.fixture
def broken(
    programs: tuple[Path, Path], suite: Path, tmp_path: Path
) -> Callable[[str], tuple[Path, Path]]:
    """Make a program whose colorsys.rgb_to_hsv does something else; returns it, and the tests that are for it."""
    tests = tmp_path / "test"
    tests.mkdir()
    shutil.copytree(suite / "support", tests / "support")
    for name in ("__init__.py", "test_colorsys.py"):
        shutil.copy(suite / name, tests)
    shutil.copy(programs[0], tests / "program")

    def make(damage: str) -> tuple[Path, Path]:
        program = tmp_path / "broken"
        program.write_text(BROKEN.format(damage=damage))
        program.chmod(0o755)
        return program, tests

    return make


@pytest.mark.parametrize(
    ("damage", "outcome"),
    [("color", "failure"), ("1 / 0", "error"), ("os._exit(3)", "crashed")],
)
def test_a_broken_program_is_found_out(
    programs: tuple[Path, Path],
    broken: Callable[[str], tuple[Path, Path]],
    damage: str,
    outcome: str,
) -> None:
    program, tests = broken(damage)
    found = verdicts.compare((programs[0], program), tests, "test_colorsys")
    differences = {one.test.rpartition(".")[2]: one for one in found.differences}
    assert "test_hls_values" not in differences or outcome == "crashed"
    one = (
        differences["test_hsv_values"]
        if outcome != "crashed"
        else differences["test_hsv_roundtrip"]
    )
    assert (set(one.reference), set(one.other)) == ({"ok"}, {outcome})
    report = compare.report(found)
    assert one.test in report and "end of the output, snapshot" in report


def test_a_hang_is_ended(broken: Callable[[str], tuple[Path, Path]]) -> None:
    program, tests = broken("signal.pause()")
    verdict = verdicts.run(program, tests, "test_colorsys", limit=10)
    assert verdict.outcomes["test.test_colorsys.ColorsysTest.test_hsv_roundtrip"] == "hung"
    assert verdict.outcomes["test.test_colorsys.ColorsysTest.test_hls_values"] == "ok"
    assert verdict.seconds < 20


def test_the_status_and_the_list_of_what_fails(
    programs: tuple[Path, Path],
    broken: Callable[[str], tuple[Path, Path]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    program, tests = broken("1 / 0")
    assert compare.compare_all((program, program), tests, ["colorsys"]) == 0
    out = capsys.readouterr().out
    assert "test_hsv_values: error" in out and "Differences: none" in out
    assert compare.compare_all((programs[0], program), tests, ["colorsys"]) == 1
    assert "Differences: test_colorsys" in capsys.readouterr().out


def test_what_cannot_be_compared_is_an_error(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two programs that do not even start are alike, but nothing has been compared."""
    program = tmp_path / "program"
    program.write_text("#!/bin/busybox sh\necho cannot start; exit 1\n")
    program.chmod(0o755)
    assert compare.compare_all((program, program), suite, ["colorsys"]) == 1
    out = capsys.readouterr().out
    assert "no end" in out and "cannot start" in out


def test_what_runs_in_the_sandbox_cannot_do_harm(
    programs: tuple[Path, Path], suite: Path, tmp_path: Path
) -> None:
    """Its files are its own or read-only; its network ends at its loopback; its root is nobody outside."""
    script = (
        "touch /suite/test/new; rm -f /suite/inside.py; chmod 600 /dev/null; hostname other\n"
        "rm -rf /bin /usr /etc /dev /tmp /root; echo gone > /results/said\n"
    )
    (tmp_path / "results").mkdir()
    words = sandbox.command(programs[0], suite, tmp_path / "results", ["/bin/sh", "-c", script])
    name = os.uname().nodename
    subprocess.run(
        words,
        env=sandbox.ENVIRONMENT,
        capture_output=True,
        timeout=60,
    )
    assert (tmp_path / "results/said").read_text() == "gone\n"
    assert programs[0].exists() and Path(sandbox.__file__).with_name("inside.py").exists()
    assert not (suite / "new").exists() and (suite / "test_json").exists()
    assert os.stat("/dev/null").st_mode & 0o777 == 0o666
    assert os.uname().nodename == name
    code = (
        "import os, socket\n"
        "print(sorted(os.listdir('/')), os.getpid() < 100, [n for _, n in socket.if_nameindex()])\n"
        "print(open('/proc/self/uid_map').read().split())\n"
    )
    words = sandbox.command(programs[0], suite, tmp_path / "results", ["/bin/python", "-c", code])
    done = subprocess.run(
        words,
        env=sandbox.ENVIRONMENT,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout.decode().splitlines() == [
        "['bin', 'dev', 'etc', 'lib', 'old', 'proc', 'results', 'root', 'suite', 'sys', 'tmp',"
        " 'usr', 'var'] True ['lo']",
        str(["0", str(os.getuid()), "1"]),
    ], done.stderr
