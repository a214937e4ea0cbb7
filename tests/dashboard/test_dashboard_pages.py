"""The pages in a real browser, on a real store file."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, WebSocketRoute, expect

from logwarden.api.record import AnomalyRecord, LogLine, Verdict
from logwarden.outcome import Activity, Outcome
from logwarden.store import AnomalyFilter, PartitionStatus, Phase, PipelineStatus, Progress, Store
from tests.dashboard.conftest import running
from tests.dashboard.generate import FAULTS, add_live, day, listening, make_case, make_record

pytestmark = pytest.mark.browser

OUTPUT = Path(__file__).parents[1] / "output" / "dashboard"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
# Milliseconds: a machine that runs other tests beside these takes its time to start a page.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)
LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("dashboard") / "s.db") as store:
        store.commit(day(40), consumer="quickstart", positions={"netlogs-raw/0": 100_000})
        store.set_status(listening())
        yield store


@pytest.fixture(scope="module")
def url(store: Store) -> Iterator[str]:
    with running(Path(store.url.removeprefix("sqlite:///"))) as url:
        yield url


class Visit(Protocol):
    """Opens an address in a browser page of its own, which is closed after the test."""

    def __call__(self, url: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Page: ...


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One context for all tests: its cache spares every page the loading of Streamlit's scripts."""
    context = browser.new_context(timezone_id="Europe/Berlin")
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def visit(context: BrowserContext) -> Iterator[Visit]:
    pages = []

    def open_page(url: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Page:
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        # The page goes on loading while the test waits for what it needs.
        page.goto(url, wait_until="commit")
        return page

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture
def page(visit: Visit, url: str) -> Page:
    page = visit(f"{url}/anomalies")
    rows(page).first.wait_for()
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("list", name="Anomalies, newest first").locator("button.row")


def row(page: Page, record: AnomalyRecord) -> Locator:
    return rows(page).and_(page.locator(f'[data-id="{record.id}"]'))


def detail(page: Page) -> Locator:
    return page.get_by_role("region", name="Selected anomaly")


def select(page: Page, record: AnomalyRecord) -> None:
    row(page, record).click()
    expect(detail(page).get_by_text(f"Anomaly {record.id}")).to_be_visible()


def check_looks(page: Page, width: int, name: str) -> None:
    """No failure on the page, nothing wider than the screen, every text readable; keep a picture for people."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=OUTPUT / f"{name}.png")
    assert page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    content = page.get_by_test_id("stMain")
    assert content.evaluate("main => main.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_a_selected_anomaly_shows_explanation_score_lines_and_origin(
    visit: Visit, url: str, store: Store, width: int, scheme: str
) -> None:
    page = visit(f"{url}/anomalies", width=width, scheme=scheme)
    found = [item for item in store.anomalies(limit=10_000) if item.category == "never_seen_template"]
    record = next(item for item in found if item.origin.listener)
    rows(page).first.wait_for()
    check_looks(page, width, f"list-{width}-{scheme}")
    select(page, record)
    shown = detail(page)
    odd = next(line for line in record.lines if line.odd)
    assert record.explanation is not None
    expect(shown.get_by_text(record.explanation.text.split(". ")[0])).to_be_visible()
    expect(shown.get_by_role("meter", name="Combined")).to_have_attribute("aria-valuenow", f"{record.score:g}")
    expect(shown.get_by_text(odd.text)).to_be_visible()
    expect(shown.locator("li.odd")).to_have_count(sum(line.odd for line in record.lines))
    expect(shown.get_by_text("Message never seen before")).to_be_visible()
    origin = f"offsets {record.origin.first} to {record.origin.last}, by listener syslog-udp, first received 20"
    expect(shown.get_by_text(origin)).to_be_visible()
    check_looks(page, width, f"detail-{width}-{scheme}")
    if width < 500:
        expect(rows(page).first).to_be_hidden()
        shown.get_by_role("button", name="All anomalies").click()
        expect(rows(page).first).to_be_visible()


def test_lines_of_a_file_lead_to_file_and_line(page: Page, store: Store) -> None:
    record = next(item for item in store.anomalies() if item.origin.stream.startswith("file:"))
    select(page, record)
    line = record.lines[0]
    expect(detail(page).get_by_title(f"/var/log/remote/network.log:{line.position}")).to_be_visible()


def test_new_anomalies_arrive_within_two_seconds_and_the_selection_stays(page: Page, store: Store) -> None:
    chosen = store.anomalies(limit=3)[2]
    select(page, chosen)
    fastest = 100.0
    for number in range(1, 4):
        started = time.monotonic()
        arrived = add_live(store, number)
        row(page, arrived).wait_for()
        fastest = min(fastest, time.monotonic() - started)
        expect(row(page, chosen)).to_have_attribute("aria-current", "true")
        expect(detail(page).get_by_text(f"Anomaly {chosen.id}")).to_be_visible()
    # A machine that is busy with something else may delay one of three, not all.
    assert fastest < 2.0
    assert page.locator('[aria-current="true"].row').count() == 1


class SlowAnswers:
    """Lets what the server sends arrive late in a page, and what the page sends at once."""

    def __init__(self, page: Page, seconds: float) -> None:
        self._page = page
        self._seconds = seconds
        self._waiting: deque[tuple[float, WebSocketRoute, str | bytes]] = deque()
        page.route_web_socket(re.compile("_stcore/stream"), self._route)

    def _route(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda message: server.send(message))
        server.on_message(lambda message: self._waiting.append((time.monotonic(), socket, message)))

    def pump(self) -> None:
        """Wait a moment and deliver what has waited long enough."""
        self._page.wait_for_timeout(50)
        while self._waiting and time.monotonic() - self._waiting[0][0] >= self._seconds:
            _, socket, message = self._waiting.popleft()
            socket.send(message)

    def pump_until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE / 1000
        while not condition():
            assert time.monotonic() < until
            self.pump()


def test_a_slow_connection_does_not_take_a_selection_back(context: BrowserContext, url: str, store: Store) -> None:
    page = context.new_page()
    answers = SlowAnswers(page, 2.5)  # the page asks for news more often than that
    page.goto(f"{url}/anomalies", wait_until="commit")
    answers.pump_until(lambda: rows(page).count() > 3)
    record = store.anomalies(limit=3)[2]
    shown = detail(page).get_by_text(f"Anomaly {record.id}")
    row(page, record).click()
    answers.pump_until(lambda: shown.count() == 1)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        answers.pump()
        assert shown.count() == 1, detail(page).inner_text()
    page.close()


def test_a_selection_is_part_of_the_address(page: Page, visit: Visit, store: Store) -> None:
    record = store.anomalies(limit=2)[1]
    select(page, record)
    expect(page).to_have_url(re.compile(f"anomaly={record.id}"))
    again = visit(page.url)
    expect(detail(again).get_by_text(f"Anomaly {record.id}")).to_be_visible()


def test_an_unknown_anomaly_in_the_address_is_explained(visit: Visit, url: str) -> None:
    page = visit(f"{url}/anomalies?anomaly=nothing")
    expect(page.get_by_text("This anomaly is not in the store")).to_be_visible()


def test_the_keyboard_moves_through_the_list(page: Page, store: Store) -> None:
    first, second = store.anomalies(limit=2)
    select(page, first)
    page.keyboard.press("ArrowDown")
    expect(detail(page).get_by_text(f"Anomaly {second.id}")).to_be_visible()
    expect(row(page, second)).to_be_focused()


def test_search_and_severity_narrow_the_list(page: Page, store: Store) -> None:
    page.get_by_role("searchbox").or_(page.get_by_label("Search")).first.fill("hold timer")
    expected = store.count(AnomalyFilter(text="hold timer"))
    assert 0 < expected < store.count()
    expect(rows(page)).to_have_count(expected)
    page.get_by_role("button", name="info").click()
    expect(page.get_by_text("Nothing matches these filters")).to_be_visible()


def test_odd_search_texts_are_no_error(page: Page) -> None:
    page.get_by_label("Search").first.fill('"foo* -bar (')
    expect(page.get_by_text("Nothing matches these filters")).to_be_visible()
    assert page.locator('[data-testid="stException"]').count() == 0


def test_an_answer_is_kept_and_can_be_taken_back(page: Page, store: Store) -> None:
    record = store.anomalies(limit=1)[0]
    select(page, record)
    button = detail(page).get_by_role("button", name="False alarm")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(row(page, record).get_by_text("False alarm")).to_be_visible()
    assert store.anomaly(record.id).feedback is Verdict.FALSE_ALARM  # type: ignore[union-attr]
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert store.anomaly(record.id).feedback is None  # type: ignore[union-attr]


def test_a_case_leads_to_its_other_anomalies(page: Page, store: Store) -> None:
    case = next(case for case in store.cases() if case.anomalies > 2)
    members = store.anomalies(AnomalyFilter(case_id=case.id))
    page.goto(f"{page.url.partition('?')[0]}?anomaly={members[0].id}")
    card = detail(page).get_by_role("region", name="Case")
    card.locator(f'[data-id="{members[1].id}"]').click()
    expect(detail(page).get_by_text(f"Anomaly {members[1].id}")).to_be_visible()
    detail(page).get_by_role("button", name="Show only this case").click()
    expect(rows(page)).to_have_count(len(members))
    page.get_by_role("button", name="Show all").click()
    expect(rows(page)).to_have_count(min(100, store.count()))


@pytest.mark.parametrize("width", [1280, 390])
def test_the_link_of_a_case_shows_its_most_telling_anomaly_at_once(
    visit: Visit, url: str, store: Store, width: int
) -> None:
    case = next(case for case in store.cases() if case.anomalies > 2)
    members = store.anomalies(AnomalyFilter(case_id=case.id))
    lead = max(members, key=lambda record: record.score)
    page = visit(f"{url}/anomalies?case={case.id}", width=width)
    expect(detail(page).get_by_text(f"Anomaly {lead.id}")).to_be_visible()
    check_looks(page, width, f"case-{width}")
    if width == 390:
        page.get_by_role("button", name="The whole case").click()
        expect(page).to_have_url(re.compile(f"case={case.id}&anomaly=$"))
    expect(rows(page)).to_have_count(len(members))
    other = next(record for record in members if record != lead)
    select(page, other)
    page.reload()
    expect(detail(page).get_by_text(f"Anomaly {other.id}")).to_be_visible()


def test_a_long_unit_shows_its_odd_lines_with_their_neighbours_and_all_on_demand(page: Page, store: Store) -> None:
    lines = [LogLine(position=number, text=f"line {number:02d}", odd=number in (20, 40)) for number in range(60)]
    record = make_record(88_888, datetime.now(UTC), FAULTS[0], "long")
    record = record.model_copy(update={"lines": lines, "line_count": 75})
    store.commit(Outcome(records=[record]), consumer="c", positions={})
    row(page, record).wait_for()
    select(page, record)
    shown = detail(page).locator(".lines .text")
    expect(shown).to_have_text([f"line {number}" for number in (18, 19, 20, 21, 22, 38, 39, 40, 41, 42)])
    expect(detail(page).get_by_text("15 further lines of this unit not kept")).to_be_visible()
    detail(page).get_by_role("button", name="Show all 60 lines").click()
    expect(shown).to_have_count(60)
    assert store.set_feedback(record.id, Verdict.TRUE_ANOMALY)
    expect(row(page, record).get_by_text("True anomaly")).to_be_visible()
    expect(shown).to_have_count(60)


def test_markup_in_a_log_line_stays_text(page: Page, visit: Visit, url: str, store: Store) -> None:
    text = "<img src=x onerror='window.fooled=1'> **bold** [link](javascript:alert(1)) `code` :red[x]"
    record = make_record(77_777, datetime.now(UTC), FAULTS[0], "hostile")
    record = record.model_copy(update={"lines": [LogLine(position=1, text=text, odd=True)], "line_count": 1})
    hostile = make_case("hostile", [record]).model_copy(update={"title": text})
    store.commit(Outcome(records=[record], cases=[hostile]), consumer="c", positions={})
    row(page, record).wait_for()
    select(page, record)
    expect(detail(page).locator(".lines").get_by_text(text)).to_be_visible()
    assert page.evaluate("window.fooled") is None
    overview = visit(url)
    expect(overview.get_by_role("link", name="<img src=x").first).to_be_visible()
    assert overview.evaluate("window.fooled") is None


def lasting(status: PipelineStatus) -> PipelineStatus:
    """A status that does not grow old while a busy machine draws the page."""
    return status.model_copy(update={"updated": datetime.now(UTC) + timedelta(hours=1)})


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_overview_shows_numbers_ports_commands_and_charts(
    visit: Visit, url: str, store: Store, width: int, scheme: str
) -> None:
    store.set_status(lasting(listening()))
    page = visit(url, width=width, scheme=scheme)
    totals = store.totals()
    expect(page.get_by_text("listens on UDP/TCP 5514 and HTTP 8080")).to_be_visible()
    expect(page.get_by_text("logger --udp --server 127.0.0.1 --port 5514")).to_be_visible()
    expect(page.get_by_text("curl --data-binary")).to_be_visible()
    for name, value in (("Lines", totals.lines), ("Anomalies", totals.anomalies), ("Cases", totals.cases)):
        metric = page.locator('[data-testid="stMetric"]').filter(has=page.get_by_text(name, exact=True))
        expect(metric.get_by_text(f"{value:,}", exact=True)).to_be_visible()
    for chart in ("Lines per", "Anomalies per"):
        drawn = page.locator(f'[data-testid="stVegaLiteChart"][aria-label^="{chart}"]')
        expect(drawn.locator(".mark-area path, .mark-rect path").first).to_be_attached()
    top = store.top_hosts(limit=1)[0]
    expect(page.locator(".hosts").get_by_role("link", name=top.host, exact=True)).to_be_visible()
    expect(page.locator('[data-testid="stPageLink"]').first).to_be_visible()
    check_looks(page, width, f"overview-{width}-{scheme}")


def test_the_overview_follows_the_pipeline(visit: Visit, url: str, store: Store) -> None:
    page = visit(url)
    full = "the disk is full"
    store.set_status(lasting(listening(Phase.REPLAYING, Progress(done=250, total=1000), detail=full)))
    expect(page.get_by_text("250 of 1,000 lines replayed (25%)")).to_be_visible()
    expect(page.get_by_role("alert").get_by_text(full)).to_be_visible()
    expect(page.get_by_text(re.compile("replay", re.IGNORECASE))).to_have_count(2)  # the badge and the bar
    store.set_status(listening().model_copy(update={"updated": datetime.now(UTC) - timedelta(minutes=3)}))
    expect(page.get_by_text("is not running; it was last heard of 3 min")).to_be_visible()
    expect(page.get_by_text("logwarden up -f FILE")).to_be_visible()
    store.set_status(lasting(listening()))
    expect(page.get_by_text("listens on UDP/TCP 5514")).to_be_visible()
    expect(page.get_by_text(full)).to_be_hidden()


def test_the_overview_says_that_the_times_of_a_replay_are_not_the_real_ones(
    visit: Visit, url: str, store: Store
) -> None:
    page = visit(url)
    note = "Times are those of the *replay*."
    store.set_status(lasting(listening(Phase.REPLAYING, Progress(done=1, total=9)).model_copy(update={"note": note})))
    expect(page.get_by_text(note, exact=True)).to_be_visible()
    store.set_status(lasting(listening()))
    expect(page.get_by_text(note, exact=True)).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_host_that_sends_its_first_lines_is_shown_within_two_seconds(
    visit: Visit, url: str, store: Store, width: int
) -> None:
    page = visit(url, width=width)
    expect(page.get_by_text("Newest hosts")).to_be_visible()
    last = store.totals().last
    assert last is not None
    begun = int(last.timestamp()) // 10 * 10
    fastest = 100.0
    for number in range(3):
        host = f"<b>my-host-{width}-{number}"
        started = time.monotonic()
        store.commit(Outcome(activity=[Activity(begun, host, 700_000)], lines=700_000), consumer=host, positions={})
        page.locator(".newest-hosts").get_by_text(f"{host} 700,000 lines, ").wait_for()
        fastest = min(fastest, time.monotonic() - started)
    # A machine that is busy with something else may delay one of three, not all.
    assert fastest < 2.0
    # The chart still shows the others, and says that it is cut.
    expect(page.get_by_text(re.compile(r"cut at [\d,]+; the highest is [\d,]+"))).to_be_visible()
    check_looks(page, width, f"first-line-{width}")


def test_the_overview_tells_where_every_line_went(visit: Visit, url: str, store: Store) -> None:
    partition = PartitionStatus(stream="raw/0", end=1_000_020, stored=1_000_000)
    counts = {"scored/raw/0": 999_000, "rejected/raw/0": 900, "lost/raw/0": 100, "received/udp": 999_900}
    store.commit(Outcome(), consumer="test/ledger", positions={}, counts=counts)
    store.set_status(lasting(listening().model_copy(update={"partitions": (partition,)})))
    page = visit(url)
    expect(page.get_by_text("100 lines were lost; the tables say where.")).to_be_visible()
    row = page.locator(".ledger tr").filter(has_text="raw/0")
    expect(row.locator("td")).to_have_text(["raw/0", "1,000,020", "999,000", "900", "100", "20"])
    expect(page.locator(".ledger tr").filter(has_text="999,900").first).to_be_visible()
    store.commit(Outcome(), consumer="test/ledger", positions={}, counts={name: -n for name, n in counts.items()})


def test_a_case_on_the_overview_leads_to_its_anomalies(visit: Visit, url: str, store: Store) -> None:
    page = visit(url)
    case = store.cases(limit=1)[0]
    # By keyboard: what still loads above the link may move it away from under a click.
    page.locator('[data-testid="stPageLink"]').first.get_by_role("link").press("Enter")
    expect(rows(page)).to_have_count(case.anomalies)
    expect(page).to_have_url(re.compile(f"anomalies\\?case={case.id}"))


def test_without_a_store_the_page_names_commands_and_goes_on_by_itself(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    with running(path) as url:
        page = visit(f"{url}/anomalies")
        expect(page.get_by_role("heading", name="Waiting for a store")).to_be_visible()
        expect(page.get_by_text("logwarden up -f examples/quickstart.yaml")).to_be_visible()
        assert not path.exists()
        check_looks(page, 1280, "waiting")
        with Store.open(path) as store:
            expect(page.get_by_text("No lines so far")).to_be_visible()
            expect(page.get_by_role("link", name="Overview")).to_be_visible()
            store.commit(day(4), consumer="c", positions={})
            expect(rows(page)).to_have_count(4)
