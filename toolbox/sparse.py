"""Copies of files with holes: what lseek(2) calls data, or what is not zero."""

from __future__ import annotations

import errno
import os

from toolbox.streams import copy, write_all

#: Bytes that become a hole together.
_HOLE_BLOCK = 65536


def copy_with_holes(source: int, target: int) -> None:
    """Copy only what lseek(2) calls data; the rest becomes holes again.  Where it knows of no holes, copy all.

    The end is where reading ends: files of /sys say that they are longer than what they hold.
    """
    at = 0
    while True:
        try:
            data = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.EINVAL:
                # Some files of /proc: they have a size and no blocks, which only seems to be a hole.
                os.lseek(source, at, os.SEEK_SET)
                at += copy(source, target)
                break
            if error.errno != errno.ENXIO:
                raise
            # A hole up to the end, which may have grown.
            at = max(at, os.lseek(source, 0, os.SEEK_END))
            break
        hole = os.lseek(source, data, os.SEEK_HOLE)
        os.lseek(source, data, os.SEEK_SET)
        os.lseek(target, data, os.SEEK_SET)
        moved = copy(source, target, hole - data)
        at = data + moved
        if at < hole or hole <= data:
            break
    os.ftruncate(target, at)


def copy_without_zeros(source: int, target: int) -> None:
    """Copy, and make a hole of each block of zeros."""
    zeros = bytes(_HOLE_BLOCK)
    size = 0
    while block := os.read(source, _HOLE_BLOCK):
        size += len(block)
        if block == zeros[: len(block)]:
            os.lseek(target, len(block), os.SEEK_CUR)
        else:
            write_all(target, block)
    os.ftruncate(target, size)
