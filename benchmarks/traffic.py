"""Make the log files that are read: plain lines, as a syslog daemon would have written them."""

from __future__ import annotations

import gzip
import json
import random
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

_RECORDED = re.compile(r"([^\t]*)\t([^\t]*)\t(?:udp|tcp)\t(.*)", re.DOTALL)
_OLD = re.compile(r"(<\d+>)([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) ")
_NEW = re.compile(r"(<\d+>1 )(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\S*)")
# The header up to the end of the host's name.
_HOST = re.compile(r"<\d+>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|1 \S+) [^\s:]+(?= )")
_WORD = re.compile(r"[a-z]{3,12}")


class Received(NamedTuple):
    """A raw line, the address that sent it and when it arrived, Unix seconds."""

    time: float
    peer: str
    line: str


def read_recording(folder: Path) -> list[Received]:
    """Return the raw lines of a recording of the lab, in the order of their arrival."""
    packed = folder / "lines.log.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "lines.log").read_bytes()
    matches = map(_RECORDED.match, text.decode("utf-8", "surrogateescape").splitlines())
    return [Received(datetime.fromisoformat(match[1]).timestamp(), match[2], match[3]) for match in matches if match]


def repeat(folder: Path, count: int) -> Iterator[Received]:
    """Yield a recording over and over until there are ``count`` lines.

    The times of each repetition follow those of the one before, so that it is one long log.
    """
    meta = json.loads((folder / "meta.json").read_text())
    started, ended = datetime.fromisoformat(meta["started"]), datetime.fromisoformat(meta["ended"])
    span = timedelta(seconds=1 + int((ended - started).total_seconds()))
    lines = read_recording(folder)
    for number in range(count):
        repetition, place = divmod(number, len(lines))
        if place == 0:
            later = span * repetition
            shift = _shifter(started.year, later)
        time, peer, line = lines[place]
        yield Received(time + later.total_seconds(), peer, shift(line))


def side_by_side(folder: Path, count: int, partitions: int) -> Iterator[Received]:
    """Yield :func:`repeat` as it would come from as many equal networks as there are partitions, one for each.

    In the lab one host sends most lines, and a topic that holds its traffic has one partition that holds most of them.
    Here every line of the recording comes once from each network, under a host name of its own, from an address that
    Kafka's client gives to the network's partition.
    """
    addresses: dict[tuple[str, int], str] = {}
    lines = repeat(folder, -(-count // partitions))
    for line, network in islice(((line, network) for line in lines for network in range(partitions)), count):
        device = (line.peer, network)
        if device not in addresses:
            addresses[device] = _address_in(network, partitions, taken=addresses.values())
        yield Received(line.time, addresses[device], _HOST.sub(rf"\g<0>-{network}", line.line, count=1))


def _address_in(network: int, partitions: int, taken: Collection[str]) -> str:
    """Return a free address of which the checksum, by which the client chooses, gives the wanted partition."""
    addresses = (f"10.{network}.{number // 250}.{number % 250 + 1}" for number in range(62_500))
    return next(one for one in addresses if zlib.crc32(one.encode()) % partitions == network and one not in taken)


def write_repeated(folder: Path, count: int, target: Path) -> int:
    """Write the lines of :func:`repeat` to a file, packed where its name says so; return their size in bytes."""
    packed = target.suffix == ".gz"
    size = 0
    with gzip.open(target, "wb", compresslevel=1) if packed else target.open("wb") as file:
        for received in repeat(folder, count):
            size += file.write(f"{received.line}\n".encode("utf-8", "surrogateescape"))
    return size


def _shifter(year: int, by: timedelta) -> Callable[[str], str]:
    @lru_cache(4096)
    def old(stamp: str) -> str:
        moved = datetime.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC) + by
        return f"{moved:%b} {moved.day:2} {moved:%H:%M:%S}"

    @lru_cache(4096)
    def new(stamp: str) -> str:
        return (datetime.fromisoformat(stamp) + by).isoformat()

    def shift(line: str) -> str:
        if match := _OLD.match(line):
            return f"{match.group(1)}{old(match.group(2))} {line[match.end() :]}"
        if match := _NEW.match(line):
            return f"{match.group(1)}{new(match.group(2))}{match.group(3)}{line[match.end() :]}"
        return line

    return shift


def write_never_seen(folder: Path, count: int, target: Path, *, hosts: int = 20) -> None:
    """Write ``count`` lines that all differ after masking: the recording's words in new orders.

    Every host sends one line every two minutes, so that no two lines of a host share a window. The program is one that
    the model was taught, since it does not judge the language of others.
    """
    start = datetime(2026, 1, 5, tzinfo=UTC)
    with target.open("w") as file:
        for number, text in zip(range(count), _new_texts(folder), strict=False):
            round_, host = divmod(number, hosts)
            time = start + timedelta(seconds=120 * round_ + host)
            file.write(f"<30>{time:%b} {time.day:2} {time:%H:%M:%S} new{host} sshd[77]: {text}\n")


def _new_texts(folder: Path) -> Iterator[str]:
    draw = random.Random(7)
    lines = [received.line for received in read_recording(folder)]
    words = sorted({word for line in lines for word in _WORD.findall(line)})
    lengths = [max(3, min(24, len(line.split()) - 4)) for line in lines]
    seen: set[str] = set()
    while True:
        text = " ".join(draw.choices(words, k=draw.choice(lengths)))
        if text not in seen:
            seen.add(text)
            yield text
