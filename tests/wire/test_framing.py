"""The stream of bytes: where requests begin and end, recovery from errors, limits, clients."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from agent_process import PATIENCE_S, Agent, wait_until
from exchange import Comparison, check_replies, random_chunks, rest, wait_until_read
from generate import deep_json, mutate, random_json, random_request, random_stream
from model import COMMANDS, Model
from qga import Client
from vectors import PING, PONG, VECTORS, Vector, is_expected

MIB = 1 << 20
# More than any agent's buffer, which must hold a file-write of 4 MiB.
OVERSIZE = 16 * MIB
LIMIT_ERROR = re.compile(
    rb'\{"error": \{"class": "GenericError", '
    rb'"desc": "JSON token (size|count) limit exceeded(: [ -~]+)?"\}\}\n'
)
SYNC_5 = b'{"execute":"guest-sync","arguments":{"id":5}}'
SYNCED_5 = b'{"return": 5}\n'


def is_limit_error(line: bytes) -> bool:
    return bool(LIMIT_ERROR.fullmatch(line))


def served(client: Client) -> set[str]:
    """The commands that both the agent and the model have."""
    rows = client.call("guest-info")["supported_commands"]
    return {row["name"] for row in rows} & set(COMMANDS)


@pytest.fixture
def big_file(tmp_path: Path) -> Path:
    """16 MiB that no compression or pattern helps with."""
    path = tmp_path / "big"
    path.write_bytes(random.Random(16).randbytes(16 * MIB))
    return path


def open_file(client: Client, path: Path) -> int:
    handle: int = client.call("guest-file-open", path=str(path))
    return handle


def read_request(handle: int, count: int = 16 * MIB) -> bytes:
    request = {"execute": "guest-file-read", "arguments": {"handle": handle, "count": count}}
    return json.dumps(request).encode()


def check_read(line: bytes, path: Path) -> None:
    """line is the whole reply to read_request()."""
    reply = json.loads(line)["return"]
    content = path.read_bytes()
    assert reply["count"] == len(content)
    assert base64.b64decode(reply["buf-b64"], validate=True) == content


# ---- Vectors ---------------------------------------------------------------------------------


def check_vector(client: Client, vector: Vector) -> None:
    client.send(vector.sent)
    for reply in vector.replies:
        line = client.line()
        assert is_expected(line, reply), f"{vector.sent!r}: {line!r} is not {reply!r}"
    more = rest(client)
    assert not more, f"{vector.sent!r}: unexpected {more!r}"


@pytest.mark.ours
@pytest.mark.parametrize("group", VECTORS)
def test_vectors(shared_agent: Agent, group: str) -> None:
    """Every rule of framing, recovery, dialect and envelope that was written down by hand."""
    with shared_agent.client() as client:
        for vector in VECTORS[group]:
            check_vector(client, vector)


# ---- Cuts ------------------------------------------------------------------------------------


def request_of_1_kib() -> bytes:
    """A request with every kind of token in it."""
    head = (
        b'{ "id" : [ "\\u00e9\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\ud83d\\ude00\\"\\\\\\/\\n", '
        b"'it\\'s \"', -0, 0, 12, -3.25e+07, 1E-5, 0.5, true, false, null, {}, [], "
        b'{"a":{"b":[[["x"]]]}}, "'
    )
    tail = b'" ] ,\r\n\t"arguments":{"id":-9223372036854775808}, \'execute\':"guest-s\\u0079nc"}'
    return head + b"x" * (1024 - len(head) - len(tail)) + tail


@pytest.mark.ours
def test_one_request_cut_at_every_byte(shared_agent: Agent) -> None:
    """In which reads a request comes makes no difference: two of them, cut anywhere."""
    request = request_of_1_kib()
    assert len(request) == 1024
    (expected,) = Model().feed(request)
    with shared_agent.client() as client:
        for cut in range(1, len(request)):
            client.send(request[:cut])
            wait_until_read(client.sock)
            client.send(request[cut:])
            line = client.line()
            assert expected.matches(line), f"cut at {cut}: {line!r} is not {expected}"


@pytest.mark.ours
def test_one_request_byte_by_byte(shared_agent: Agent) -> None:
    """... and a thousand reads, each of one byte."""
    request = request_of_1_kib()
    (expected,) = Model().feed(request)
    with shared_agent.client() as client:
        for at in range(len(request)):
            client.send(request[at:at + 1])
            wait_until_read(client.sock)
        line = client.line()
        assert expected.matches(line), line
        assert not rest(client)


@pytest.mark.ours
@pytest.mark.parametrize("group", VECTORS)
def test_vectors_cut_at_every_byte(shared_agent: Agent, group: str) -> None:
    """No error, recovery or 0xFF depends on what was in one read."""
    with shared_agent.client() as client:
        for vector in VECTORS[group]:
            if len(vector.sent) > 200:
                continue
            for cut in range(1, len(vector.sent)):
                client.send(vector.sent[:cut])
                wait_until_read(client.sock)
                check_vector(client, Vector(vector.sent[cut:], *vector.replies))


@pytest.mark.ours
def test_error_comes_at_once(shared_agent: Agent) -> None:
    """An error is told as soon as it is certain, not when the brackets close."""
    with shared_agent.client() as client:
        for faulty in (b'{"a" "b"', b'{"a":"\\q', b'{"a":01', b"{,", b"[}", b'{"a":1,"a"', b"}",
                       b"[" * 1025, b'{"a":"\x01', b'{"a":nul ', b'{"a":"\\ud800"', b"\x80"):
            client.send(faulty)
            assert b"error" in client.line(), faulty
            assert not rest(client), faulty


# ---- Random input ----------------------------------------------------------------------------


@pytest.mark.ours
@pytest.mark.parametrize("_round", range(4))
def test_random_mixture(shared_agent: Agent, rng: random.Random, _round: int) -> None:
    """2500 valid, broken and 0xFF-laden requests, in random reads: exactly the model's replies."""
    with shared_agent.client() as client:
        comparison = Comparison(client, Model(served(client)))
        stream = b"".join(random_stream(rng, 2500))
        comparison.send(random_chunks(rng, stream))
        comparison.finish()


