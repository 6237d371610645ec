"""Boxes to boot: new instances of the template, of the snapshot or of the plain program."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from snakeroot import config, image, new


@contextlib.contextmanager
def instance(program: Path) -> Iterator[tuple[config.Instance, image.Image]]:
    """A new instance in a scratch folder, and its image with that program."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bench"
        new.create(folder)
        one = config.load(folder)
        with mock.patch.dict(os.environ, SNAKEROOT_TOOLBOX=str(program)):
            yield one, image.build(one)
