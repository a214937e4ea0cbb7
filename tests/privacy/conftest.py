"""Lines full of sensitive values, and a server that keeps whatever is sent to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.local.conftest import MODEL, raw_lines

VALUES = (
    *(b"mallory", b"hunter2xyz", b"00:1b:44:11:3a:b7", b"198.51.100.", b"203.0.113.9", b"oscar@example.org"),
    *(b"10.0.0.%d " % number for number in range(20)),
)
"""What no byte that leaves may hold."""

PIPELINE = f"""
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {{{{name: test}}}}
spec:
  base: {{{{model: "{MODEL}"}}}}
  explanation: {{{{backend: OpenAI, openAI: {{{{url: "{{url}}", model: m}}}}, mask: []}}}}
---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {{{{name: test}}}}
spec:
  collect:
    syslog:
      listeners:
        - {{{{name: udp, transport: UDP, port: 5514}}}}
        - {{{{name: tcp, transport: TCP, port: 5514}}}}
    http: {{{{enabled: true, port: 8080}}}}
  {{kafka}}
  detect: {{{{modelRef: {{{{name: test}}}}}}}}
  privacy: {{{{mask: [ip, user, mac, email, secret], at: {{at}}, keySecretRef: {{{{name: privacy, key: key}}}}}}}}
  alerts:
    alertmanagerURL: "{{url}}"
    minimumSeverity: info
    webhooks: [{{{{name: hook, urlSecretRef: {{{{name: hook, key: url}}}}}}}}]
"""


def sensitive_rows() -> list[tuple[float, str]]:
    """Return receive time and line of a small network with a brute force and crashes, all with sensitive values."""
    rows = [(at, text.replace("for root", "for mallory")) for at, text in raw_lines(minutes=7)]
    last = rows[-1][0]
    for number in range(9):
        rows += [
            (
                last,
                f"<3>Mar  1 12:00:00 r2 vault[7]: panic: 198.51.100.{number} said password=hunter2xyz, user=mallory",
            ),
            (last, "<3>Mar  1 12:00:00 r2 vault[7]: disaster at 00:1b:44:11:3a:b7, tell oscar@example.org"),
        ]
    return rows


class Receiver:
    """Answers every POST as an LLM and an Alertmanager would, and keeps all that came."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        receiver = self
        answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": "odd"}}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.taken.append((self.path, body))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def of(self, path: str) -> list[bytes]:
        """Return what came to addresses with these words."""
        return [body for at, body in self.taken if path in at]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Receive what a pipeline sends."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, daemon=True)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


def leaks(*contents: bytes) -> list[bytes]:
    """Return the sensitive values in what left."""
    return sorted({value for value in VALUES for content in contents if value in content})
