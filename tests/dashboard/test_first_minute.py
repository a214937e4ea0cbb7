"""What a newcomer sees: from the start of ``logwarden up`` to an explained anomaly in a browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests" / "output" / "dashboard"
# Not a limit: the time is printed, since other tests may run beside this one.
PATIENCE = 240_000


def recording() -> Path:
    """The recording that ``make up`` plays."""
    return sorted((ROOT / "lab" / "recordings").glob("test*"))[0]


@pytest.fixture
def quickstart(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command of ``make up`` on free ports, with data of its own; it is stopped after the test."""
    command = [
        sys.executable, "-m", "logwarden", "up", "-f", "examples/quickstart.yaml",
        "--replay", str(recording()), "--speed", "20", "--data-dir", str(tmp_path / "data"),
        *(f"--port={name}=0" for name in ("udp", "tcp", "http", "dashboard")),
    ]  # fmt: skip
    environment = os.environ | {"LOGWARDEN_DATA_DIR": str(tmp_path / "data")}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    yield process
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def dashboard_of(process: subprocess.Popen[str]) -> str:
    """Return the address that the command prints."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(r"dashboard +(http://\S+)", line):
            return found[1]
    pytest.fail(f"no dashboard: {said}")


def open_page(browser: Browser, url: str, process: subprocess.Popen[str]) -> Page:
    """Open the address, again and again until the page is served, as a person does."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    until = time.monotonic() + PATIENCE / 1000
    while True:
        assert process.poll() is None, f"logwarden up ended with {process.returncode}"
        assert time.monotonic() < until, "the page is not served"
        try:
            page.goto(url, wait_until="commit")
        except Exception as error:
            if "ERR_CONNECTION_REFUSED" not in str(error):
                raise
            time.sleep(0.2)
        else:
            return page


def test_the_first_explained_anomaly_comes_to_the_page(
    browser: Browser, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    process: subprocess.Popen[str] = request.getfixturevalue("quickstart")
    page = open_page(browser, dashboard_of(process), process)

    page.locator('[data-testid="stPageLink"]').first.get_by_role("link").click()
    case_after = time.monotonic() - started
    page.get_by_role("list", name="Anomalies, newest first").locator("button.row").first.click()
    details = page.get_by_role("region", name="Selected anomaly")
    finding = details.get_by_role("region", name="Explanation").locator(".finding")
    expect(finding).to_have_text(re.compile(r"\w+: .{20,}"), timeout=PATIENCE)
    expect(details.locator(".lines li.odd .text").first).to_have_text(re.compile(r"<\d+>.{10,}"), timeout=PATIENCE)
    expect(details.get_by_text(re.compile(r"by listener replay-test-\S+, first received 20"))).to_be_visible()
    explained_after = time.monotonic() - started

    OUTPUT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=OUTPUT / "first-anomaly.png")
    page.close()
    with capsys.disabled():
        print(f"\nfirst case on the page after {case_after:.1f} s, explained after {explained_after:.1f} s")
