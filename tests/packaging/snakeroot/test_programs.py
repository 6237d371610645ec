"""A user's program on its way into the image, with a local index of wheels made here.

Breaks when something that cannot run on the box gets in, or something it needs does not.
"""

from __future__ import annotations

import pytest
from snakeroot import programs
from snakeroot.config import Service


@pytest.mark.parametrize(
    ("python", "module"),
    [
        *(("./hello", "hello"), ("/a/b-c/", "b_c"), ("golink==1.2", "golink")),
        *(("my-tool[x]>=1; python_version>'3'", "my_tool"), ("tool @ file:///x/tool.whl", "tool")),
    ],
)
def test_the_module_that_is_run(python: str, module: str) -> None:
    assert programs.module(Service(python=python)) == module
    assert programs.module(Service(python=python, module="other")) == "other"
