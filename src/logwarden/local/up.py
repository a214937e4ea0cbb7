"""Runs one pipeline on this machine until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden.api.record import AnomalyRecord
from logwarden.detect import DetectionModel
from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.ingest.listener import HttpListener, preload
from logwarden.ingest.tokens import Tokens
from logwarden.kafka.settings import KafkaSettings, settings_of
from logwarden.local.certificates import CERTIFICATE, server_contexts
from logwarden.local.commands import sending
from logwarden.local.console import StatusLine, banner, status_text
from logwarden.local.explaining import open_explainer
from logwarden.local.handoff import HandOff, KafkaHandOff, SpoolHandOff
from logwarden.local.http import http_limits, http_tokens
from logwarden.local.ports import LOOPBACK, Endpoint, bind_endpoint, check_free, endpoints
from logwarden.local.privacy import privacy_of
from logwarden.local.readiness import Readiness
from logwarden.local.regular import Every, prune_in_background
from logwarden.local.replay import MAX_SPEED, Beside, Recording, Replay
from logwarden.local.revision import RevisionWatch, choose_revision, load, spare_collector
from logwarden.local.secrets import read_secret
from logwarden.local.signals import stop_on_signals
from logwarden.outcome import Outcome
from logwarden.privacy import MaskingIntake
from logwarden.revisions import Registry
from logwarden.sources.listening import Listener, ListenerThread
from logwarden.sources.syslog import TcpListener, UdpListener
from logwarden.store import ListenerStatus, Phase, PipelineStatus, Progress, Store, StoreError

Launch = Callable[[str, str, int], "subprocess.Popen[bytes]"]
"""Starts the dashboard for a store's URL, an address and a port."""

_READ_SECONDS = 0.2
_SHOW_SECONDS = 0.5
_PAGE_SECONDS = 60.0
_ASK_SECONDS = 0.2
_STATUS_SECONDS = 2.0
_PRUNE_SECONDS = 3600.0
_CHILD_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UpConfig:
    """What to run.

    Attributes
    ----------
    pipeline, model
        The two resources.
    data_dir
        Folder for the spool and what else has to survive a restart.
    store
        Path or URL of the store.
    registry
        Where model revisions are.
    secrets
        Folder with the values of Secrets, or None.
    host, ports
        Address for everything, and ports by name, instead of those of the pipeline.
    replay, speed
        Recording to replay, and recorded seconds per second.
    exit_after_replay
        Stop when the recording has been replayed and judged.
    bootstrap_servers
        Kafka that listeners write to and the detector reads from; None for the spool in ``data_dir``.
    launch
        Starts the dashboard; None for none.
    say
        Prints a text for the person who started it.
    """

    pipeline: LogPipeline
    model: AnomalyModel
    data_dir: Path
    store: Path | str
    registry: Registry
    say: Callable[[str], None]
    secrets: Path | None = None
    host: str | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    replay: Path | None = None
    speed: float = MAX_SPEED
    exit_after_replay: bool = False
    bootstrap_servers: str | None = None
    launch: Launch | None = None


def run(config: UpConfig) -> None:
    """Run until SIGINT or SIGTERM; then take in what has arrived, judge it, store it and return.

    Raises
    ------
    LogwardenError
        If something that it needs is missing, wrong or taken. Nothing has been started then.
    """
    with contextlib.ExitStack() as stack:
        stopping = stack.enter_context(stop_on_signals())
        recording = Recording(config.replay) if config.replay is not None else None
        ports = endpoints(config.pipeline, host=config.host, ports=config.ports, dashboard=config.launch is not None)
        _check_sources(config, ports)
        _Pipeline(config, ports, recording, stack).run(stopping)


def _kafka_of(config: UpConfig) -> KafkaSettings | None:
    """Return how to reach Kafka, or None where lines go through the spool.

    Raises
    ------
    InvalidInputError
        If a recording is to be replayed: its times are in the past, and a topic is shared.
    """
    if config.bootstrap_servers is None:
        return None
    if config.replay is not None:
        raise InvalidInputError("--replay works without --bootstrap-servers only: a recording goes through the spool")
    read = partial(read_secret, config.secrets)
    return settings_of(config.pipeline, read, bootstrap_servers=config.bootstrap_servers)


