"""URLs on their way into files: tries, redirections, logins, parts, and what the answers mean."""

from __future__ import annotations

import os
import time

from applets.networking.wget.names import file_name, safe_name
from applets.networking.wget.output import FILE_TROUBLE, Output, Progress, unused_name
from applets.networking.wget.request import (
    AUTHENTICATION,
    NETWORK,
    PROTOCOL,
    ask,
    body,
    headers_given,
    settings,
)
from toolbox import waits
from toolbox.errors import Fatal
from toolbox.net import ProtocolError
from toolbox.net.http import (
    REDIRECTIONS,
    http_date,
    parse_content_range,
    parse_date,
    redirected_method,
)
from toolbox.net.url import URL
from toolbox.web import NoConnection
from toolbox.web.client import BLOCK
from toolbox.web.client import Client as Web
from toolbox.web.connect import basic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.networking.wget.log import Log
    from toolbox.options import Values
    from toolbox.web.client import Response

SERVER_ERROR = 8


class _Cut(Exception):
    """The transfer ended early; what came is kept, and another try goes on from there."""


class Client:
    """Fetches URLs one after the other."""

    def __init__(self, opt: Values, log: Log) -> None:
        self.opt = opt
        self.log = log
        self.web = Web(settings(opt), log.say)
        self.body = body(opt)
        self.method = (
            opt.method.upper() if opt.method else "POST" if self.body is not None else "GET"
        )
        self.own_headers = headers_given(opt.header)
        self.tries = 20 if opt.tries is None else opt.tries
        self.most = 20 if opt.max_redirect is None else opt.max_redirect
        self.no_clobber = opt.no_clobber or "c" in (opt.n or "")
        self.again = {
            int(word)
            for word in (opt.retry_on_http_error or "").split(",")
            if word.isdecimal() and len(word) == 3
        }
        #: -O's file takes all URLs.
        self.document: Output | None = None
        if opt.output_document is not None and not opt.spider:
            self.document = Output(opt.output_document)
            if not opt.__dict__["continue"]:
                self.document.open(append=False)

    def close(self) -> None:
        self.web.close()
        if self.document is not None:
            self.document.close()

    # -- one URL ----------------------------------------------------------------------------------

    def get(self, text: str) -> int:
        """Fetch a URL with as many tries as it takes; the status."""
        try:
            url = URL(text)
        except ProtocolError as error:
            raise Fatal(str(error), 1) from None
        download = _Download(self, url)
        tried = 0
        try:
            while True:
                tried += 1
                try:
                    return download.attempt()
                except (_Cut, TimeoutError, OSError) as error:
                    self._explain(error)
                    if isinstance(error, ConnectionRefusedError) and not self.opt.retry_connrefused:
                        return NETWORK
                    if not isinstance(error, (_Cut, OSError)) or _is_final(error):
                        return NETWORK
                if tried == self.tries:
                    self.log.say("Giving up.\n\n")
                    return NETWORK
                pause = 10.0 if self.opt.waitretry is None else self.opt.waitretry
                self.log.say("Retrying.\n\n")
                waits.sleep(min(float(tried), pause))
        finally:
            download.close()

    def _explain(self, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            self.log.error("Connection timed out.")
        elif isinstance(error, OSError):
            self.log.error(f"{error.strerror or error}.")
        else:
            self.log.say(f"{error}\n")

    def headers(self, url: URL, first: URL) -> dict[str, str]:
        """The request's headers; those with secrets only to whom they were given for."""
        # Servers look for "Wget/" here.
        agent = "Wget/1.21 (Snakeroot)"
        found = {
            "Host": url.authority,
            "User-Agent": agent if self.opt.user_agent is None else self.opt.user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }
        if self.opt.referer:
            found["Referer"] = self.opt.referer
        if self.opt.no_cache:
            found["Cache-Control"], found["Pragma"] = "no-cache", "no-cache"
        for name, value in self.own_headers.items():
            secret = name.lower() in ("authorization", "cookie", "host")
            if secret and url.origin != first.origin:
                continue
            found = {key: old for key, old in found.items() if key.lower() != name.lower()}
            if value:
                found[name] = value
        return {name: value for name, value in found.items() if value}

    def credentials(self, url: URL, first: URL) -> tuple[str, str] | None:
        """User and password for a server: the URL's own, or the command line's for the first one."""
        if url.user:
            return url.user, url.password
        opt = self.opt
        user = opt.http_user if opt.http_user is not None else opt.user
        if user is None or url.origin != first.origin:
            return (
                (first.user, first.password) if first.user and url.origin == first.origin else None
            )
        password = opt.http_password if opt.http_password is not None else opt.password
        return user, password or ""


def _is_final(error: Exception) -> bool:
    """Whether another try cannot help."""
    import errno

    return isinstance(error, OSError) and error.errno in (
        errno.ENETUNREACH,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
        errno.EAFNOSUPPORT,
    )


class _Download:
    """One URL on its way into its file, over redirections and tries."""

    def __init__(self, client: Client, url: URL) -> None:
        self.client = client
        self.opt = client.opt
        self.log = client.log
        self.first = url
        self.output: Output | None = client.document
        self.done = 0  # bytes of this URL that are there already
        self.modified: int | None = None
        self.whole: int | None = None  # its bytes, when the server has said
        self.tag = ""  # what vouches that it is still the same

    def close(self) -> None:
        if self.output is not None and self.output is not self.client.document:
            stamps = self.output.is_open and not self.opt.no_use_server_timestamps
            self.output.close(self.modified if stamps else None)

    def attempt(self) -> int:
        """One try from the first URL on; the status.  _Cut and OSError: try again."""
        url, method, body = self.first, self.client.method, self.client.body
        if self.opt.spider and body is None and method == "GET":
            method = "HEAD"
        login = self.opt.auth_no_challenge
        for _ in range(self.client.most + 1):
            if self.opt.https_only and url.scheme != "https":
                raise Fatal(f"{url}: not HTTPS", 1)
            begin = self._begin(url)
            if begin is None:
                return 0
            headers = self._headers(url, begin, login, body)
            self.log.say(f"--{time.strftime('%Y-%m-%d %H:%M:%S')}--  {url}\n")
            with ask(self.client.web, url, method, headers, body) as response:
                self.log.say(f"{response.status} {response.reason}\n")
                if self.opt.server_response:
                    self._show(response)
                if response.status == 401 and not login and self._may_log_in(response, url):
                    login = True
                    continue
                location = response.get("Location")
                if response.status in REDIRECTIONS and location:
                    self.log.say(f"Location: {location} [following]\n")
                    url = _joined(url, location)
                    changed = redirected_method(response.status, method)
                    method, body = changed, body if changed == method else None
                    continue
                if method == "HEAD" and response.status in (405, 501) and self.opt.spider:
                    method = "GET"
                    continue
                return self._take(response, url, begin, method)
        raise Fatal(f"{self.client.most} redirections exceeded.", SERVER_ERROR)

    def _begin(self, url: URL) -> int | None:
        """From where on to fetch; None when nothing is to be fetched."""
        resume = self.opt.__dict__["continue"]
        if self.opt.spider or (self.done and self.output is not None):
            return self.done
        if self.output is self.client.document and self.output is not None:
            if resume and self.output.path != "-" and os.path.exists(self.output.path):
                return os.path.getsize(self.output.path)
            return 0
        path = self._path(self.first)
        if os.path.exists(path) and self.client.no_clobber:
            self.log.say(f"File '{path}' already there; not retrieving.\n\n")
            return None
        if resume and os.path.isfile(path):
            return os.path.getsize(path)
        return 0

    def _path(self, url: URL, said: str = "") -> str:
        name = said or file_name(url)
        return os.path.join(self.opt.directory_prefix, name) if self.opt.directory_prefix else name

    def _headers(self, url: URL, begin: int, login: bool, body: bytes | None) -> dict[str, str]:
        headers = self.client.headers(url, self.first)
        if begin:
            headers["Range"] = f"bytes={begin}-"
            if self.tag:
                headers["If-Range"] = self.tag
        if self.opt.timestamping and self.output is None:
            path = self._path(self.first)
            if os.path.exists(path):
                headers["If-Modified-Since"] = http_date(os.stat(path).st_mtime)
        credentials = self.client.credentials(url, self.first) if login else None
        if credentials is not None:
            headers["Authorization"] = basic(*credentials)
        if body is not None and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return headers

    def _may_log_in(self, response: Response, url: URL) -> bool:
        ways = response.head.all("WWW-Authenticate")
        return self.client.credentials(url, self.first) is not None and any(
            way.lower().startswith("basic") for way in ways
        )

    def _show(self, response: Response) -> None:
        self.log.write("".join(f"  {line}\n" for line in _head_lines(response)))

    # -- the answer -------------------------------------------------------------------------------

    def _take(self, response: Response, url: URL, begin: int, method: str) -> int:
        status = response.status
        if status == 416 and begin:
            self.log.say("\n    The file is already fully retrieved; nothing to do.\n\n")
            return 0
        if status == 304:
            self.log.say("File not modified on server. Omitting download.\n\n")
            return 0
        if status in self.client.again:
            raise _Cut(f"{_now()} ERROR {status}: {response.reason}.")
        if not 200 <= status < 300:
            self._refuse(response, url)
            if not self.opt.content_on_error:
                return AUTHENTICATION if status in (401, 407) else SERVER_ERROR
        if self.opt.spider:
            self.log.say("Remote file exists.\n\n")
            self.log.brief(f"{_now()} URL: {url} {status} {response.reason}")
            return 0
        if method == "HEAD":
            return 0
        begin = self._confirm(response, begin)
        self._save(response, url, begin)
        if 200 <= status < 300:
            return 0
        return AUTHENTICATION if status in (401, 407) else SERVER_ERROR

    def _refuse(self, response: Response, url: URL) -> None:
        if self.opt.spider and response.status in (404, 410):
            self.log.say("Remote file does not exist -- broken link!!!\n\n")
        text = f"{_now()} ERROR {response.status}: {response.reason}."
        if self.log.level:
            self.log.write(f"{url}:\n{text}\n" if self.log.level == 1 else f"{text}\n\n")

    def _confirm(self, response: Response, begin: int) -> int:
        """From where on the server really sends."""
        if response.status != 206:
            if begin and self.done and self.output is not None and self.output.path == "-":
                raise Fatal("the server cannot go on in the middle", NETWORK)
            return 0
        said = response.get("Content-Range")
        span = parse_content_range(said)
        sent = response.left
        if span is None or span[0] != begin or (sent is not None and sent != span[1] - begin):
            raise Fatal(f"the server sends another part than was asked for: {said!r}", PROTOCOL)
        if self.whole is not None and span[2] not in (None, self.whole):
            raise Fatal("the file has become another one meanwhile", PROTOCOL)
        self.whole = span[2]
        return begin

    def _save(self, response: Response, url: URL, begin: int) -> None:
        output = self._output(response, url, begin)
        length = response.left
        total = self.whole if begin and self.whole else None if length is None else begin + length
        if not begin:
            self.whole = total
            tag = response.get("ETag")
            # A weak one does not vouch for bytes (RFC 9110 13.1.5).
            self.tag = tag if tag.startswith('"') else ""
        kind = response.get("Content-Type").partition(";")[0]
        shown = "unspecified" if total is None else _amount(total)
        if begin and length is not None:
            shown += f", {_amount(length)} remaining"
        self.log.say(f"Length: {shown}" + (f" [{kind}]" if kind else "") + "\n")
        self.log.say(f"Saving to: '{output.shown}'\n\n")
        if self.opt.save_headers and not begin:
            lines = [*_head_lines(response), ""]
            output.write("".join(f"{line}\r\n" for line in lines).encode("latin-1", "replace"))
        self.modified = parse_date(response.get("Last-Modified"))
        started = time.monotonic()
        self.done = begin
        self._copy(response, output, total, begin, started)
        seconds = max(time.monotonic() - started, 1e-6)
        if total is not None and self.done < total:
            raise _Cut(f"{_now()} Connection closed at byte {self.done}.")
        of = f"{self.done}/{total}" if total is not None else f"{self.done}"
        rate = _rate((self.done - begin) / seconds)
        if output.path == "-":
            self.log.say(f"{_now()} ({rate}) - written to stdout [{of}]\n\n")
        else:
            self.log.say(f"{_now()} ({rate}) - '{output.shown}' saved [{of}]\n\n")
        self.log.brief(f'{_now()} URL:{url} [{of}] -> "{output.path}" [1]')

    def _output(self, response: Response, url: URL, begin: int) -> Output:
        if self.output is not None and self.output is not self.client.document:
            self.output.open(append=begin > 0)
            return self.output
        if self.output is not None:
            if begin or (self.opt.__dict__["continue"] and not self.output.is_open):
                self.output.open(append=begin > 0)
            return self.output
        said = _disposition(response) if self.opt.content_disposition else ""
        path = self._path(url if self.opt.trust_server_names else self.first, said)
        if not begin and not self.opt.timestamping and not self.opt.__dict__["continue"]:
            path = unused_name(path)
        if self.opt.directory_prefix:
            try:
                os.makedirs(self.opt.directory_prefix, exist_ok=True)
            except OSError as error:
                raise Fatal(
                    f"{self.opt.directory_prefix}: {error.strerror}", FILE_TROUBLE
                ) from None
        self.output = Output(path)
        self.output.open(append=begin > 0)
        return self.output

    def _copy(
        self, response: Response, output: Output, total: int | None, begin: int, started: float
    ) -> None:
        bar = Progress(output.shown, total, begin, self.log.write) if self.log.bar else None
        limit = self.opt.limit_rate
        while True:
            try:
                block = response.read(BLOCK)
            except TimeoutError:
                raise _Cut(f"{_now()} Read timed out at byte {self.done}.") from None
            except (NoConnection, ProtocolError):
                raise _Cut(f"{_now()} Connection closed at byte {self.done}.") from None
            if not block:
                break
            output.write(block)
            self.done += len(block)
            if bar is not None:
                bar.show(self.done)
            if limit:
                ahead = (self.done - begin) / limit - (time.monotonic() - started)
                if ahead > 0:
                    waits.sleep(ahead)
        if bar is not None:
            bar.show(self.done, last=True)


def _joined(url: URL, location: str) -> URL:
    try:
        return url.join(location)
    except ProtocolError as error:
        raise Fatal(str(error), 1) from None


def _head_lines(response: Response) -> list[str]:
    head = response.head
    first = f"HTTP/{head.version} {head.status} {head.reason}"
    return [first, *(f"{name}: {value}" for name, value in head.fields)]


def _disposition(response: Response) -> str:
    """The file name that the server says (RFC 6266), without a path; "" for none."""
    from email.message import Message

    message = Message()
    message["Content-Disposition"] = response.get("Content-Disposition")
    name = message.get_filename("") or ""
    base = name.replace("\\", "/").rpartition("/")[2]
    return safe_name(os.fsencode(base)) if base.strip(".") else ""


def _amount(size: int) -> str:
    from toolbox.sizes import human

    return f"{size} ({human(size)})" if size >= 1024 else str(size)


def _rate(rate: float) -> str:
    for unit in ("B", "KB", "MB"):
        if rate < 1024:
            return f"{rate:.3g} {unit}/s" if unit != "B" else f"{rate:.0f} B/s"
        rate /= 1024
    return f"{rate:.3g} GB/s"


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
