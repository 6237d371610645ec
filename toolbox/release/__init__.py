"""Releases: what a box runs, signed, in one file that any web server, bucket or stick can hold.

    line 1..4    minisign's signature of line 5 (toolbox/trust/minisign.py)
    line 5       the manifest: JSON in one line
    then         the index: an entry for each chunk of the release's parts, in their order
    then         the pack: the chunks in the same order, each compressed where that makes it smaller

    signed      the five lines; nothing of the fifth is read before its signature is checked
    manifest    what the fifth line says          channel     which release is the latest, for whom
    chunks      where a part is cut; the index    pack        the pack, and which ranges of it are missing
    sources     a file, a pipe or a URL as bytes from an offset on      fetch     verified bytes, in order

The manifest's hash of the index and the index's hashes of the chunks make one signature stand for all of it.
"""


class ReleaseError(ValueError):
    """A release, or what leads to it, cannot be used; the text is one line for the box's owner."""
