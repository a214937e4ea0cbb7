"""One detector, and two that share the partitions: lines per second, what each process costs, and the records."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.detecting import SECONDS, detector, wait
from benchmarks.process import cpu_seconds, measure_module
from benchmarks.stream import fill
from benchmarks.traffic import side_by_side
from logwarden.api.record import AnomalyRecord
from logwarden.store import AnomalyFilter, Store
from tests.services.kafka import Broker
from tests.services.postgres import Server

Values = dict[str, Any]
_PARTITIONS = 4
_TOPIC = "shared"
_AGO = 7200.0
"""The clock of a partition goes on for an hour after its last line: here that hour is over, for everybody alike."""
_STILL_SECONDS = 5.0


def two_detectors(recording: Path, model: str, lines: int, runs: int) -> Values:
    """Return the values of the benchmark; see benchmarks/README.md."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        broker = Broker(Path(name), measured=True)
        broker.start()
        stack.callback(broker.stop)
        server = Server()
        server.start()
        stack.callback(server.close)
        traffic = side_by_side(recording, lines, _PARTITIONS)
        fill(broker, _TOPIC, traffic, lines, partitions=_PARTITIONS, ago=_AGO)
        found: list[Values] = []
        for _ in range(runs):
            one, records = _through(broker, server, model, lines, detectors=1)
            two, others = _through(broker, server, model, lines, detectors=2)
            if records != others:
                raise RuntimeError(f"one detector made {len(records)} records, two made {len(others)} others")
            found.append({"one": one, "two": two, "consume": _alone(broker, lines), "records": len(records)})
    return {"lines": lines, "partitions": _PARTITIONS, "records_alike": found[0]["records"], **_medians(found)}


def _medians(found: list[Values]) -> Values:
    def of(side: str, name: str) -> float:
        return float(median(run[side][name] for run in found))

    values: Values = {}
    for side in ("one", "two"):
        for name in found[0][side]:
            values[f"{side}_{name}"] = round(of(side, name), 2)
    values["ratio"] = round(of("two", "lines_per_second") / of("one", "lines_per_second"), 2)
    warm = "lines_per_second_when_warm"
    values["ratio_when_warm"] = round(of("two", warm) / of("one", warm), 2)
    for name in found[0]["consume"]:
        values[f"consume_{name}"] = round(of("consume", name), 2)
    return {**values, "runs": found}


def _through(
    broker: Broker, server: Server, model: str, lines: int, *, detectors: int
) -> tuple[Values, dict[str, Any]]:
    """Let so many new detectors read the topic into a new database; return what it took, and the records by id.

    The rates and the seconds are those from the first commit to the last, and from the middle to the last.
    """
    store = server.new_database()
    with ExitStack() as stack:
        running = [
            stack.enter_context(detector(broker.bootstrap_servers, _TOPIC, model, store)) for _ in range(detectors)
        ]
        processes = {
            "broker": [broker.process.pid],
            "store": [server.pid],
            "detectors": [one.process.pid for one in running],
        }
        began, first = wait(1, *running)
        half, middle = wait(lines // 2, *running)
        used = _used(processes)
        ended, _ = wait(lines, *running)
        spent = {name: seconds - used[name] for name, seconds in _used(processes).items()}
        shares = sorted(one.stored() for one in running)
        _settle(store)
    million = (lines - middle) / 1e6
    with Store.open(store, read_only=True) as opened:
        records = {record.id: _comparable(record) for record in opened.anomalies(AnomalyFilter(), limit=lines)}
    return {
        "lines_per_second": round((lines - first) / (ended - began)),
        "lines_per_second_when_warm": round((lines - middle) / (ended - half)),
        **{f"{name}_cpu_seconds_per_million": round(seconds / million, 2) for name, seconds in spent.items()},
        "busy_cores": round(sum(spent.values()) / (ended - half), 2),
        "smallest_share": round(shares[0] / lines, 3),
    }, records


def _used(processes: Mapping[str, list[int]]) -> dict[str, float]:
    return {name: sum(map(cpu_seconds, pids)) for name, pids in processes.items()}


def _settle(store: str) -> None:
    """Wait until nothing is added any more: silences are found after the last line."""
    until, token, since = time.monotonic() + SECONDS, -1, time.monotonic()
    with Store.open(store, read_only=True) as opened:
        while time.monotonic() - since < _STILL_SECONDS:
            if time.monotonic() > until:
                raise RuntimeError("the store did not come to rest")
            if (now := opened.change_token()) != token:
                token, since = now, time.monotonic()
            time.sleep(0.2)


def _comparable(record: AnomalyRecord) -> dict[str, Any]:
    """Return a record without the time at which it was found."""
    values: dict[str, Any] = json.loads(record.model_dump_json(exclude={"detected"}))
    return values


def _alone(broker: Broker, lines: int) -> Values:
    """Consume and do nothing: the broker's part of the work is in all of the rates."""
    before = cpu_seconds(broker.process.pid)
    consumed = measure_module("benchmarks.consume_alone", broker.bootstrap_servers, _TOPIC, str(lines))
    broker_seconds = cpu_seconds(broker.process.pid) - before
    return {
        "lines_per_second": consumed["lines_per_second"],
        "broker_cpu_seconds_per_million": round(broker_seconds / lines * 1e6, 2),
        "consumer_cpu_seconds_per_million": round(consumed["cpu_seconds"] / lines * 1e6, 2),
    }
