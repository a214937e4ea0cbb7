"""Who may send, how much, and what is sent twice."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest

from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.ingest.idempotency import Answers, Taken
from logwarden.ingest.limits import Limits
from logwarden.ingest.rate import RateLimit
from logwarden.ingest.tokens import Tokens, parse_tokens
from logwarden.sources.listening import Listener
from logwarden.sources.spool import Spool
from tests.sources.conftest import Collected, wait_for

from .builders import HOST, listener, tokens

Serve = Callable[[Listener], int]


def post(port: int, body: bytes = b"a\n", **headers: str) -> httpx.Response:
    return httpx.post(f"http://{HOST}:{port}/v1/logs", content=body, headers=headers, timeout=30)


# ------------------------------------------------------------------ tokens


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("secret\n", ["default"]),
        ("c2VjcmV0Cg==", ["default"]),  # padding is no name
        ("abc=", ["default"]),
        ("# comment\n\nedge=abc\nlab=c2Vj=x==\n", ["edge", "lab"]),
        ("edge=old\nedge=new", ["edge", "edge"]),
        ("edge=abc", ["edge"]),
    ],
)
def test_a_file_of_tokens(text: str, names: list[str]) -> None:
    assert [token.name for token in parse_tokens(text, "file")] == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no token"),
        ("# nothing\n", "holds no token"),
        ("one two", "no spaces"),
        ("a=x\nhunter2", "file:2: expected"),
        ("a=x\n-=hunter2", "file:2"),
    ],
)
def test_a_bad_file_of_tokens_is_told_without_its_content(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as raised:
        parse_tokens(text, "file")
    assert "hunter2" not in str(raised.value)


def test_each_token_has_its_name(tmp_path: Path) -> None:
    known = tokens(tmp_path, "edge=abc\nlab=déf")
    assert [known.name_of(shown) for shown in (b"abc", "déf".encode(), b"abcd", b"", b"edge=abc")] == [
        "edge",
        "lab",
        None,
        None,
        None,
    ]


def test_a_file_that_is_emptied_lets_nobody_in_and_one_that_is_gone_goes_on(tmp_path: Path) -> None:
    known = tokens(tmp_path, "abc")
    (tmp_path / "token").unlink()
    _later(known)
    assert known.name_of(b"abc") == "default"
    (tmp_path / "token").write_text("\n")
    _later(known)
    assert known.name_of(b"abc") is None
    (tmp_path / "token").write_text("def")
    _later(known)
    assert known.name_of(b"def") == "default"


def _later(known: Tokens) -> None:
    known._looked_at = float("-inf")


@pytest.mark.parametrize(
    ("header", "status"),
    [("Basic " + base64.b64encode(b"any:secret").decode(), 200), ("Basic " + base64.b64encode(b"x:no").decode(), 401),
     ("Basic %%%", 401), ("Splunk secret", 401), ("Bearer s\xe9cret", 401)],
)  # fmt: skip
def test_other_schemes(spool: Spool, serve: Serve, tmp_path: Path, header: str, status: int) -> None:
    port = serve(listener(spool, tokens=tokens(tmp_path)))
    answer = httpx.post(
        f"http://{HOST}:{port}/v1/logs", content=b"a", headers={b"authorization": header.encode("latin-1")}
    )
    assert answer.status_code == status


def test_a_wrong_content_type_is_no_way_around_the_token(spool: Spool, serve: Serve, tmp_path: Path) -> None:
    port = serve(listener(spool, tokens=tokens(tmp_path)))
    assert post(port, **{"content-type": "image/png"}).status_code == 401


# ------------------------------------------------------------------ how much


def test_the_rate_of_a_sender_is_limited_but_not_that_of_another() -> None:
    now = [0.0]
    rate = RateLimit(10, lambda: now[0])
    rate.charge("a", 100)
    assert (rate.wait("a"), rate.wait("b")) == (0.1, 0)
    rate.charge("a", 50)
    assert rate.wait("a") == pytest.approx(5.1)
    now[0] = 5.2
    assert rate.wait("a") == 0


def test_a_sender_over_its_rate_is_told_when_to_come_back(spool: Spool, serve: Serve, tmp_path: Path) -> None:
    known = tokens(tmp_path, "a=aaa\nb=bbb")
    port = serve(listener(spool, tokens=known, limits=Limits(lines_per_second=1)))
    assert post(port, b"line\n" * 40, authorization="Bearer aaa").status_code == 200
    answer = post(port, authorization="Bearer aaa")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 31
    assert "a sends more than 1 lines a second" in answer.json()["error"]
    assert post(port, authorization="Bearer bbb").status_code == 200


class Slow:
    """An intake that is durable when told: how Kafka looks while it is slow."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.promises: list[Future[None]] = []
        self.crowded = False
        self.problem = ""

    def append(
        self,
        listener: str,
        lines: Sequence[bytes],
        peers: str | Sequence[str] = "",
        *,
        keys: object = None,
        reason: str = "",
        late: bool = False,
    ) -> None:
        self.lines += lines

    def durable(self) -> Future[None]:
        self.promises.append(Future())
        return self.promises[-1]