@pytest.mark.ours
@pytest.mark.parametrize("_round", range(4))
def test_random_requests_in_a_pipe(shared_agent: Agent, rng: random.Random, _round: int) -> None:
    """Writing without waiting for replies: all come, in order. No 0xFF, which would end some."""
    with shared_agent.client() as client:
        comparison = Comparison(client, Model(served(client)))
        stream = b"\n".join(random_stream(rng, 1000)).replace(b"\xff", b"\x80")
        comparison.send(random_chunks(rng, stream), window=1 << 30)
        comparison.finish()


@pytest.mark.ours
@pytest.mark.parametrize("_round", range(2))
def test_random_mutations_each_alone(shared_agent: Agent, rng: random.Random, _round: int) -> None:
    """A broken request after a handshake: its reply, and no trace of it after the next one."""
    with shared_agent.client() as client:
        commands = served(client)
        for _ in range(500):
            data = mutate(rng, random_request(rng))
            check_replies(client, data, Model(commands).feed(data))


@pytest.mark.ours
def test_nested_ids(shared_agent: Agent, rng: random.Random) -> None:
    """An id of any depth to 64 comes back by value."""
    with shared_agent.client() as client:
        for depth in range(1, 64):
            data = b'{"execute":"guest-ping","id":' + deep_json(rng, depth) + b"}"
            check_replies(client, data, Model().feed(data))


@pytest.mark.ours
@pytest.mark.parametrize("_round", range(3))
def test_random_values_as_ids(shared_agent: Agent, rng: random.Random, _round: int) -> None:
    """Any JSON value comes back as id: numbers as written, strings in ASCII, members in order."""
    with shared_agent.client() as client:
        comparison = Comparison(client, Model())
        for _ in range(500):
            data = b'{"execute":"guest-ping","id":' + random_json(rng, rng.randint(0, 12)) + b"}"
            comparison.send([data])
        comparison.finish()


@pytest.mark.ours
def test_random_bytes(agent: Agent, rng: random.Random) -> None:
    """2 MB of noise: whatever the agent answers, it is lines of ASCII, and it goes on serving."""
    with agent.client() as client:
        for _ in range(20):
            answers = bytearray()
            noise = rng.randbytes(100_000)
            send_while_reading(client, noise, answers.extend)
            stale = client.sync()
            for line in (bytes(answers) + stale).splitlines():
                json.loads(line.decode("ascii"))
            assert client.call("guest-ping") == {}


