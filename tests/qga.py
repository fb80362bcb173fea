"""A client of the guest agent protocol: the one that every test, the demo and the bench use."""

from __future__ import annotations

import base64
import itertools
import json
import socket
import struct
import time
from types import TracebackType
from typing import Any

SENTINEL = b"\xff"
_sync_ids = itertools.count(1)


class AgentError(Exception):
    """An error reply: its class and its text, as the agent sent them."""

    def __init__(self, error: dict[str, str]) -> None:
        super().__init__(f"{error.get('class')}: {error.get('desc')}")
        self.error_class = error.get("class")
        self.desc = error.get("desc", "")


class Client:
    """One connection to an agent's channel (a unix socket on this machine).

    Every wait has a limit: timeout_s for each reply. A reply that does not come raises
    TimeoutError, a connection that ends raises ConnectionError.
    """

    def __init__(self, path: str, timeout_s: float = 20.0, sync: bool = True) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # With Python's own timeout a full queue of clients would be an error at once: let the
        # kernel wait for room in it.
        limit = struct.pack("@ll", int(timeout_s), int(timeout_s % 1 * 1e6))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        try:
            self.sock.connect(path)
        except OSError as error:
            self.sock.close()
            if isinstance(error, BlockingIOError):
                raise TimeoutError(f"{path}: the queue of clients stays full") from error
            raise
        self.sock.settimeout(timeout_s)
        self.timeout_s = timeout_s
        self.pending = bytearray()
        if sync:
            self.sync()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.sock.sendall(data)

    def _fill(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no complete reply; so far: {bytes(self.pending[:200])!r}")
        self.sock.settimeout(left)
        chunk = self.sock.recv(1 << 20)
        if not chunk:
            raise ConnectionError(f"connection closed; so far: {bytes(self.pending[:200])!r}")
        self.pending += chunk

    def line(self, timeout_s: float | None = None) -> bytes:
        """The next line, its newline included."""
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        searched = 0
        while True:
            end = self.pending.find(b"\n", searched)
            if end >= 0:
                line = bytes(self.pending[: end + 1])
                del self.pending[: end + 1]
                return line
            searched = len(self.pending)
            self._fill(deadline)

    def sync(self, timeout_s: float | None = None) -> bytes:
        """The handshake. Returns what came before the answer's sentinel, b"" on a clean channel."""
        sync_id = next(_sync_ids)
        request = {"execute": "guest-sync-delimited", "arguments": {"id": sync_id}}
        self.send(SENTINEL + json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        stale = bytearray()
        while True:
            start = self.pending.find(SENTINEL)
            if start < 0:
                stale += self.pending
                self.pending.clear()
                self._fill(deadline)
                continue
            stale += self.pending[:start]
            del self.pending[: start + 1]
            answer = self.line(max(0.0, deadline - time.monotonic()))
            if json.loads(answer).get("return") == sync_id:
                return bytes(stale)

    def request(self, request: Any, timeout_s: float | None = None) -> dict[str, Any]:
        """One request (any JSON value) and its reply, an object."""
        self.send(json.dumps(request).encode() + b"\n")
        reply: dict[str, Any] = json.loads(self.line(timeout_s).lstrip(SENTINEL))
        return reply

    def call(self, command: str, timeout_s: float | None = None, **arguments: Any) -> Any:
        """Execute a command: buf_b64=… becomes the argument buf-b64. Its value, or AgentError."""
        request: dict[str, Any] = {"execute": command}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): value for k, value in arguments.items()}
        reply = self.request(request, timeout_s)
        if "error" in reply:
            raise AgentError(reply["error"])
        return reply["return"]

    def run(self, path: str, *arg: str, timeout_s: float = 20.0, **more: Any) -> dict[str, Any]:
        """Run a program in the guest to its end, with its output captured and decoded to bytes."""
        more.setdefault("capture_output", True)
        pid = self.call("guest-exec", path=path, arg=list(arg), **more)["pid"]
        deadline = time.monotonic() + timeout_s
        pause_s = 0.0005
        while True:
            status: dict[str, Any] = self.call("guest-exec-status", pid=pid)
            if status["exited"]:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} has not ended after {timeout_s} s")
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.05)
        for stream in ("out-data", "err-data"):
            status[stream] = base64.b64decode(status.get(stream, ""))
        return status
