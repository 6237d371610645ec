"""A directory as a handler: files with types, tags, ranges and conditions; index pages; passwords."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from html import escape

from applets.httpd.beneath import open_beneath
from applets.httpd.conf import Conf, matches
from applets.httpd.message import File, Request, Response, plain, redirect
from toolbox.limited_log import LimitedLog
from toolbox.net.http import (
    http_date,
    parse_basic,
    parse_ranges,
    percent_encode,
    precondition,
    range_applies,
)
from toolbox.net.http_types import media_type
from toolbox.trust.gate import Denied, Gate
from toolbox.trust.sessions import Tries

#: The most names that a directory's page shows.
LISTED = 10_000

#: What the way to a file may fail of, and what that is in HTTP.
_STATUS = {
    errno.ENOENT: 404,
    errno.ENOTDIR: 404,
    errno.ENAMETOOLONG: 404,
    errno.EXDEV: 403,
    errno.ELOOP: 403,
    errno.EPERM: 403,
    errno.EACCES: 403,
}


class Files:
    """The files beneath `home`, by the rules of `conf`; wrong passwords are told to `log`."""

    def __init__(self, home: str, conf: Conf, realm: str, log: LimitedLog | None = None) -> None:
        self.root = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.conf = conf
        self.realm = realm
        self.passwords = Gate("password", Tries(time.monotonic), log or LimitedLog("httpd"))

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        if request.method not in ("GET", "HEAD"):
            return plain(405, headers=[("Allow", "GET, HEAD")])
        refused = self._refused(request)
        if refused is not None:
            return refused
        try:
            return self._serve(request)
        except OSError as error:
            status = _STATUS.get(error.errno or 0)
            if status is None:
                raise
            return self._error(status)

    def _refused(self, request: Request) -> Response | None:
        """The answer to a request that lacks the password that its path needs."""
        users = self.conf.users(request.names)
        if not users:
            return None
        given = parse_basic(request.headers.get("authorization", ""))
        if given is not None:
            secret = "\0".join(given).encode("utf-8", "surrogatepass")
            against = repr(users).encode("utf-8", "surrogatepass")
            try:
                self.passwords.check(request.peer, secret, against, lambda: _right(given, users))
                return None
            except Denied as denied:
                if denied.unheard:
                    after = [("Retry-After", str(int(denied.wait) + 1))]
                    return plain(429, "too many wrong passwords", after)
        realm = self.realm.replace("\\", "").replace('"', "")
        return self._error(401, [("WWW-Authenticate", f'Basic realm="{realm}", charset="UTF-8"')])

    def _serve(self, request: Request) -> Response:
        fd, status = open_beneath(self.root, request.names)
        if stat.S_ISDIR(status.st_mode):
            try:
                return self._directory(request, fd)
            finally:
                os.close(fd)
        if request.slash:
            os.close(fd)
            return self._error(404)
        return self._file(request, fd, status, request.names[-1])

    def _directory(self, request: Request, directory: int) -> Response:
        if not request.slash:
            # Links on the page are relative to a path that ends with a slash.
            path = "/" + "/".join(percent_encode(name) for name in request.names) + "/"
            return redirect(f"{path}?{request.query}" if request.query else path, 301)
        index = os.fsencode(self.conf.index)
        try:
            fd, status = open_beneath(self.root, [*request.names, index])
        except FileNotFoundError:
            return _listing(request, directory)
        if stat.S_ISDIR(status.st_mode):
            os.close(fd)
            return _listing(request, directory)
        return self._file(request, fd, status, index)

    def _file(self, request: Request, fd: int, status: os.stat_result, name: bytes) -> Response:
        """The file, or as much of it as is asked for; the response owns the descriptor."""
        size = status.st_size
        etag = f'"{status.st_mtime_ns:x}-{size:x}-{status.st_ino:x}"'
        headers = [
            ("ETag", etag),
            ("Last-Modified", http_date(max(0, min(status.st_mtime, time.time())))),
            ("Accept-Ranges", "bytes"),
        ]
        condition = precondition(request.method, request.headers, etag, status.st_mtime)
        if condition is not None:
            os.close(fd)
            return Response(condition, headers)
        kind = media_type(name, self.conf.types)
        typed = [("Content-Type", kind), ("X-Content-Type-Options", "nosniff"), *headers]
        ranges = None
        if request.method == "GET" and range_applies(request.headers, etag, status.st_mtime):
            ranges = parse_ranges(request.headers.get("range", ""), size)
        if ranges is None:
            return Response(200, typed, File(fd, [(b"", 0, size)]))
        if not ranges:
            os.close(fd)
            return plain(416, headers=[*headers, ("Content-Range", f"bytes */{size}")])
        if len(ranges) == 1:
            start, end = ranges[0]
            shown = [*typed, ("Content-Range", f"bytes {start}-{end - 1}/{size}")]
            return Response(206, shown, File(fd, [(b"", start, end)]))
        return _multipart(fd, ranges, size, kind, headers)

    def _error(self, status: int, headers: list[tuple[str, str]] | None = None) -> Response:
        """The page for an error: the one that the configuration names, or a line of text."""
        path = self.conf.errors.get(status)
        if path is None:
            return plain(status, headers=headers)
        names = [name for name in os.fsencode(path).split(b"/") if name]
        try:
            fd, info = open_beneath(self.root, names)
        except OSError:
            return plain(status, headers=headers)
        if not stat.S_ISREG(info.st_mode):
            os.close(fd)
            return plain(status, headers=headers)
        kind = ("Content-Type", media_type(names[-1], self.conf.types))
        return Response(status, [kind, *(headers or [])], File(fd, [(b"", 0, info.st_size)]))


def _right(given: tuple[str, str], users: list[tuple[str, str]]) -> bool:
    """Whether one of the users' passwords is the one that is given; all are looked at."""
    right = [user in ("~", given[0]) and matches(stored, given[1]) for user, stored in users]
    return any(right)


