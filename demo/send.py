"""Replay a recording of the lab to the syslog port of a collector: send.py HOST:PORT FILE [SPEED]

Runs in a pod of the cluster, with nothing but Python's standard library. The times in the lines are moved to the
present. A connection that breaks is opened again.
"""

from __future__ import annotations

import gzip
import re
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

_RETRY_SECONDS = 1.0
_REPORT_SECONDS = 10.0
_STAMP = re.compile(rb"(<\d+>)(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)|1 (\d{4}-\d\d-\d\dT\S+))")


def lines(file: Path) -> Iterator[tuple[datetime, bytes]]:
    """Yield when each line was received, and the line as a device sent it."""
    with gzip.open(file, "rb") as rows:
        for row in rows:
            received, _, _, line = row.rstrip(b"\n").split(b"\t", 3)
            yield datetime.fromisoformat(received.decode()), line


def moved(line: bytes, received: datetime, now: datetime) -> bytes:
    """Return the line as if it had been received now: a clock that was wrong stays as wrong as it was."""
    found = _STAMP.match(line)
    if found is None:
        return line
    priority, short, long = found.groups()
    if long is not None:
        stamp = datetime.fromisoformat(long.decode()) + (now - received)
        return b"%s1 %s%s" % (priority, stamp.isoformat().encode(), line[found.end() :])
    written = datetime.strptime(f"{received.year} {short.decode()}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
    stamp = written + (now - received.replace(microsecond=0))
    return b"%s%s%s" % (priority, f"{stamp:%b %e %H:%M:%S}".encode(), line[found.end() :])


class Sender:
    """A connection to a collector that is opened again when it breaks."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._connection: socket.socket | None = None

    def send(self, line: bytes) -> None:
        """Send one line, however long that takes."""
        while True:
            try:
                if self._connection is None:
                    self._connection = socket.create_connection(self._address, timeout=30)
                self._connection.sendall(line + b"\n")
            except OSError as error:
                print(f"{self._address[0]}: {error}; trying again", flush=True)
                self._connection = None
                time.sleep(_RETRY_SECONDS)
            else:
                return


def main(address: str, file: str, speed: str = "1") -> None:
    """Send all lines."""
    sender, began, reported, sent = Sender(address), datetime.now(UTC), 0.0, 0
    first = next(lines(Path(file)))[0]
    for received, line in lines(Path(file)):
        due = began + timedelta(seconds=(received - first).total_seconds() / float(speed))
        while (wait := (due - datetime.now(UTC)).total_seconds()) > 0:
            time.sleep(wait)
        sender.send(moved(line, received, datetime.now(UTC)))
        sent += 1
        if time.monotonic() - reported > _REPORT_SECONDS:
            reported = time.monotonic()
            print(f"{sent} lines sent", flush=True)
    print(f"{sent} lines sent, the whole recording", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