def _check_sources(config: UpConfig, ports: list[Endpoint]) -> None:
    if config.replay is None and all(endpoint.protocol == "page" for endpoint in ports):
        raise InvalidInputError(
            f"LogPipeline {config.pipeline.name} has nothing to listen on: add a listener to "
            "spec.collect.syslog.listeners, or set spec.collect.http.enabled to true"
        )


class _Pipeline:
    """All parts of a running pipeline, and the order in which they start and stop."""

    def __init__(
        self, config: UpConfig, ports: list[Endpoint], recording: Recording | None, stack: contextlib.ExitStack
    ) -> None:
        self._config = config
        self._stack = stack
        self._name = config.pipeline.name
        self._kafka = _kafka_of(config)
        self._privacy = privacy_of(config.pipeline, config.secrets)
        tokens, tls = http_tokens(config.pipeline, config.secrets), server_contexts(config.pipeline, config.secrets)
        self._bound = [self._bind(endpoint) for endpoint in ports if endpoint.protocol != "page"]
        self._page = next((check_free(endpoint) for endpoint in ports if endpoint.protocol == "page"), None)
        revision = choose_revision(config.model, config.registry)
        config.data_dir.mkdir(parents=True, exist_ok=True)
        self._store = stack.enter_context(Store.open(config.store))
        self._child = self._launch()  # first, as it takes longest
        if config.pipeline.spec.collect.http.enabled:
            preload()
        self._model = load(revision)
        spare_collector()
        self._handoff = self._open_handoff()
        self._replay = self._open_replay(recording)
        self._nothing_to_replay = self._replay is not None and self._replay.finished
        self._replaying = _tell(self._replay)  # what is about to be replayed; a fast replay is over when it is told
        self._listeners = [
            self._listener(endpoint, sock, tokens, tls.get(endpoint.name)) for endpoint, sock in self._bound
        ]
        self._commands = sending(
            [endpoint for endpoint, _ in self._bound], token=tokens is not None, authority=_authority(config)
        )
        self._status = StatusLine()
        self._newest: AnomalyRecord | None = None
        totals = self._store.totals()
        self._lines, self._anomalies = totals.lines, totals.anomalies
        self._problems: list[str] = []

    # ------------------------------------------------------------------ parts

    def _bind(self, endpoint: Endpoint) -> tuple[Endpoint, socket.socket]:
        bound, sock = bind_endpoint(endpoint)
        self._stack.callback(sock.close)
        return bound, sock

    def _launch(self) -> subprocess.Popen[bytes] | None:
        if self._page is None or self._config.launch is None:
            return None
        child = self._config.launch(str(self._config.store), self._page.host, self._page.port)
        self._stack.callback(_end, child)
        return child

    def _open_handoff(self) -> HandOff:
        threshold = self._config.model.spec.threshold.value
        handoff: HandOff
        if self._kafka is not None:
            handoff = KafkaHandOff(self._kafka, self._store, self._config.pipeline, threshold, self._privacy)
        else:
            folder = self._config.data_dir / "spool"
            handoff = SpoolHandOff(folder, self._store, self._name, threshold, self._privacy)
        self._stack.callback(handoff.close)
        return handoff

    def _open_replay(self, recording: Recording | None) -> Replay | None:
        if recording is None or not isinstance(self._handoff, SpoolHandOff):
            return None
        if self._privacy is not None:
            recording.peers[:] = map(self._privacy.text, recording.peers)
        once, spool = self._config.exit_after_replay, self._handoff.spool
        replay = Replay(recording, self._config.speed, spool, self._config.data_dir, stay=once)
        if once or not replay.finished:
            spool.clock = replay
        return replay

    def _listener(
        self, endpoint: Endpoint, sock: socket.socket, tokens: Tokens | None, tls: ssl.SSLContext | None
    ) -> Listener:
        intake = self._handoff.intake
        if self._replay is not None:
            intake = Beside(self._replay, intake)
        if endpoint.protocol == "udp":
            return UdpListener(endpoint.name, sock, intake)
        if endpoint.protocol in ("tcp", "tls"):
            return TcpListener(endpoint.name, sock, intake, tls=tls)
        limits = http_limits(self._config.pipeline)
        return HttpListener(
            endpoint.name,
            sock,
            intake,
            tokens=tokens,
            tls=tls,
            limits=limits,
            by_device=self._kafka is not None,
        )

    # ------------------------------------------------------------------ life

    def run(self, stopping: threading.Event) -> None:
        self._explaining = open_explainer(
            self._config.pipeline, self._config.model, self._model, self._config.secrets, self._store
        )
        watch = RevisionWatch(self._config.model, self._config.registry, self._model.revision)
        self._stack.callback(watch.stop)
        self._start()
        ready = Readiness(self._page, self._child, _PAGE_SECONDS)
        try:
            self._work(stopping, watch, ready)
        finally:
            self._shut_down()

    def _start(self) -> None:
        self._handoff.start(self._model, self._committed)
        replay_listener = self._replay_listener()
        self._thread = ListenerThread([*self._listeners, *([replay_listener] if replay_listener else [])])
        self._thread.start()
        if self._page is not None:
            self._config.say("Starting; the dashboard takes some seconds.")
        if replay_listener is not None and self._replay is not None:
            self._replay.start(*replay_listener.socket.getsockname()[:2])

    def _replay_listener(self) -> TcpListener | None:
        if self._replay is None or self._replay.finished:
            return None
        endpoint = Endpoint(self._replay.listener, "tcp", LOOPBACK, 0, "")
        _, sock = self._bind(endpoint)
        intake = self._replay if self._privacy is None else MaskingIntake(self._replay, self._privacy)
        return TcpListener(endpoint.name, sock, intake)

    def _work(self, stopping: threading.Event, watch: RevisionWatch, ready: Readiness) -> None:
        ask, show = Every(_ASK_SECONDS), Every(_SHOW_SECONDS)
        publish, prune = Every(_STATUS_SECONDS), Every(_PRUNE_SECONDS)
        while not stopping.is_set() and not self._replayed():
            self._handoff.step(_READ_SECONDS)
            new = watch.take()
            if new is not None:
                self._take_over(new)
            if not ready.told and ask.due() and ready.reached():
                self._config.say(self._banner())
            if ready.told and show.due():
                self._show()
            if publish.due():
                self._publish(self._phase())
            if prune.due():
                prune_in_background(self._store, self._config.pipeline)

    def _shut_down(self) -> None:
        """Take in what has arrived, judge it to the end, store it, stop the children."""
        self._status.clear()
        self._config.say("Stopping: storing what has arrived. Ctrl-C once more stops at once.")
        if self._replay is not None:
            self._replay.stop()
        self._thread.stop()
        problems = self._handoff.finish()
        if self._explaining is not None:
            self._explaining.stop(_CHILD_SECONDS)
        self._publish(Phase.STOPPED)
        if problems:
            raise LogwardenError("stopped, but " + "; ".join(problems))

    def _replayed(self) -> bool:
        """Tell whether there is no more to do after a replay."""
        if not self._config.exit_after_replay or self._replay is None or not self._replay.finished:
            return False
        return isinstance(self._handoff, SpoolHandOff) and self._handoff.judged(self._replay.listener)

    # ------------------------------------------------------------------ events

    def _committed(self, outcome: Outcome) -> None:
        self._lines += outcome.lines
        self._anomalies += len(outcome.records)
        for record in outcome.records:
            self._newest = record
            if self._explaining is not None:
                self._explaining.submit(record)

    def _take_over(self, new: DetectionModel) -> None:
        self._handoff.take_over(new)
        self._model = new
        self._status.clear()
        self._config.say(f"Model revision {new.revision} has taken over.")

    # ------------------------------------------------------------------ telling

    def _phase(self) -> Phase:
        return Phase.LISTENING if self._replay is None or self._replay.finished else Phase.REPLAYING

    def _find_problems(self) -> list[str]:
        """Return what is wrong at the moment, the worst first."""
        problems = self._handoff.problems()
        lost = sum(map(_lost, self._listeners))
        if lost:
            problems.append(f"{lost:,} datagrams lost")
        if self._child is not None and self._child.poll() is not None:
            problems.append(f"the dashboard has stopped (exit code {self._child.returncode})")
        return problems

    def _show(self) -> None:
        self._problems = self._find_problems()
        notes = list(self._problems)
        if self._phase() is Phase.REPLAYING and self._replay is not None:
            notes.append(f"replay {100 * self._replay.done // self._replay.total} %")
        self._status.show(status_text(self._lines, self._anomalies, self._newest, notes))

    def _publish(self, phase: Phase) -> None:
        status = PipelineStatus(
            pipeline=self._name,
            phase=phase,
            revision=self._model.revision,
            listeners=tuple(
                _listener_status(endpoint, command, listener)
                for (endpoint, _), command, listener in zip(self._bound, self._commands, self._listeners, strict=True)
            ),
            partitions=self._handoff.partitions(),
            progress=self._progress() if phase is Phase.REPLAYING else None,
            detail="; ".join(self._problems) if phase is not Phase.STOPPED else "",
            note=self._note(phase),
        )
        try:
            self._store.set_status(status)
        except StoreError as error:
            _log.warning("the status could not be stored: %s", error)

    def _note(self, phase: Phase) -> str:
        if phase is Phase.REPLAYING:
            return (
                "All times are those of the replay, which is made to end in the present. Lines that you send meanwhile "
                "stand at its time too."
            )
        return self._replaying if self._nothing_to_replay and phase is Phase.LISTENING else ""

    def _progress(self) -> Progress | None:
        return None if self._replay is None else Progress(done=self._replay.done, total=self._replay.total)

    def _banner(self) -> str:
        shown = [endpoint for endpoint, _ in self._bound]
        return banner(
            pipeline=self._name,
            revision=self._model.revision,
            endpoints=[self._page, *shown] if self._page is not None else shown,
            commands=[command for command in self._commands if command],
            store=self._store.url.removeprefix("sqlite:///"),
            replaying=self._replaying,
        )


