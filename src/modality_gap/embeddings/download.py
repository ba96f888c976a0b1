"""Fetching a small file that is known by its checksum: it comes, or soon a reason why not."""

from __future__ import annotations

import hashlib
import http.client
import io
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from queue import Empty, SimpleQueue

import pooch
from tqdm import tqdm

PATIENCE = 4.0  # seconds without news until a server counts as out of reach
LEAST = 8 * 1024  # bytes in that time that are news
MOST = 2**26  # bytes; whoever sends more does not send a small file


def fetch(address: str, sha256: str) -> bytes:
    """A file from a server, with a progress bar.

    A slow line may take its time. Whoever sends nothing, or next to nothing, for PATIENCE is left;
    that includes a name that nobody resolves. So is whoever sends more than MOST.

    Args:
        address: of the file.
        sha256: of its content.

    Raises:
        ConnectionError: it did not come, or not as it was published; the message is a reason of a
            few words.
    """
    inbox = io.BytesIO()
    outcome: SimpleQueue[Exception | None] = SimpleQueue()
    # pooch puts the size as the total; without a total, a bar has no truth value.
    with tqdm(total=1, desc="Fetching", unit="B", unit_scale=True, leave=False, delay=0.5) as bar:

        def download() -> None:
            server = pooch.HTTPDownloader(progressbar=bar, timeout=PATIENCE)
            try:
                server(address, inbox, None)
            except Exception as error:
                outcome.put(error)
            else:
                outcome.put(None)

        # In a thread, because looking up a name knows no time limit.
        threading.Thread(target=download, daemon=True).start()
        try:
            error = _wait(outcome, inbox)
            payload = inbox.getvalue()
        finally:
            inbox.close()  # a thread that was left stops at its next byte
    if error is not None:
        raise ConnectionError(_one_line(_reason(error, len(payload))))
    if not is_intact(payload, sha256):
        raise ConnectionError(f"the {len(payload):,} bytes that came have another SHA-256")
    return payload


def is_intact(payload: bytes, sha256: str) -> bool:
    """Whether a file's content is what was published."""
    return hashlib.sha256(payload).hexdigest() == sha256


def check_reachable(addresses: Sequence[str], patience: float) -> None:
    """Raise ConnectionError unless one of the servers answers, whatever it says, in time."""
    answers: SimpleQueue[str | None] = SimpleQueue()

    def ask(address: str) -> None:
        try:
            urllib.request.urlopen(address, timeout=patience).close()
        except urllib.error.HTTPError:
            pass  # it is there; a folder need not have a page
        except (OSError, http.client.HTTPException) as error:
            return answers.put(_one_line(str(getattr(error, "reason", error))))
        answers.put(None)

    # Threads, because looking up a name knows no time limit.
    for address in addresses:
        threading.Thread(target=ask, args=(address,), daemon=True).start()
    problem, deadline = f"no answer within {patience:.0f} s", time.monotonic() + patience
    for _ in addresses:
        try:
            answer = answers.get(timeout=max(0, deadline - time.monotonic()))
        except Empty:
            break
        if answer is None:
            return
        problem = answer
    raise ConnectionError(problem)


def _wait(outcome: SimpleQueue[Exception | None], inbox: io.BytesIO) -> Exception | None:
    """What the download ends with; a TimeoutError if less than LEAST comes in PATIENCE."""
    seen, deadline = 0, time.monotonic() + PATIENCE
    while True:
        try:
            return outcome.get(timeout=PATIENCE / 20)
        except Empty:
            received, now = inbox.tell(), time.monotonic()
            if received > MOST:
                return None  # the checksum will tell
            if received - seen >= LEAST:
                seen, deadline = received, now + PATIENCE
            elif now >= deadline:
                return TimeoutError()


def _reason(error: BaseException, received: int) -> str:
    """In a few words; the libraries' own messages nest four layers in one."""
    response = getattr(error, "response", None)
    if response is not None:
        response.close()  # pooch leaves it open
        return f"the server answered {response.status_code} {response.reason}"
    if received:
        return f"the connection stalled or broke after {received:,} bytes"
    while error.__context__ is not None:
        error = error.__context__
    return f"no data within {PATIENCE:.0f} s" if isinstance(error, TimeoutError) else str(error)


def _one_line(text: str) -> str:
    """What a server said may be a page."""
    return " ".join(text.split())[:200]
