"""Lines that were seen before are not read again, and that makes no difference."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from logwarden.events import Batch, ParsedLine
from logwarden.outcome import Outcome
from logwarden.parse import LineParser
from logwarden.sources.files import read_files
from logwarden.templates import Templates
from logwarden.units import Intake, Unit, UnitConfig

RECORDINGS = Path(__file__).resolve().parents[2] / "lab" / "recordings"
STAMPS = ("Nov 23 03:23:41", "Nov 23 03:24:07", "Nov 24 13:59:60", "Dec  3 00:00:00")
ISO_STAMPS = ("2026-11-23T03:23:41.5Z", "2026-11-23T03:24:07Z", "2026-11-24T13:59:00.25+01:00", "2026-12-03T00:00:00Z")
# What stands after the time. Some look alike and are not; some take time or host from elsewhere.
RESTS = (
    " r1 sshd[7]: session opened for user bob",
    " r1 -- MARK --",
    " r1 CEF:0|v|p|1|100|Denied|5|rt=Nov 23 2026 03:00:00 src=10.0.0.1",
    ' r1 app: {"time": "2026-11-23T01:02:03Z", "message": "hello", "host": "other"}',
    " r1 app: time=2026-11-23T01:02:03Z level=warn msg=hello host=other",
    " CET r1 app: a zone",
    " CET CET app: a zone and a host",
    ".250 r1 app: a fraction",
    " r1 521: *Nov 14 08:30:56.699 UTC: %SYS-5-CONFIG_I: Configured from console by vty0",
    "1 r1 app 7 - message",
    "1 r1 sshd - counted  Accepted password for bob",
    ": %ASA-6-302013: Built outbound TCP connection 5",
    "",
    " ",
)
NEW_RESTS = (
    ' r1 sshd 7 - [meta sequenceId="952"] Accepted password for bob',
    ' r1 sshd 8 - [meta sequenceId="953"] Accepted password for bob',
    ' r1 sshd 8 - [meta sequenceId="953"][x@1 a="b"] Accepted password for bob',
    ' r1 sshd 8 - [x@1 a="b"] Accepted password for bob',
    ' r1 sshd 8 - - [meta sequenceId="953"] Accepted password for bob',
    ' r1 sshd 8 - [meta sequenceId="x"] Accepted password for bob',
    ' - - - - [meta sequenceId="1"] -- MARK --',
    ' r1 app - ID7 [meta sequenceId="4"] {"time": "2026-11-23T01:02:03Z", "message": "hello"}',
    " r1 app[7]: not RFC 5424",
)
LINES = [f"<30>{stamp}{rest}" for rest in RESTS for stamp in STAMPS] + [
    f"<30>1 {stamp}{rest}" for rest in NEW_RESTS for stamp in ISO_STAMPS
]
RECEIVED = 1795400000.0


def test_lines_with_equal_rests_are_read_alike() -> None:
    parser = LineParser()
    for line in LINES:  # so that the second time every minute is known
        parser.parse(line, RECEIVED)
    repeated: dict[str, tuple[str, str, str]] = {}
    for line in LINES * 2:
        split, read = parser.split(line, RECEIVED), LineParser().parse(line, RECEIVED)
        if split is None:
            continue
        if isinstance(read, ParsedLine) and parser.repeats(read, *split):
            repeated.setdefault(split[1], (read.host, read.app, read.message))
        if split[1] in repeated:
            assert isinstance(read, ParsedLine)
            assert (read.host, read.app, read.message) == repeated[split[1]]
            assert read.time == split[0]
    assert {" r1 sshd[7]: session opened for user bob", " r1 -- MARK --"} <= repeated.keys()
    assert "1 r1 sshd - counted  Accepted password for bob" in repeated


def test_units_are_the_same_without_memory() -> None:
    recorded = [line for batch in islice(read_files([RECORDINGS / "test-11"]), 1) for line in batch.lines]
    lines = [*LINES, *recorded, *LINES, *recorded]
    batch = Batch("file:x", range(len(lines)), lines)
    assert _units(Intake(_templates(), UnitConfig(), _no_silence), batch) == _units(_Forgetful(), batch)


def test_texts_of_lines_that_go_on_coming_stay_known() -> None:
    templates = _templates()
    intake = Intake(templates, UnitConfig(), _no_silence)
    line = "<30>Nov 23 03:23:41 r1 sshd[7]: a text that no template knows"
    for _ in range(3):
        units = _units(intake, Batch("file:x", [1, 2], [line, line]))
        for number in range(70_000):  # makes room by dropping texts
            templates.id_of(f"text {number}")
        (template,) = {template for unit in units for template in unit.templates}
        _units(intake, Batch("file:x", [1, 2], [line, line]))
        assert templates.text_of(template) == "sshd: a text that no template knows"


class _Forgetful(Intake):
    """Reads every line."""

    def __init__(self) -> None:
        super().__init__(_templates(), UnitConfig(), _no_silence)
        self.parser.split = lambda text, received: None  # type: ignore[method-assign]


def _templates() -> Templates:
    return Templates(["sshd: session opened for user USER"])


def _no_silence(host: str, gap: float) -> float:
    return 0.0


def _units(intake: Intake, batch: Batch) -> list[Unit]:
    return intake.process(batch, Outcome()) + intake.finish()
