"""A file server on this machine that can misbehave."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MISDEEDS = (
    "says a length and closes early",
    "says no length and closes early",
    "changes a byte",
    "is silent",
    "stalls in the body",
    "has no such file",
    "fails",
    "hangs up",
)


class FileServer(http.server.ThreadingHTTPServer):
    """Serves one payload under every path.

    Attributes:
        payload: what it serves.
        misdeed: how it misbehaves, one of MISDEEDS; None for not at all.
        requests: the paths that were asked for.
    """

    def __init__(self, payload: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.payload, self.misdeed = payload, None
        self.requests: list[str] = []
        self.over = threading.Event()

    def handle_error(self, *_: object) -> None:
        """Say nothing: some of those who ask go before all has come."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


@contextmanager
def serving(payload: bytes) -> Iterator[FileServer]:
    with FileServer(payload) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        server, payload = self.server, self.server.payload
        server.requests.append(self.path)
        half = len(payload) // 2
        match server.misdeed:
            case None:
                self._send(payload)
            case "says a length and closes early":
                self._send(payload[:half], length=len(payload))
            case "says no length and closes early":
                self._send(payload[:half], length=None)
            case "changes a byte":
                self._send(payload[:half] + bytes([payload[half] ^ 1]) + payload[half + 1 :])
            case "is silent":
                server.over.wait()
            case "stalls in the body":
                self._send(payload[:half], length=len(payload))
                server.over.wait()
            case "has no such file":
                self.send_error(404)
            case "fails":
                self.send_error(500)
            case "hangs up":
                pass

    def _send(self, body: bytes, length: int | None = -1) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length < 0 else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass
