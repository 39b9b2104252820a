"""A server of one file on this machine, which resumes, does not, lies or breaks off as a test wants it."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass
class Server:
    """What the server does next, and what it was asked."""

    address: str = ""
    content: bytes = b""
    resumes: bool = True
    status: int = 0
    breaks_after: int | None = None
    announces_length: bool = True
    content_range: str = ""
    ranges: list[str | None] = dataclasses.field(default_factory=list)


@contextlib.contextmanager
def file_server(content: bytes) -> Iterator[Server]:
    """Serve `content` on this machine until the block ends."""
    told = Server(content=content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            told.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and told.resumes else 0
            status = told.status or (206 if start else 200)
            if start >= len(told.content):
                status = 416
            if status >= 400:
                self.send_error(status)
                return
            body = told.content[start:]
            self.send_response(status)
            if status == 206:
                complete = f"bytes {start}-{len(told.content) - 1}/{len(told.content)}"
                self.send_header("Content-Range", told.content_range or complete)
            if told.announces_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the client may go away
                self.wfile.write(body[: told.breaks_after])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        told.address = f"http://127.0.0.1:{running.server_port}/weights.pt"
        try:
            yield told
        finally:
            running.shutdown()
            thread.join()