def send_while_reading(client: Client, data: bytes, take: Callable[[bytes], object]) -> None:
    """Write all of data, handing over what comes meanwhile."""
    left = memoryview(data)
    while left:
        readable, writable, _ = select.select([client.sock], [client.sock], [], PATIENCE_S)
        assert readable or writable, "the agent takes no input"
        if readable:
            chunk = client.sock.recv(MIB)
            assert chunk, "connection closed"
            take(chunk)
        if writable:
            left = left[client.sock.send(left[:MIB], socket.MSG_DONTWAIT):]


# ---- Limits ----------------------------------------------------------------------------------


@pytest.mark.ours
@pytest.mark.parametrize(
    ("head", "filling", "tail"),
    [
        (b'{"execute":"guest-ping","id":"', b"x", b'"}'),
        (b'{"execute":"', b"x", b'"}'),
        (b'{"execute":"guest-ping","arguments":{"a":"', b"\\n", b'"}}'),
        (b'{"', b"}", b'":1}'),
        (b"{'", b'"', b"':1}"),
        (b'"', b"{", b'"'),
        (b'{"execute":"guest-ping","id":', b"1", b"}"),
        (b'{"execute":"guest-ping","id":1.', b"0", b"}"),
        (b'[{"a":"', b"\\\\", b'"}]'),
    ],
    ids=["id", "name", "escapes", "key", "single-quoted", "scalar", "number", "fraction", "list"],
)
def test_oversize_request(shared_agent: Agent, head: bytes, filling: bytes, tail: bytes) -> None:
    """A request beyond the buffer: one error that says the limit; it is skipped to its end."""
    data = head + filling * OVERSIZE + tail
    with shared_agent.client() as client:
        client.send(data + SYNC_5)
        assert is_limit_error(client.line())
        assert client.line() == SYNCED_5
        assert not rest(client)


@pytest.mark.ours
def test_oversize_request_given_up(shared_agent: Agent) -> None:
    """0xFF ends the skipping of an oversize request as it ends everything."""
    with shared_agent.client() as client:
        client.send(b'{"execute":"' + b"x" * OVERSIZE)
        assert is_limit_error(client.line())
        client.send(b"\xff" + SYNC_5)
        assert client.line() == SYNCED_5


