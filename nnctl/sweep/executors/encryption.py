"""Encryption between a sweep and a Dask scheduler: certificates that Dask's configuration names, and why TLS fails."""

from __future__ import annotations

import ssl
from pathlib import Path

from nnctl.errors import UsageError

_SCHEMES = ("tls://", "wss://")
_KEYS = (
    "set distributed.comm.tls.ca-file, .client.cert and .client.key, in ~/.config/dask or by "
    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY"
)


def require_certificates(address: str, name: str) -> None:
    """Raise UsageError where an address is of TLS, and Dask's configuration names no certificates that can be read.

    name: of the address in messages.
    """
    if not address.startswith(_SCHEMES):
        return
    from distributed.security import Security

    security = Security()
    for path in (security.tls_ca_file, security.tls_client_cert, security.tls_client_key):
        # What has lines is the certificate itself.
        if path is not None and "\n" not in path and not Path(path).is_file():
            raise UsageError(f"{name}: there is no file {path}, a certificate by Dask's configuration\n  {_KEYS}")
    try:
        context = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: certificates of Dask's configuration cannot be used: {error}\n  {_KEYS}") from error
    if context is None:
        raise UsageError(f"{name}: needs certificates, and Dask's configuration names none\n  {_KEYS}")


def failure_of(error: BaseException) -> str | None:
    """The words of TLS on why a connection failed; None where it has no part in it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return str(cause)
        # Some of Dask's errors have the words alone.
        if "SSLError" in str(cause) or "SSLCertVerificationError" in str(cause) or "TLS certificate" in str(cause):
            return str(cause)
        cause = cause.__cause__
    return None
