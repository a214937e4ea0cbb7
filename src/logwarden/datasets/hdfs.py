"""Read HDFS logs with labels by block: the data set of Xu et al. (SOSP 2009).

Two layouts are known: ``HDFS.log`` (or ``HDFS.log.gz``) with ``anomaly_label.csv`` (columns BlockId, Label), as loghub
publishes them; and parquet tables of lines (date, time, id, level, component, m_message, seq_id) and of blocks
(seq_id, anomaly), as LogLead publishes samples.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from logwarden.datasets.chronological import TRAIN_SHARE, VALIDATION_SHARE
from logwarden.datasets.dataset import Dataset
from logwarden.datasets.recording import Recording, part
from logwarden.errors import InvalidInputError
from logwarden.events import Batch, ParsedLine
from logwarden.parse import LineParser
from logwarden.sources.files import BATCH_LINES, read_files

BLOCK = r"blk_-?\d+"
"""Regular expression that finds the block in a line: the key of its session."""

_LABELS = "anomaly_label.csv"
_LINES = ("HDFS.log", "HDFS.log.gz")
_DAY = 86_400.0
_key = re.compile(BLOCK)


@dataclass(frozen=True, slots=True)
class BlockLines:
    """The lines of some blocks, in the order of the file."""

    path: Path
    blocks: frozenset[str]

    @property
    def files(self) -> tuple[Path, ...]:
        """The one file."""
        return (self.path,)

    def batches(self) -> Iterator[Batch]:
        """Read the lines."""
        for batch in _read(self.path):
            kept = [i for i, line in enumerate(batch.lines) if _block(line) in self.blocks]
            if kept:
                yield part(batch, kept)


def load_hdfs(folder: str) -> Dataset:
    """Read a folder in one of the two layouts and divide it by blocks, in the order of their first lines.

    Raises
    ------
    InvalidInputError
        If the folder has neither layout, or has lines of blocks without a label.
    """
    lines, anomalous = _find(Path(folder))
    blocks = list(dict.fromkeys(block for batch in _read(lines) for block in map(_block, batch.lines) if block))
    if len(blocks) < 10:
        raise InvalidInputError(f"{lines}: {len(blocks)} blocks are too few to learn from")
    first = int(TRAIN_SHARE * len(blocks))
    second = int((TRAIN_SHARE + VALIDATION_SHARE) * len(blocks))
    train, validation, test = (
        [_recording(lines, blocks[start:end], start, anomalous)]
        for start, end in pairwise([0, first, second, len(blocks)])
    )
    return Dataset(folder, "hdfs", "by block, in the order of first lines, 60 : 20 : 20", train, validation, test)


def _recording(path: Path, blocks: list[str], start: int, anomalous: frozenset[str]) -> Recording:
    lines = BlockLines(path, frozenset(blocks))
    parse = LineParser().parse
    times = [
        parsed.time
        for batch in lines.batches()
        for text in (batch.lines[0], batch.lines[-1])
        if isinstance(parsed := parse(text), ParsedLine) and parsed.time is not None
    ]
    started, ended = min(times, default=0.0), max(times, default=0.0)
    return Recording(
        name=f"blocks {start + 1}-{start + len(blocks)}",
        lines=lines,
        incidents=(),
        started=started,
        ended=ended,
        days=(ended - started) / _DAY,
        anomalous_sessions=lines.blocks & anomalous,
    )


def _find(folder: Path) -> tuple[Path, frozenset[str]]:
    """Return the file with the lines, and the anomalous blocks."""
    if (folder / _LABELS).is_file():
        lines = next((folder / name for name in _LINES if (folder / name).is_file()), None)
        if lines is None:
            raise InvalidInputError(f"{folder}: {_LABELS} is there, but neither {' nor '.join(_LINES)}")
        with (folder / _LABELS).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows or not {"BlockId", "Label"} <= rows[0].keys():
            raise InvalidInputError(f"{folder / _LABELS}: the columns BlockId and Label are expected")
        return lines, frozenset(row["BlockId"] for row in rows if row["Label"] == "Anomaly")
    return _find_parquet(folder)


def _find_parquet(folder: Path) -> tuple[Path, frozenset[str]]:
    from pyarrow import parquet

    lines: Path | None = None
    labels: Path | None = None
    for path in sorted(folder.glob("*.parquet")):
        columns = set(parquet.read_schema(path).names)
        lines = path if "m_message" in columns else lines
        labels = path if {"seq_id", "anomaly"} <= columns else labels
    if lines is None or labels is None:
        raise InvalidInputError(
            f"{folder}: neither HDFS.log with {_LABELS} nor parquet tables of lines and blocks are there"
        )
    table = parquet.read_table(labels, columns=["seq_id", "anomaly"]).to_pylist()
    return lines, frozenset(row["seq_id"] for row in table if row["anomaly"])


def _read(path: Path) -> Iterable[Batch]:
    return _read_parquet(path) if path.suffix == ".parquet" else read_files([path])


def _read_parquet(path: Path) -> Iterator[Batch]:
    """Write each row as the line that it was."""
    from pyarrow.parquet import ParquetFile

    position = 1
    columns = ["date", "time", "id", "level", "component", "m_message"]
    for rows in ParquetFile(path).iter_batches(BATCH_LINES, columns=columns):
        lines = [_line(row) for row in rows.to_pylist()]
        yield Batch(f"file:{path}", range(position, position + len(lines)), lines)
        position += len(lines)


def _line(row: dict[str, Any]) -> str:
    return f"{row['date']} {row['time']} {row['id']} {row['level']} {row['component']} {row['m_message']}"


def _block(line: str) -> str:
    match = _key.search(line)
    return match[0] if match else ""
