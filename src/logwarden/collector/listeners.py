"""Sources for the ports on which devices send syslog."""

from __future__ import annotations

from typing import Final, NamedTuple

from logwarden.api.log_pipeline import ListenerSpec
from logwarden.collector.envelope import to_kafka
from logwarden.collector.layout import Layout
from logwarden.collector.syntax import quoted

MAX_CONNECTIONS: Final = 1000
_WINDOW_OF_A_CONNECTION: Final = 100
_UDP_WINDOW: Final = 10_000
_UDP_SOCKET_BYTES: Final = 16 * 1024 * 1024
_FRAMING_DETECTED: Final = (4, 10)
# What is older has been broken for years (RFC 8996).
_NO_OLD_TLS: Final = "no-sslv2, no-sslv3, no-tlsv1, no-tlsv11"
_PEER_VERIFY: Final = {"None": "optional-untrusted", "Optional": "optional-trusted", "Required": "required-trusted"}


class Source(NamedTuple):
    """A source, and the path from it to Kafka."""

    text: str
    path: str


def listener(spec: ListenerSpec, layout: Layout, version: tuple[int, int], bind: str) -> Source:
    """Return the source of a listener at an address.

    The message is not taken apart: the parser of Logwarden does that, and what it cannot read stays as it came.
    """
    driver, transport = _driver(spec, version)
    family = " ip-protocol(6)" if ":" in bind else ""
    options = [
        f"ip({quoted(bind)}){family} port({spec.port}) transport({quoted(transport)})",
        "flags(no-parse)",
    ]
    if spec.transport == "UDP":
        options += [f"so-rcvbuf({_UDP_SOCKET_BYTES})", f"log-iw-size({_UDP_WINDOW})"]
    else:
        options += [
            f"max-connections({MAX_CONNECTIONS})",
            # Shared out among the connections.
            f"log-iw-size({MAX_CONNECTIONS * _WINDOW_OF_A_CONNECTION})",
            "so-keepalive(yes)",
        ]
    if spec.transport == "TLS":
        options.append(_tls(spec, layout))
    text = f"source {quoted(spec.name)} {{\n    {driver}({' '.join(options)});\n}};\n"
    # A sender over UDP cannot be slowed down: while the buffer is full its messages are dropped, and counted.
    return Source(text, path(spec.name, "sender", flow_control=spec.transport != "UDP"))


def path(source: str, rewrite: str, *, flow_control: bool, envelope: str = "envelope") -> str:
    """Return the path from a source to Kafka."""
    flags = "\n    flags(flow-control);" if flow_control else ""
    return f"log {{\n    source({quoted(source)}); rewrite({quoted(rewrite)});\n{to_kafka(envelope)}{flags}\n}};\n"


def _driver(spec: ListenerSpec, version: tuple[int, int]) -> tuple[str, str]:
    """Return the driver, which decides about the framing, and its transport."""
    if spec.transport == "UDP":
        return "network", "udp"
    if spec.transport == "TLS":
        # RFC 5425 counts octets.
        return ("network" if spec.framing == "Newline" else "syslog"), "tls"
    if spec.framing == "OctetCounted":
        return "syslog", "tcp"
    if spec.framing == "Auto" and version >= _FRAMING_DETECTED:
        return "syslog", "auto"
    return "network", "text-with-nuls"


def _tls(spec: ListenerSpec, layout: Layout) -> str:
    assert spec.tls_secret_ref is not None  # a rule of the contract
    secret = spec.tls_secret_ref.name
    authority = f" ca-file({quoted(layout.secret(secret, 'ca.crt'))})" if spec.client_auth != "None" else ""
    return (
        f"tls(\n        cert-file({quoted(layout.secret(secret, 'tls.crt'))}) "
        f"key-file({quoted(layout.secret(secret, 'tls.key'))}){authority}\n        "
        f"peer-verify({_PEER_VERIFY[spec.client_auth]}) ssl-options({_NO_OLD_TLS}))"
    )