def _multipart(
    fd: int, ranges: list[tuple[int, int]], size: int, kind: str, headers: list[tuple[str, str]]
) -> Response:
    """Several ranges in one body (RFC 9110, 14.6)."""
    seed = f"{headers[0][1]}{ranges}"
    boundary = hashlib.sha256(seed.encode()).hexdigest()[:32]
    parts = [
        (
            f"\r\n--{boundary}\r\nContent-Type: {kind}\r\n"
            f"Content-Range: bytes {start}-{end - 1}/{size}\r\n\r\n".encode(),
            start,
            end,
        )
        for start, end in ranges
    ]
    return Response(
        206,
        [("Content-Type", f"multipart/byteranges; boundary={boundary}"), *headers],
        File(fd, parts, f"\r\n--{boundary}--\r\n".encode()),
    )


def _listing(request: Request, directory: int) -> Response:
    """A page with the names in a directory; hidden ones are not shown."""
    entries = []
    with os.scandir(directory) as found:
        for entry in found:
            if entry.name.startswith("."):
                continue
            try:
                status = entry.stat()  # of a dangling link there is none
            except OSError:
                continue
            entries.append((not stat.S_ISDIR(status.st_mode), os.fsencode(entry.name), status))
            if len(entries) > LISTED:
                break
    rows = ['<tr><td><a href="../">../</a><td><td>'] if request.names else []
    for is_file, name, status in sorted(entries, key=lambda entry: entry[:2]):
        mark = "" if is_file else "/"
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(status.st_mtime))
        shown = escape(name.decode("utf-8", "replace") + mark)
        # "./" keeps a colon in the name from being read as a scheme.
        rows.append(
            f'<tr><td><a href="./{percent_encode(name, safe=b"-._~")}{mark}">{shown}</a>'
            f"<td>{status.st_size if is_file else ''}<td>{when}"
        )
    title = escape(request.path)
    body = (
        '<!doctype html>\n<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="color-scheme" content="light dark"><title>{title}</title>'
        "<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:48rem;padding:0 1rem}"
        "table{border-collapse:collapse;width:100%}td{padding:.15rem .5rem}"
        "td+td{text-align:right;white-space:nowrap;opacity:.7}</style>"
        f"<h1>{title}</h1><table>{''.join(f'{row}{chr(10)}' for row in rows)}</table>\n"
    )
    return Response(
        200,
        [("Content-Type", "text/html; charset=utf-8"), ("X-Content-Type-Options", "nosniff")],
        body.encode(),
    )
