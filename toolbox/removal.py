"""Remove trees of any depth, without following symbolic links (rm -r, mv between file systems)."""

from __future__ import annotations

import os

from toolbox.errors import warn
from toolbox.walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.walk import Visit


def remove_tree(
    top: str,
    *,
    wanted: Callable[[Visit], bool] | None = None,
    removed: Callable[[Visit], None] | None = None,
    failed: Callable[[OSError], None] = warn,
    one_device: bool = False,
) -> bool:
    """Remove `top` and all below it; returns whether nothing is left.

    wanted: asked for everything, for directories before (whether to go into them) and after their contents
    (whether to remove them); removed: told of everything that is gone; failed: told of errors; the others go on.
    """
    kept: set[int] = set()  # depths at which something stays: so do the directories above
    complete = True
    for visit in walk(top, failed=_quiet, one_device=one_device):
        directory = visit.is_directory
        if directory and not visit.leaving:
            if wanted and not wanted(visit):
                visit.prune = True
                # It is met again when left, and must not be asked for twice.
                kept.add(visit.depth + 1)
            continue
        if directory and visit.depth + 1 in kept:
            kept.discard(visit.depth + 1)
            kept.add(visit.depth)
            complete = False
            continue
        if wanted and not wanted(visit):
            kept.add(visit.depth)
            complete = False
            continue
        try:
            if directory:
                os.rmdir(visit.name, dir_fd=visit.dir_fd)
            else:
                os.unlink(visit.name, dir_fd=visit.dir_fd)
        except FileNotFoundError:
            pass  # somebody else removed it
        except OSError as error:
            # Why a directory could not be emptied says more than that it is not empty.
            failed(visit.unread if directory and visit.unread else visit.error(error))
            kept.add(visit.depth)
            complete = False
            continue
        if removed:
            removed(visit)
    return complete


def _quiet(error: OSError) -> None:
    """Errors of reading are told when the removal fails for them: an empty directory need not be readable."""
