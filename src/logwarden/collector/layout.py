"""Where the collector finds and keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NODE_VARIABLE: Final = "NODE_NAME"
"""Environment variable with the name of the node. It tells the collectors of one pipeline apart: two with the same
name would end each other's transactions."""


@dataclass(frozen=True)
class Layout:
    """Folders of a collector.

    Attributes
    ----------
    config
        The configuration.
    buffer
        What must survive: the disk buffer and the persist file. A node's disk, never memory.
    run
        Control socket, and the credentials for Kafka: memory is best.
    secrets
        Values of Secrets: ``secrets/NAME/KEY``.
    node_logs
        The node's ``/var/log``.
    """

    config: str = "/etc/syslog-ng/logwarden/syslog-ng.conf"
    buffer: str = "/var/lib/syslog-ng"
    run: str = "/run/syslog-ng"
    secrets: str = "/etc/logwarden/secrets"
    node_logs: str = "/var/log"

    @property
    def control(self) -> str:
        """Socket on which syslog-ng tells its counters."""
        return f"{self.run}/syslog-ng.ctl"

    @property
    def persist(self) -> str:
        """File in which syslog-ng remembers its buffers and how far it has read files."""
        return f"{self.buffer}/syslog-ng.persist"

    @property
    def credentials(self) -> str:
        """File with user and password for Kafka, written at the start from the Secret."""
        return f"{self.run}/kafka-credentials.conf"

    def secret(self, name: str, key: str) -> str:
        """Return the file with a value of a Secret."""
        return f"{self.secrets}/{name}/{key}"


DEFAULT_LAYOUT: Final = Layout()
