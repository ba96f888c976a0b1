import hashlib
import io
import socket
import threading
from collections.abc import Callable, Iterator
from queue import Empty

import numpy as np
import pytest

from fake_server import MISDEEDS, FileServer, serving
from modality_gap.embeddings import download

PAYLOAD = np.random.default_rng(0).bytes(50_000)
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()
SILENT = ("is silent", "stalls in the headers", "stalls in the body", "trickles")
# All others answer something.
OUT_OF_REACH = ("is silent", "stalls in the headers", "hangs up", "speaks no HTTP")


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1,nowhere.invalid")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(PAYLOAD) as server:
        yield server


def test_no_network_is_known_within_five_seconds() -> None:
    assert 0 < download.PATIENCE < 5


def test_what_comes_is_what_was_published(server: FileServer) -> None:
    assert download.fetch(f"{server.address}a/b.npy", SHA256) == PAYLOAD
    assert server.requests == ["/a/b.npy"]


@pytest.mark.parametrize(
    ("misdeed", "reason"),
    {
        "says a length and closes early": r"the connection stalled or broke after [\d,]+ bytes",
        "says no length and closes early": "the 25,000 bytes that came have another SHA-256",
        "changes a byte": "the 50,000 bytes that came have another SHA-256",
        "is silent": "no data within 0 s",
        "stalls in the headers": "no data within 0 s",
        "stalls in the body": "(no data|the connection stalled)",
        "trickles": "(no data|the connection stalled)",
        "has no such file": "the server answered 404 Not Found",
        "fails": "the server answered 500 Internal Server Error",
        "hangs up": "Remote end closed connection without response",
        "speaks no HTTP": "220 mail.example",
    }.items(),
)
def test_what_does_not_come_has_a_reason_and_is_asked_for_once(
    misdeed: str, reason: str, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert misdeed in MISDEEDS
    if misdeed in SILENT:
        monkeypatch.setattr(download, "PATIENCE", 0.2)
    server.misdeed = misdeed
    with pytest.raises(ConnectionError, match=reason) as caught:
        download.fetch(server.address, SHA256)
    assert len(str(caught.value)) < 100
    assert "\n" not in str(caught.value)
    assert server.requests == ["/"]


def test_nobody_is_there() -> None:
    with pytest.raises(ConnectionError, match="Connection refused"):
        download.fetch("http://127.0.0.1:9/", SHA256)


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ConnectionError, match="Name or service not known"):
        download.fetch("http://nowhere.invalid/", SHA256)


def test_a_name_that_nobody_answers_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(download, "PATIENCE", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait() and [])
    try:
        with pytest.raises(ConnectionError, match="no data within"):
            download.fetch("http://nowhere.invalid/", SHA256)
    finally:
        over.set()


class Line:
    """Brings so many bytes at each of these seconds by its own clock, and then its outcome."""

    def __init__(self, inbox: io.BytesIO, deliveries: list[tuple[float, int]]) -> None:
        self.inbox, self.deliveries, self.now = inbox, deliveries, 0.0

    def monotonic(self) -> float:
        return self.now

    def get(self, timeout: float) -> None:
        self.now += timeout
        while self.deliveries and self.deliveries[0][0] <= self.now:
            self.inbox.write(bytes(self.deliveries.pop(0)[1]))
        if self.deliveries:
            raise Empty


Wait = Callable[..., tuple[Exception | None, Line]]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Wait for a line that delivers so."""

    def wait(*deliveries: tuple[float, int]) -> tuple[Exception | None, Line]:
        line = Line(io.BytesIO(), list(deliveries))
        monkeypatch.setattr(download, "time", line)
        return download._wait(line, line.inbox), line  # type: ignore[arg-type]

    return wait


def test_a_slow_line_may_take_its_time(wait: Wait) -> None:
    outcome, line = wait(*((3.5 * second, download.LEAST) for second in range(1, 50)))
    assert outcome is None
    assert line.deliveries == []


def test_a_line_that_grows_too_slow_is_left_within_five_seconds(wait: Wait) -> None:
    drip = [(second, 1) for second in range(3, 60)]
    outcome, line = wait((2.5, 100 * download.LEAST), *drip)
    assert isinstance(outcome, TimeoutError)
    assert line.now < 2.5 + 5


def test_who_does_not_end_is_left(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MOST", 4096)
    server.misdeed, server.payload = "trickles", bytes(10**9)
    with pytest.raises(ConnectionError, match="bytes that came have another SHA-256"):
        download.fetch(server.address, SHA256)


@pytest.mark.parametrize("misdeed", SILENT)
def test_a_download_that_was_left_ends(
    misdeed: str, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would go on in the background, for as long as anything comes."""
    monkeypatch.setattr(download, "PATIENCE", 0.2)
    server.misdeed, server.payload = misdeed, bytes(10**6)
    with pytest.raises(ConnectionError):
        download.fetch(server.address, SHA256)
    for thread in threading.enumerate():
        if "(download)" in thread.name:
            thread.join(20)
            assert not thread.is_alive()


@pytest.mark.parametrize("misdeed", [None, *MISDEEDS])
def test_who_answers_anything_is_reachable(
    misdeed: str | None, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.misdeed = misdeed
    if misdeed in OUT_OF_REACH:
        patience = 0.2 if misdeed in SILENT else 4
        with pytest.raises(ConnectionError):
            download.check_reachable([server.address], patience)
    else:
        download.check_reachable(["http://127.0.0.1:9/", server.address], 4)