def test_slow_is_429_and_away_is_503(serve: Serve) -> None:
    intake = Slow()
    port = serve(listener(intake, limits=Limits(durable_seconds=0.5)))
    intake.crowded = True
    answer = post(port)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    intake.problem = "the broker is away"
    answer = post(port)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "the broker is away" in answer.json()["error"]
    intake.crowded, intake.problem = False, ""
    assert post(port).status_code == 503  # never success before it is durable
    assert intake.lines == [b"a"]


def test_requests_at_the_same_time_are_limited(serve: Serve) -> None:
    intake = Slow()
    port = serve(listener(intake, limits=Limits(requests=2)))
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(post(port).status_code)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(intake.promises) == 2)
    assert post(port).status_code == 429
    for promise in intake.promises:
        promise.set_result(None)
    for thread in threads:
        thread.join()
    assert answers == [200, 200]


def test_a_body_that_does_not_come_is_given_up(spool: Spool, serve: Serve) -> None:
    port = serve(listener(spool, limits=Limits(body_seconds=0.5)))

    async def trickle() -> bytes:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf a")
        answer = await asyncio.wait_for(reader.readline(), 20)
        writer.close()
        return answer

    assert b"408" in asyncio.run(trickle())


# ------------------------------------------------------------------ twice


def test_a_request_with_a_key_counts_once(spool: Spool, serve: Serve) -> None:
    port = serve(listener(spool))
    body = b'{"m": 1}\nnot json\n'
    headers = {"idempotency-key": "k1", "content-type": "application/x-ndjson"}
    first, second = post(port, body, **headers), post(port, body, **headers)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json() == {"accepted": 1, "rejected": 1}
    assert Collected(spool).count == 2
    other = post(port, b"{}\n", **headers)
    assert (other.status_code, "use a new key" in other.json()["error"]) == (422, True)
    assert post(port, **{"idempotency-key": "k" * 256}).status_code == 400


def test_the_same_key_waits_for_the_same_lines(serve: Serve) -> None:
    intake = Slow()
    port = serve(listener(intake, limits=Limits(durable_seconds=0.3)))
    assert post(port, **{"idempotency-key": "k"}).status_code == 503
    assert post(port, **{"idempotency-key": "k"}).status_code == 503
    assert (len(intake.lines), len(intake.promises)) == (1, 1)
    intake.promises[0].set_result(None)
    assert post(port, **{"idempotency-key": "k"}).status_code == 200
    assert len(intake.lines) == 1


def test_lines_that_were_lost_are_taken_again(serve: Serve) -> None:
    intake = Slow()
    port = serve(listener(intake, limits=Limits(durable_seconds=0.3)))
    assert post(port, **{"idempotency-key": "k"}).status_code == 503
    intake.promises[0].set_exception(LogwardenError("no such luck"))
    post(port, **{"idempotency-key": "k"})
    assert len(intake.lines) == 2


def test_keys_of_two_senders_are_two(spool: Spool, serve: Serve, tmp_path: Path) -> None:
    port = serve(listener(spool, tokens=tokens(tmp_path, "a=aaa\nb=bbb")))
    for token in ("aaa", "bbb"):
        post(port, **{"idempotency-key": "k", "authorization": f"Bearer {token}"})
    assert Collected(spool).count == 2


def test_the_oldest_keys_are_forgotten() -> None:
    answers = Answers(most=2)
    for number in range(3):
        answers.remember((str(number),), _durable())
    assert [answers.find((str(number),)) is None for number in range(3)] == [True, False, False]


def _durable() -> Taken:
    promise: Future[None] = Future()
    promise.set_result(None)
    return Taken(b"", "lines", 1, 0, "", (promise,))


def test_a_stopping_endpoint_is_not_ready(spool: Spool, serve: Serve) -> None:
    one = listener(spool)
    port = serve(one)
    one.ingest.stopping = True
    assert httpx.get(f"http://{HOST}:{port}/readyz").status_code == 503
    assert post(port).status_code == 503