@pytest.mark.ours
@pytest.mark.parametrize("element", [b"0,", b"[],", b'"",', b"{},", b"null,", b"-1.5e3,"])
def test_too_many_tokens(shared_agent: Agent, element: bytes) -> None:
    """A huge array: one error that says a limit, and the next request works."""
    array = b"[" + element * (OVERSIZE // len(element)) + b"0]"
    with shared_agent.client() as client:
        client.send(b'{"execute":"guest-ping","id":' + array + b"}" + SYNC_5)
        assert is_limit_error(client.line())
        assert client.line() == SYNCED_5
        client.send(array + SYNC_5)
        assert is_limit_error(client.line())
        assert client.line() == SYNCED_5
        assert not rest(client)


@pytest.mark.ours
def test_many_keys(shared_agent: Agent) -> None:
    """Looking for duplicate keys in a large object does not stop the agent for seconds."""
    members = b",".join(b'"%d":0' % n for n in range(100_000))
    with shared_agent.client() as client:
        before = time.monotonic()
        client.send(b'{"execute":"guest-ping","id":{' + members + b"}}" + SYNC_5)
        first = client.line()
        assert is_limit_error(first) or first.startswith(b'{"return": {}, "id": {"0": 0, ')
        assert client.line() == SYNCED_5
        assert time.monotonic() - before < 3


def test_white_space_without_end(shared_agent: Agent) -> None:
    """20 MB of white space between requests are nothing."""
    with shared_agent.client() as client:
        client.send(b" \t\r\n" * (5 * MIB) + PING)
        assert client.line() == PONG


@pytest.mark.ours
def test_garbage_without_end(shared_agent: Agent) -> None:
    """20 MB of garbage are one error, told at once; the next request is answered."""
    for garbage in (b"garbage ", b"}", b"%", b"\0", b'"\\q\n', b"\x80\xfe"):
        with shared_agent.client() as client:
            client.send(garbage * (20 * MIB // len(garbage)) + PING)
            assert b"JSON parse error, " in client.line()
            assert client.line() == PONG
            assert not rest(client)


@pytest.mark.ours
def test_long_drop(shared_agent: Agent) -> None:
    """What is dropped inside brackets may be as long as it likes, and nested as it likes."""
    with shared_agent.client() as client:
        client.send(b"{," + b'[{"}":"' + b"x" * (4 * MIB) + b'"}]' + b"[" * MIB + b"]" * MIB + b"}")
        client.send(PING)
        assert b"JSON parse error, " in client.line()
        assert client.line() == PONG
        client.send(b"[" * (4 * MIB) + b"]" * (4 * MIB) + PING)
        assert b"nesting depth limit exceeded" in client.line()
        assert client.line() == PONG


@pytest.mark.ours
def test_memory_is_given_back(agent: Agent) -> None:
    """A large request does not leave the idle agent large."""
    with agent.client() as client:
        client.call("guest-ping")
        before = agent.private_memory_kib()
        client.send(b'{"execute":"guest-ping","id":"' + b"x" * (3 * MIB) + b'"}')
        assert client.line().startswith(b'{"return": {}, "id": "xxx')
        assert client.call("guest-ping") == {}
        if b"asan" in os.fsencode(agent.program):
            pytest.skip("a sanitizer build has memory of its own")
        wait_until(lambda: agent.private_memory_kib() <= before + 64, "memory given back", 5.0)


# ---- Pipelining ------------------------------------------------------------------------------


def test_a_thousand_requests_in_one_write(shared_agent: Agent) -> None:
    """Replies come in the order of the requests, each a line."""
    with shared_agent.client() as client:
        requests = b"".join(
            b'{"execute":"guest-sync","arguments":{"id":%d}}' % n for n in range(1000)
        )
        writer = threading.Thread(target=client.send, args=(requests,))
        writer.start()
        for n in range(1000):
            assert client.line() == b'{"return": %d}\n' % n
        writer.join()


def test_replies_nobody_reads_for_a_while(shared_agent: Agent) -> None:
    """A client that first writes and then reads gets all: 20,000 replies fill every buffer."""
    count = 20_000
    with shared_agent.client() as client:
        requests = b"".join(
            b'{"execute":"guest-sync","arguments":{"id":%d}}' % n for n in range(count)
        )
        writer = threading.Thread(target=client.send, args=(requests,))
        writer.start()
        wait_until(lambda: receive_queue_is_still(client.sock), "the agent waits for room")
        for n in range(count):
            assert client.line() == b'{"return": %d}\n' % n
        writer.join()


def receive_queue_is_still(sock: socket.socket) -> bool:
    """Something is there to be read, and looking again a moment later there is no more of it."""
    sizes = []
    for _ in range(2):
        readable, _, _ = select.select([sock], [], [], PATIENCE_S)
        assert readable
        sizes.append(len(sock.recv(4 * MIB, socket.MSG_PEEK)))
        # The pause only makes the next look more telling; nothing depends on it.
        select.select([], [], [], 0.01)
    return sizes[0] == sizes[1]


# ---- Clients that leave ----------------------------------------------------------------------


@pytest.mark.ours
@pytest.mark.parametrize(
    "half",
    [b'{"execute":"guest-pi', b'{"execute":', b"{", b"[[[", b'{"a":"\\', b'{"a":"\\u12', b'"\xc3',
     b"tru", b"-", b"12", b"garbage", b"{,", b'{"a":"\\q', b"}", b'{"a":"\\ud800'],
)
def test_half_a_request_goes_with_its_client(shared_agent: Agent, half: bytes) -> None:
    """The next client needs no 0xFF to be answered cleanly."""
    for wait in (False, True):
        leaver = shared_agent.client(sync=False)
        leaver.send(half)
        if wait:
            wait_until_read(leaver.sock)
        leaver.close()
        with shared_agent.client(sync=False) as client:
            client.send(b'{"execute":"guest-sync","arguments":{"id":6}}\n')
            assert client.line() == b'{"return": 6}\n'
            assert not rest(client)


def test_request_of_a_client_that_has_gone(agent: Agent, tmp_path: Path) -> None:
    """A complete request is carried out even if nobody waits for its reply."""
    path = tmp_path / "made"
    request = {"execute": "guest-file-open", "arguments": {"path": str(path), "mode": "w"}}
    agent.may_hold_descriptors = True
    leaver = agent.client(sync=False)
    leaver.send(json.dumps(request).encode())
    leaver.close()
    wait_until(path.exists, "the file is made")


@pytest.mark.ours
def test_client_that_leaves_in_mid_reply(agent: Agent, big_file: Path) -> None:
    """What was left of its reply is not the next client's."""
    agent.may_hold_descriptors = True
    handle = open_file(agent.client(), big_file)
    agent.close_clients()
    for taken in (0, 1, 100_000, 4 * MIB):
        leaver = agent.client()
        leaver.call("guest-file-seek", handle=handle, offset=0, whence=0)
        leaver.send(read_request(handle))
        got = 0
        while got < taken:
            got += len(leaver.sock.recv(taken - got))
        leaver.close()
        with agent.client(sync=False) as client:
            client.send(SYNC_5)
            assert client.line() == SYNCED_5


def test_200_clients_in_a_row(agent: Agent) -> None:
    """Each is served, with and without a handshake."""
    for n in range(200):
        with agent.client(sync=n % 2 == 0) as client:
            assert client.call("guest-sync", id=n) == n


def test_clients_that_say_nothing(agent: Agent) -> None:
    """Connecting and leaving disturbs nobody."""
    for _ in range(50):
        agent.client(sync=False).close()
    with agent.client(sync=False) as client:
        assert client.call("guest-ping") == {}


def test_second_client_waits_for_the_first_to_leave(agent: Agent) -> None:
    """One client at a time; the next is served when the first has gone, from its first byte."""
    first = agent.client()
    second = agent.client(sync=False)
    second.send(SYNC_5)
    for n in range(200):
        assert first.call("guest-sync", id=n) == n
        assert not select.select([second.sock], [], [], 0)[0], "the second client was answered"
    first.close()
    assert second.line() == SYNCED_5


def test_half_close_still_gets_the_reply(shared_agent: Agent) -> None:
    """A client that has no more to say, as a shell pipe, gets its answers."""
    for count in (1, 3, 200):
        with shared_agent.client(sync=False) as client:
            client.send(PING * count)
            client.sock.shutdown(socket.SHUT_WR)
            for _ in range(count):
                assert client.line() == PONG
            with pytest.raises(ConnectionError):
                client.line()


def test_half_close_after_half_a_request(shared_agent: Agent) -> None:
    """Half a request is nothing, and the connection ends."""
    with shared_agent.client(sync=False) as client:
        client.send(PING + b'{"execute":"guest-')
        client.sock.shutdown(socket.SHUT_WR)
        assert client.line() == PONG
        with pytest.raises(ConnectionError):
            client.line()


def test_half_close_still_gets_a_large_reply(agent: Agent, big_file: Path) -> None:
    """... also 16 MiB of it, which do not fit any buffer."""
    agent.may_hold_descriptors = True
    handle = open_file(agent.client(), big_file)
    agent.close_clients()
    with agent.client() as client:
        client.send(read_request(handle))
        client.sock.shutdown(socket.SHUT_WR)
        check_read(client.line(), big_file)
        with pytest.raises(ConnectionError):
            client.line()


def test_half_close_with_requests_behind_a_large_reply(agent: Agent, big_file: Path) -> None:
    """What was asked before the half-close is answered to the last request."""
    agent.may_hold_descriptors = True
    handle = open_file(agent.client(), big_file)
    agent.close_clients()
    with agent.client() as client:
        client.send(read_request(handle) + PING * 3 + SYNC_5)
        client.sock.shutdown(socket.SHUT_WR)
        check_read(client.line(), big_file)
        for reply in (PONG, PONG, PONG, SYNCED_5):
            assert client.line() == reply
        with pytest.raises(ConnectionError):
            client.line()


# ---- Large replies ---------------------------------------------------------------------------


@pytest.mark.ours
def test_children_are_reaped_while_a_reply_waits(agent: Agent, big_file: Path) -> None:
    """A client that does not read stops nobody but itself: programs end and are reaped."""
    agent.may_hold_descriptors = True
    client = agent.client()
    handle = open_file(client, big_file)
    # The programs end when the reply is certain to be stuck: when we close their input.
    reader, writer = os.pipe()
    try:
        path = f"/proc/{os.getpid()}/fd/{reader}"
        pids = [
            client.call("guest-exec", path="/bin/sh", arg=["-c", f"read x < {path}; echo $x"],
                        **{"capture-output": True})["pid"]
            for _ in range(5)
        ]
        assert set(pids) <= set(agent.children())
        client.send(read_request(handle))
        wait_until(lambda: receive_queue_is_still(client.sock), "the reply is stuck")
        os.write(writer, b"done\n" * len(pids))
        wait_until(lambda: not agent.children(), "the programs are reaped", 5.0)
    finally:
        os.close(reader)
        os.close(writer)
    check_read(client.line(), big_file)
    for pid in pids:
        status = client.call("guest-exec-status", pid=pid)
        assert status["exited"] and status["exitcode"] == 0, status


@pytest.mark.ours
def test_ff_ends_a_large_reply(agent: Agent, big_file: Path) -> None:
    """0xFF in the middle of a reply says that nobody wants the rest."""
    agent.may_hold_descriptors = True
    client = agent.client()
    handle = open_file(client, big_file)
    for taken in (0, 1, 100_000, 2 * MIB):
        client.call("guest-file-seek", handle=handle, offset=0, whence=0)
        client.send(read_request(handle))
        wait_until(lambda: receive_queue_is_still(client.sock), "the reply is stuck")
        got = 0
        while got < taken:
            got += len(client.sock.recv(taken - got))
        stale = client.sync()
        # What the socket held; the whole reply has 22 MB.
        assert len(stale) < 8 * MIB
        assert client.call("guest-ping") == {}


@pytest.mark.ours
@pytest.mark.ours
def test_ff_ends_a_line_too(agent: Agent, big_file: Path) -> None:
    """A client that looks for lines finds the answer behind a reply that its 0xFF cut short."""
    with agent.client() as client:
        handle = client.call("guest-file-open", path=str(big_file))
        request = b'{"execute":"guest-file-read","arguments":{"handle":%d,"count":16777216}}'
        client.send(request % handle)
        assert client.sock.recv(100)
        client.send(b'\xff{"execute":"guest-sync","arguments":{"id":77}}')
        while (line := client.line()) != b'{"return": 77}\n':
            assert not line.startswith(b"{"), line[:100]
        client.call("guest-file-close", handle=handle)


@pytest.mark.ours
def test_many_small_requests_at_once(agent: Agent) -> None:
    """A flood of them takes time in proportion, and a signal is taken in its midst."""
    count = 200_000
    with agent.client(60.0) as client:
        sender = threading.Thread(target=client.send, args=(b'{"execute":"guest-ping"}' * count,))
        sender.start()
        for _ in range(count):
            assert client.line() == b'{"return": {}}\n'
        sender.join()


def test_ff_behind_more_requests(agent: Agent, big_file: Path) -> None:
    """0xFF behind a large reply and further requests, in one write or not: the sync is answered."""
    agent.may_hold_descriptors = True
    client = agent.client()
    handle = open_file(client, big_file)
    for between in (b"", PING, PING * 10_000, b'{"execute":"guest-pi', b"{,", b" " * MIB):
        client.call("guest-file-seek", handle=handle, offset=0, whence=0)
        data = read_request(handle) + between + b"\xff" + SYNC_5
        came = bytearray()
        send_while_reading(client, data, came.extend)
        while not came.endswith(SYNCED_5):
            came += client.sock.recv(MIB)
        assert client.call("guest-ping") == {}


@pytest.mark.ours
def test_client_behind_a_stuck_one(agent: Agent, big_file: Path) -> None:
    """The next client in the queue is served when one that never read its reply has gone."""
    agent.may_hold_descriptors = True
    first = agent.client()
    handle = open_file(first, big_file)
    first.send(read_request(handle) + PING + b'{"execute":')
    second = agent.client(sync=False)
    second.send(SYNC_5)
    wait_until(lambda: receive_queue_is_still(first.sock), "the reply is stuck")
    first.close()
    assert second.line() == SYNCED_5
    assert second.call("guest-ping") == {}


def test_large_reply_in_small_reads(
    agent: Agent, big_file: Path, rng: random.Random
) -> None:
    """However slowly it is read, the reply is whole."""
    agent.may_hold_descriptors = True
    client = agent.client()
    handle = open_file(client, big_file)
    client.send(read_request(handle) + SYNC_5)
    reply = bytearray()
    while not reply.endswith(SYNCED_5):
        chunk = client.sock.recv(rng.choice((1, 100, 10_000, MIB)))
        assert chunk
        reply += chunk
    check_read(bytes(reply[:-len(SYNCED_5)]), big_file)
