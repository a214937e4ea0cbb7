"""A real syslog-ng for tests, started as a collector's pod starts it, on loopback and in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from logwarden.api.log_pipeline import LogPipeline
from logwarden.collector import NODE_VARIABLE, Layout, NodeLogs, render_syslog_ng, start_command
from logwarden.collector.stats import Stats, read_stats

START_SECONDS = 30.0
STOP_SECONDS = 100.0
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def obstacle() -> str | None:
    """What keeps a collector from running here, in words, or None."""
    if shutil.which("syslog-ng", path=_PATH) is None:
        return "not found: syslog-ng"
    if not list(Path("/usr/lib").glob("**/syslog-ng/*/libkafka.so")):
        return "syslog-ng is without its Kafka module (Debian: syslog-ng-mod-rdkafka)"
    return None


def version() -> str:
    """Return the version of the syslog-ng that is installed, such as 3.38."""
    told = subprocess.run(["syslog-ng", "--version"], env={"PATH": _PATH}, capture_output=True, text=True, check=True)
    return told.stdout.splitlines()[0].split("(")[1].rstrip(")").rsplit(".", 1)[0]


class Collector:
    """A collector that can be stopped, killed and started again with the same buffer."""

    def __init__(
        self, folder: Path, pipeline: LogPipeline, bootstrap_servers: str, *, node_logs: NodeLogs = "files"
    ) -> None:
        (folder / "run").mkdir(parents=True)
        self.layout = Layout(
            config=str(folder / "syslog-ng.conf"),
            buffer=str(folder),
            run=str(folder / "run"),
            secrets=str(folder / "secrets"),
            node_logs=str(folder),
        )
        self.text = render_syslog_ng(
            pipeline,
            version=version(),
            node_logs=node_logs,
            layout=self.layout,
            bootstrap_servers=bootstrap_servers,
            bind="127.0.0.1",
        )
        Path(self.layout.config).write_text(self.text)
        self._command = start_command(pipeline, self.layout)
        self._log = folder / "syslog-ng.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it answers on its control socket."""
        environment = {"PATH": _PATH, NODE_VARIABLE: "node-1"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.1)

    @property
    def log(self) -> str:
        """What syslog-ng has said so far."""
        return self._log.read_text(errors="replace")

    def stats(self) -> Stats:
        """Return its counters."""
        return read_stats(self.layout.control)

    def wait_for(self, source: str, messages: int, *, seconds: float = 60.0) -> None:
        """Return when a source has taken so many messages since the start."""
        until = time.monotonic() + seconds
        while (taken := self.stats().received.get(source, 0)) < messages:
            assert time.monotonic() < until, f"{source}: {taken} of {messages}\n{self.log}"
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        Path(self.layout.control).unlink(missing_ok=True)

    def stop(self) -> None:
        """Let it shut down, if it runs."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            self.stats()
        except OSError:
            return False
        return True