def _authority(config: UpConfig) -> Path | None:
    """Return the certificate by which a client of this machine may know the HTTP endpoint."""
    ref = config.pipeline.spec.collect.http.tls_secret_ref
    return None if ref is None or config.secrets is None else (config.secrets / ref.name / CERTIFICATE).absolute()


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_CHILD_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()


def _lost(listener: Listener) -> int:
    """Return how many datagrams were lost, by us and by the kernel."""
    return listener.counts.dropped + (listener.kernel_drops() if isinstance(listener, UdpListener) else 0)


def _listener_status(endpoint: Endpoint, command: str, listener: Listener) -> ListenerStatus:
    return ListenerStatus(
        name=endpoint.name,
        protocol=endpoint.protocol,
        address=endpoint.host,
        port=endpoint.port,
        command=command,
        received=listener.counts.received,
        malformed=listener.counts.malformed,
        dropped=_lost(listener),
        refused=listener.counts.refused,
    )


def _tell(replay: Replay | None) -> str:
    if replay is None:
        return ""
    if replay.finished:
        return f"{replay.recording.file} was replayed into this data folder before; --data-dir NEW replays it again."
    pace = "as fast as possible" if replay.speed == MAX_SPEED else f"{replay.speed:g} times as fast as recorded"
    rest = replay.total - replay.done
    return f"Replaying {rest:,} of {replay.total:,} lines of {replay.recording.file}, {pace}."
