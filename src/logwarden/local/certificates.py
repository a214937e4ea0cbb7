"""TLS for listeners on one machine: certificates and keys from the folder of Secrets."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final, Literal

from logwarden.api.log_pipeline import LogPipeline
from logwarden.errors import InvalidInputError
from logwarden.local.ports import HTTP
from logwarden.local.secrets import read_secret

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
AUTHORITY: Final = "ca.crt"

_MODES: Final = {"None": ssl.CERT_NONE, "Optional": ssl.CERT_OPTIONAL, "Required": ssl.CERT_REQUIRED}
_MISMATCH = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")


def server_contexts(pipeline: LogPipeline, secrets: Path | None) -> dict[str, ssl.SSLContext]:
    """Return how each endpoint with TLS proves who it is and whom it lets in, by the endpoint's name.

    Files are read once: to use a renewed certificate, start again. At least TLS 1.2 is spoken (RFC 9662 for syslog).

    Parameters
    ----------
    pipeline
        Its listeners with transport TLS, and its HTTP endpoint where that names a Secret.
    secrets
        Folder with ``NAME/tls.crt``, ``NAME/tls.key`` and, where clients show certificates, ``NAME/ca.crt``.

    Raises
    ------
    InvalidInputError
        If a file is missing, cannot be read, is not what its name says, or the key is not the certificate's.
    """
    contexts = {}
    for index, listener in enumerate(pipeline.spec.collect.syslog.listeners):
        if listener.tls_secret_ref is not None:
            field = f"spec.collect.syslog.listeners[{index}].tlsSecretRef"
            files = _Files(secrets, listener.tls_secret_ref.name, field)
            contexts[listener.name] = _server_context(files, listener.client_auth)
    if (http := http_context(pipeline, secrets)) is not None:
        contexts[HTTP] = http
    return contexts


def http_context(pipeline: LogPipeline, secrets: Path | None) -> ssl.SSLContext | None:
    """Return how the HTTP endpoint proves who it is, or None without TLS; see :func:`server_contexts`."""
    http = pipeline.spec.collect.http
    if not http.enabled or http.tls_secret_ref is None:
        return None
    return _server_context(_Files(secrets, http.tls_secret_ref.name, "spec.collect.http.tlsSecretRef"), "None")


class _Files:
    """The files of one Secret, and how an error names them."""

    def __init__(self, secrets: Path | None, name: str, field: str) -> None:
        self._secrets = secrets
        self._name = name
        self._field = field

    def read(self, key: str) -> str:
        return read_secret(self._secrets, self._name, key, self._field)

    def path(self, key: str) -> Path:
        assert self._secrets is not None
        return self._secrets / self._name / key

    def error(self, key: str, problem: str) -> InvalidInputError:
        return InvalidInputError(f"{self._field} names the Secret {self._name}, but {self.path(key)} {problem}")


def _server_context(files: _Files, client_auth: Literal["None", "Optional", "Required"]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_pair(context, files)
    context.verify_mode = _MODES[client_auth]
    if client_auth != "None":
        _load_certificates(context, files, AUTHORITY)
    return context


def _load_pair(context: ssl.SSLContext, files: _Files) -> None:
    def refuse() -> str:
        raise files.error(KEY, f"is locked with a password: take it off with openssl pkey -in {KEY} -out NEW")

    _load_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files, CERTIFICATE)  # only to look whether it is one
    if "PRIVATE KEY-----" not in files.read(KEY):
        raise files.error(KEY, "holds no private key in PEM form (a text with BEGIN PRIVATE KEY)")
    try:
        context.load_cert_chain(files.path(CERTIFICATE), files.path(KEY), password=refuse)
    except ssl.SSLError as error:
        if error.reason in _MISMATCH:
            raise files.error(KEY, f"is not the key of {CERTIFICATE}: put there the one it was made with") from None
        reason = (error.reason or "it is damaged").replace("_", " ").lower()
        raise files.error(KEY, f"cannot be used with {CERTIFICATE}: {reason}") from None


def _load_certificates(context: ssl.SSLContext, files: _Files, key: str) -> None:
    """Trust the certificates of a file; what a file says around them may be any text."""
    try:
        context.load_verify_locations(cadata=files.read(key).encode("ascii", "replace").decode())
    except (ssl.SSLError, ValueError):
        raise files.error(key, "holds no certificate in PEM form (a text with BEGIN CERTIFICATE)") from None
