"""The language, black box: the rows of tables/, in our shell, in dash, in BusyBox's ash and in bash --posix.

A row breaks when the parser, an expansion, a redirection or the order of evaluation is not POSIX's.  Every
row is tried in all four shells: what a row says of the others is held as much as what it asks of ours.
"""

from __future__ import annotations

import pytest

from tests.applets.sh.shells import ORACLES, Row, oracle, ours, python_of
from tests.applets.sh.tables import (
    aliases,
    builtins,
    commands,
    errors,
    jobs,
    numbers,
    output,
    pathnames,
    redirections,
    subshells,
    words,
)

MODULES = (
    *(aliases, builtins, commands, errors, jobs, numbers),
    *(output, pathnames, redirections, subshells, words),
)
TABLES = {module.__name__.rpartition(".")[2]: module.ROWS for module in MODULES}
ROWS = [row for rows in TABLES.values() for row in rows]


@pytest.fixture(scope="session")
def results(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> dict[str, tuple[int, bytes, bytes]]:
    """What our shell makes of every row."""
    return ours(python_of(toolbox_argv), toolbox_env, (row.program for row in ROWS))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.program)
def test_program(results: dict[str, tuple[int, bytes, bytes]], row: Row) -> None:
    status, out, err = results[row.program]
    assert row.holds(out, status), (status, out, err)
    assert b"Traceback" not in err


@pytest.mark.parametrize("shell", ORACLES)
@pytest.mark.parametrize("table", TABLES)
def test_what_the_rows_say_of_other_shells(
    toolbox_env: dict[str, str], table: str, shell: str
) -> None:
    wrong = []
    for row in TABLES[table]:
        status, out, err = oracle(shell, toolbox_env, row.program)
        if row.holds(out, status) == (shell in row.differs):
            wrong.append((row.program, row.differs.get(shell), status, out, err))
    assert not wrong


def test_no_program_stands_twice() -> None:
    programs = [row.program for row in ROWS]
    assert sorted(programs) == sorted(set(programs))
