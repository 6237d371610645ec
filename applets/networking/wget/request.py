"""What the command line says of connections, bodies and headers."""

from __future__ import annotations

import os

from applets.networking.wget.connection import Settings
from applets.networking.wget.output import FILE_TROUBLE
from toolbox.errors import Fatal, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Values


def settings(opt: Values) -> Settings:
    import socket

    found = Settings()
    if opt.timeout is not None:
        found.connect_timeout = found.read_timeout = opt.timeout or None
    if opt.connect_timeout is not None:
        found.connect_timeout = opt.connect_timeout or None
    if opt.read_timeout is not None:
        found.read_timeout = opt.read_timeout or None
    if opt.last("inet4_only", "inet6_only"):
        v6 = opt.last("inet4_only", "inet6_only") == "inet6_only"
        found.family = int(socket.AF_INET6 if v6 else socket.AF_INET)
    found.check_certificate = not opt.no_check_certificate
    found.authorities, found.authority_folder = opt.ca_certificate, opt.ca_directory
    found.certificate, found.private_key = opt.certificate, opt.private_key
    found.use_proxy = not opt.no_proxy and opt.proxy != "off"
    found.bind_address = opt.bind_address
    return found


def body(opt: Values) -> bytes | None:
    data = opt.post_data if opt.post_data is not None else opt.body_data
    path = opt.post_file if opt.post_file is not None else opt.body_file
    if data is not None and path is not None:
        raise UsageError("You cannot specify both --post-data and --post-file.")
    if data is not None:
        return os.fsencode(data)
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Fatal(f"BODY data file '{path}' missing: {error.strerror}", FILE_TROUBLE) from None


def headers_given(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        legal = name.isascii() and name.strip() == name and name and name.isprintable()
        if not colon or not legal or " " in name or "\n" in value or "\r" in value:
            raise UsageError(f"--header: Invalid header {line!r}.")
        found[name] = value.strip()
    return found
