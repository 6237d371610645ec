"""Media types by the ending of a file's name: our own table, the same on every box (IANA's registry)."""

from __future__ import annotations

#: Sent when nothing better is known: a browser then saves the file and does not guess.
UNKNOWN = "application/octet-stream"

_TABLE = """
application/gzip gz tgz
application/json json map
application/ld+json jsonld
application/manifest+json webmanifest
application/msword doc
application/ogg ogx
application/pdf pdf
application/postscript ps eps
application/rtf rtf
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/wasm wasm
application/x-bzip2 bz2
application/x-tar tar
application/x-xz xz
application/xhtml+xml xhtml
application/zip zip whl
application/zstd zst
audio/aac aac
audio/flac flac
audio/midi mid midi
audio/mp4 m4a
audio/mpeg mp3
audio/ogg ogg oga opus
audio/wav wav
font/otf otf
font/ttf ttf
font/woff woff
font/woff2 woff2
image/avif avif
image/bmp bmp
image/gif gif
image/jpeg jpg jpeg
image/png png
image/svg+xml svg
image/tiff tif tiff
image/webp webp
image/vnd.microsoft.icon ico
text/calendar ics
text/css css
text/csv csv
text/html html htm
text/javascript js mjs
text/markdown md
text/plain txt log conf ini toml yaml yml py sh c h rs go asc sig minisig sha256
text/vtt vtt
text/xml xml
video/mp4 mp4 m4v
video/mpeg mpg mpeg
video/ogg ogv
video/quicktime mov
video/webm webm
video/x-matroska mkv
"""

TYPES = {
    ending: kind
    for kind, *endings in (line.split() for line in _TABLE.split("\n") if line)
    for ending in endings
}


def media_type(name: bytes, own: dict[str, str] | None = None) -> str:
    """The media type of a file by its name; `own` (ending without the dot -> type) goes first.

    Text is said to be UTF-8, which most of it is; a file may say otherwise inside.
    """
    ending = name.rpartition(b".")[2].decode("ascii", "replace").lower() if b"." in name else ""
    kind = (own or {}).get(ending) or TYPES.get(ending, UNKNOWN)
    text = kind.startswith("text/") or kind in ("application/json", "image/svg+xml")
    return f"{kind}; charset=utf-8" if text and "charset" not in kind else kind
