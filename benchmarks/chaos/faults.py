"""The faults: what is broken in the middle of the stream, and mended again."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.chaos import surroundings
from benchmarks.chaos.sending import CollectorSender, ProducerSender
from benchmarks.chaos.world import Needs, World
from tests.services import postgres, syslog_ng

_KILLS = 10
_DISK_MIB = 512


def nothing(world: World) -> None:
    """Break nothing."""
    world.send(1)


def kill_detector(world: World) -> None:
    """Kill the detector again and again, each time after it has stored something more."""
    for _ in range(_KILLS):
        before = world.stored()
        world.send(_KILLS + 1)
        world.wait_for(before + 1)
        world.detector.kill()
        world.detector.wait()
        world.start()
    world.send(1)


def freeze_detector(world: World) -> None:
    """Freeze a detector until another one has its partitions, then let it go on."""
    world.send(3)
    world.wait_for(1)
    world.detector.send_signal(signal.SIGSTOP)
    frozen = world.detector
    world.send(3)
    world.start()
    world.wait_for(world.lines // 2)
    frozen.send_signal(signal.SIGCONT)
    world.send(1)
    time.sleep(5.0)
    frozen.terminate()
    frozen.wait()


def kill_kafka(world: World) -> None:
    """Kill Kafka, and start it again after a while, during which lines come."""
    world.send(3)
    world.wait_for(1)
    world.broker.kill()
    world.send(3)
    time.sleep(world.away)
    world.broker.start()
    world.send(1)


def fill_kafka_disk(world: World) -> None:
    """Let Kafka's disk be full for a while: the broker ends, as it must, and is started when there is room again."""
    assert world.disk is not None
    world.send(3)
    world.wait_for(1)
    world.disk.fill()
    world.send(3)
    until = time.monotonic() + max(world.away, 30.0)
    while world.broker.process.poll() is None and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(world.away)
    world.broker.kill()
    world.disk.free()
    world.broker.start()
    world.send(1)


def cut_network(world: World) -> None:
    """Pull out the cable between Kafka and everything else for a while: no packet passes, and nobody says so."""
    assert world.network is not None
    world.send(3)
    world.wait_for(1)
    world.network.cut()
    world.send(3)
    time.sleep(world.away)
    world.network.mend()
    world.send(1)


def kill_syslog_ng(world: World) -> None:
    """Kill the collector again and again while what it has taken is on its way to Kafka."""
    assert isinstance(world.sender, CollectorSender)
    for _ in range(_KILLS):
        world.send(_KILLS + 1)
        world.sender.collector.kill()
        world.sender.collector.start()
    world.send(1)


def restart_postgres(world: World) -> None:
    """Restart the store's server as an update does, and then kill it, each time for half of the while."""
    assert world.postgres is not None
    for end in (world.postgres.stop, world.postgres.kill):
        before = world.stored()
        world.send(3)
        world.wait_for(before + 1)
        end()
        time.sleep(world.away / 2)
        world.postgres.start()
    world.send(1)


def lock_store(world: World) -> None:
    """Let something else hold the store's write lock for longer than a detector waits."""
    world.send(3)
    world.wait_for(1)
    with sqlite3.connect(world.store, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        world.send(3)
        time.sleep(max(world.away / 2, 25.0))
        other.execute("ROLLBACK")
    other.close()
    world.send(1)


def set_clock_back(world: World) -> None:
    """Set the collector's clock back by an hour in the middle of the stream."""
    assert isinstance(world.sender, ProducerSender)
    world.send(2)
    world.sender.clock.shift = -3600.0
    world.send(1)


class Fault(NamedTuple):
    """What is broken, what that needs, and what keeps it from being done here: a reason in words, or None."""

    breaks: Callable[[World], None]
    needs: Needs = Needs()
    obstacle: Callable[[], str | None] = lambda: None


FAULTS: dict[str, Fault] = {
    "none": Fault(nothing),
    "detector-killed": Fault(kill_detector),
    "detector-frozen": Fault(freeze_detector),
    "kafka-killed": Fault(kill_kafka),
    "kafka-disk-full": Fault(fill_kafka_disk, Needs(disk=_DISK_MIB), surroundings.obstacle),
    "network-cut": Fault(cut_network, Needs(network=True), surroundings.obstacle),
    "collector-network-cut": Fault(
        cut_network, Needs(collector=True, network=True), lambda: surroundings.obstacle() or syslog_ng.obstacle()
    ),
    "syslog-ng-killed": Fault(kill_syslog_ng, Needs(collector=True), syslog_ng.obstacle),
    "postgres-restarted": Fault(restart_postgres, Needs(postgres=True), postgres.obstacle),
    "store-locked": Fault(lock_store),
    "clock-set-back": Fault(set_clock_back),
}
