"""Writing and reading at once, and comparing what comes with what the model expects."""

from __future__ import annotations

import array
import fcntl
import itertools
import random
import selectors
import socket
import termios
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agent_process import PATIENCE_S, wait_until
from model import Expected, Model
from qga import Client

# With more replies unread than this, some may still wait in the agent for room in the socket.
# A 0xFF would end them, rightly, and the comparison would depend on timing.
REPLIES_UNREAD_MAX = 30
# Numbers that no test's own guest-sync has.
_markers = itertools.count(7_000_000_000)


def wait_until_read(sock: socket.socket) -> None:
    """Until the peer has taken all that was written to this unix socket."""
    unread = array.array("i", [0])

    def all_read() -> bool:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, unread)
        return unread[0] == 0

    wait_until(all_read, "what was written is read")


def random_chunks(rng: random.Random, data: bytes) -> Iterator[bytes]:
    """data in pieces of one byte to some hundred."""
    at = 0
    while at < len(data):
        size = rng.randint(1, rng.choice((1, 4, 40, 400, 1500)))
        yield data[at:at + size]
        at += size


@dataclass
class Comparison:
    """The replies that come over a connection, against the model's, one by one."""

    client: Client
    model: Model
    sent: bytearray = field(default_factory=bytearray)
    received: int = 0

    def _due(self) -> int:
        return len(self.model.replies) - self.received

    def _explain(self, came: str) -> str:
        expected = str(self.model.replies[self.received])
        offset = self.model.offsets[self.received]
        previous = self.model.offsets[self.received - 1] if self.received else 0
        sent = bytes(self.sent)
        return (
            f"reply {self.received}, due after {offset} bytes:\n expected {expected[:1000]}\n"
            f" came     {came[:1000]}\n"
            f" sent since the reply before: {sent[previous:offset][-1500:]!r}\n"
            f" before:   {sent[:previous][-300:]!r}\n after:    {sent[offset:][:100]!r}"
        )

    def _take_lines(self) -> None:
        pending = self.client.pending
        while (end := pending.find(b"\n")) >= 0:
            line = bytes(pending[:end + 1])
            del pending[:end + 1]
            if not self._due():
                raise AssertionError(f"unexpected {line!r}\n after {bytes(self.sent[-1500:])!r}")
            if not self.model.replies[self.received].matches(line):
                raise AssertionError(self._explain(repr(line)))
            self.received += 1

    def _read(self) -> None:
        chunk = self.client.sock.recv(1 << 20)
        assert chunk, f"connection closed; {self._explain('') if self._due() else ''}"
        self.client.pending += chunk
        self._take_lines()

    def send(self, chunks: Iterable[bytes], window: int = REPLIES_UNREAD_MAX) -> None:
        """Write the chunks; read whenever there is something; at most window replies unread."""
        sock = self.client.sock
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            for chunk in chunks:
                self.sent += chunk
                self.model.feed(chunk)
                left = memoryview(chunk)
                while left or self._due() > window:
                    want = selectors.EVENT_READ | (selectors.EVENT_WRITE if left else 0)
                    selector.modify(sock, want)
                    ready = selector.select(PATIENCE_S)
                    if not ready:
                        raise AssertionError(self._explain("nothing") if self._due() else "stuck")
                    mask = ready[0][1]
                    if mask & selectors.EVENT_READ:
                        self._read()
                    if left and mask & selectors.EVENT_WRITE:
                        left = left[sock.send(left, socket.MSG_DONTWAIT):]

    def finish(self) -> None:
        """Read what is due, and see by a handshake that nothing more comes."""
        sock = self.client.sock
        sock.settimeout(PATIENCE_S)
        while self._due():
            try:
                self._read()
            except TimeoutError:
                raise AssertionError(self._explain("nothing")) from None
        self.model.feed(b"\xff")
        more = rest(self.client)
        assert not more, f"unexpected {more!r}\n after {bytes(self.sent[-1500:])!r}"


def rest(client: Client) -> bytes:
    """All that comes before the answer to a handshake, replies with a sentinel included."""
    marker = next(_markers)
    client.send(b'\xff{"execute":"guest-sync","arguments":{"id":%d}}' % marker)
    came = bytearray()
    while (line := client.line()) != b'{"return": %d}\n' % marker:
        came += line
    return bytes(came)


def check_replies(client: Client, data: bytes, expected: list[Expected]) -> None:
    """Send data, and get exactly these replies."""
    client.send(data)
    for reply in expected:
        line = client.line()
        assert reply.matches(line), f"{data[-1500:]!r}:\n {line!r}\n is not {reply}"
    more = rest(client)
    assert not more, f"{data[-1500:]!r}: unexpected {more!r}"
