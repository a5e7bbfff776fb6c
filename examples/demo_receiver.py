"""The demo's receiver of webhooks: a small server on the loopback that believes only what is signed."""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

MOST_BYTES = 64 * 1024
READ_S = 10.0


class Receiver(ThreadingHTTPServer):
    """Takes POSTs to any path; `secret` (`whsec_...`) is what they must be signed with."""

    daemon_threads = True

    def __init__(self, secret: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/laneway"
        self.refused: list[str] = []
        """Why posts were refused: their signature did not verify."""
        self._webhook = Webhook(secret)
        self._verified: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def take(self, body: bytes, headers: dict[str, str]) -> bool:
        """Keep an event if its signature over these very bytes holds and is fresh; False otherwise."""
        try:
            event = self._webhook.verify(body, headers)
        except (WebhookVerificationError, ValueError) as error:
            self.refused.append(str(error))
            return False
        self._verified.put(event)
        return True

    def wait(self, object_id: str, timeout_s: float) -> dict[str, Any]:
        """Return the verified event about one job or batch. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                event = self._verified.get(timeout=left_s)
            except queue.Empty:
                break
            if event["data"]["id"] == object_id:
                return event
        why = f"; refused were: {', '.join(self.refused)}" if self.refused else ""
        raise TimeoutError(f"no verified webhook about {object_id} came in {timeout_s:.0f} s{why}")


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    timeout = READ_S

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self.send_error(413)
            return
        taken = self.server.take(self.rfile.read(int(length)), dict(self.headers.items()))
        self.send_response(204 if taken else 400)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the demo says itself what came."""


@contextmanager
def receiving(secret: str) -> Iterator[Receiver]:
    """Run a receiver beside the caller."""
    with Receiver(secret) as receiver:
        serving = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            serving.join()
