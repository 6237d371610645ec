"""TLS as a client wants it: whom to believe, and who we are."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

#: Where distributions keep the certificate authorities, when OpenSSL's own place is empty.
AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/cert.pem")


def context(
    *,
    check: bool = True,
    authorities: str | None = None,
    folder: str | None = None,
    certificate: str | None = None,
    key: str | None = None,
) -> ssl.SSLContext:
    """TLS's settings.  OSError (of which ssl.SSLError is one) or ValueError when a file cannot be used.

    authorities, folder: instead of the system's; certificate, key: files with ours; check: False believes
    any server.
    """
    import ssl

    made = ssl.create_default_context(cafile=authorities, capath=folder)
    if not (authorities or folder or made.get_ca_certs()):
        for path in AUTHORITIES:
            if os.path.exists(path):
                made.load_verify_locations(path)
                break
    if certificate is not None:
        made.load_cert_chain(certificate, key)
    if not check:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made
