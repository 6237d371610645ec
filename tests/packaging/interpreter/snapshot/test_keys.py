"""Thread keys whose numbers the image knows are those of every process (outside.c)."""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = Path(__file__).resolve().parents[4] / "packaging/interpreter/snapshot"


def status(folder: Path, outside: Path) -> int:
    """Compile the driver with this outside.c and run it."""
    program = folder / "keys"
    parts = [HERE / "keys_driver.c", outside, SOURCES / "memory.c", SOURCES / "plan.c"]
    subprocess.run(["gcc", "-O1", f"-I{SOURCES}", *parts, "-o", program], check=True)
    return subprocess.run([program], check=False).returncode


def test_numbers_and_destructors_are_made_again(tmp_path: Path) -> None:
    assert status(tmp_path, SOURCES / "outside.c") == 0


def test_without_that_the_numbers_are_nobodys(tmp_path: Path) -> None:
    """The check itself can fail: an outside.c that makes none."""
    broken = tmp_path / "outside.c"
    text = (SOURCES / "outside.c").read_text()
    line = "void\nsnapshot_restore_keys(void)\n{\n"
    assert line in text
    broken.write_text(text.replace(line, f"{line}    return;\n"))
    assert status(tmp_path, broken) == 2
