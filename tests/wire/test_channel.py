"""The unix socket as a channel: who may connect, starting over, ending, and idling."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import stat
from pathlib import Path

import pytest
from agent_process import Agent, wait_until
from conftest import StartAgent
from exchange import wait_until_read
from qga import Client

MIB = 1 << 20
READ_16_MIB = b'{"execute":"guest-file-read","arguments":{"handle":%d,"count":16777216}}'
# Long enough to show a timer that wakes ten times a second.
IDLE_S = 0.35


def start_stuck_reply(agent: Agent, folder: Path) -> Client:
    """A client whose reply of 22 MB has begun, and which has read none of it."""
    agent.may_hold_descriptors = True
    path = folder / "big"
    path.write_bytes(random.Random(1).randbytes(16 * MIB))
    client = agent.client()
    handle = client.call("guest-file-open", path=str(path))
    client.send(READ_16_MIB % handle)
    assert select.select([client.sock], [], [], 20)[0]
    return client


@pytest.mark.ours
def test_socket_is_for_the_owner_alone(start_agent: StartAgent) -> None:
    """0600 from the beginning, also under a generous umask: the agent is root."""
    agent = start_agent(wrapper=("/bin/sh", "-c", 'umask 0; exec "$0" "$@"'))
    mode = os.stat(agent.path).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_socket_left_behind(start_agent: StartAgent) -> None:
    """The socket of an agent that was killed does not keep the next from starting."""
    first = start_agent()
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    assert os.path.exists(first.path)
    second = start_agent(folder=first.folder)
    assert second.client().call("guest-ping") == {}


@pytest.mark.ours
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it(start_agent: StartAgent, sig: signal.Signals) -> None:
    """SIGTERM and SIGINT end an idle agent with status 0, with and without a client."""
    agent = start_agent()
    assert agent.stop(sig) == 0
    agent = start_agent()
    client = agent.client()
    assert agent.stop(sig) == 0
    with pytest.raises(ConnectionError):
        client.line()


@pytest.mark.ours
def test_restart(start_agent: StartAgent) -> None:
    """Ending and starting again over the same state and socket, a few times."""
    agent = start_agent()
    for _ in range(5):
        assert agent.client().call("guest-ping") == {}
        assert agent.stop() == 0
        agent = start_agent(folder=agent.folder)


@pytest.mark.ours
def test_reply_in_hand_is_finished(start_agent: StartAgent, tmp_path: Path) -> None:
    """SIGTERM in the middle of a reply: the client gets it whole, then the agent ends."""
    agent = start_agent()
    client = start_stuck_reply(agent, tmp_path)
    agent.process.send_signal(signal.SIGTERM)
    line = client.line()
    assert len(line) > 16 * MIB
    with pytest.raises(ConnectionError):
        client.line()
    agent.stopped = agent.process.wait(20)
    assert agent.stopped == 0


@pytest.mark.ours
def test_client_that_leaves_lets_a_signal_through(
    start_agent: StartAgent, tmp_path: Path
) -> None:
    """A reply in hand that nobody waits for any more does not keep the agent."""
    agent = start_agent()
    client = start_stuck_reply(agent, tmp_path)
    agent.process.send_signal(signal.SIGTERM)
    client.close()
    agent.stopped = agent.process.wait(20)
    assert agent.stopped == 0


@pytest.mark.ours
def test_started_without_standard_descriptors(start_agent: StartAgent) -> None:
    """Descriptors 0 to 2 may be closed: nothing that the agent opens then becomes its stdin."""
    agent = start_agent(wrapper=("/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'))
    client = agent.client()
    assert client.call("guest-ping") == {}
    open_files = agent.descriptors()
    for number in ("0", "1", "2"):
        assert not open_files.get(number, "/dev/null").startswith(("socket", "anon_inode"))
    served = {row["name"] for row in client.call("guest-info")["supported_commands"]}
    if "guest-exec" in served:
        # A program has its own three, whatever the agent has.
        done = client.run("/bin/sh", "-c", "cat; echo out; echo err >&2")
        assert (done["out-data"], done["err-data"]) == (b"out\n", b"err\n")


@pytest.mark.ours
def test_socket_activation(agent_path: Path, short_tmp: Path) -> None:
    """A listening socket handed over as descriptor 3, as systemd does it, is used."""
    path = str(short_tmp / "sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(8)
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(listener.fileno(), 3, inheritable=True)
                env = {**os.environ, "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
                argv = [str(agent_path), "-t", str(short_tmp), "-f", str(short_tmp / "pid")]
                os.execve(agent_path, argv, env)
            finally:
                os._exit(127)
    try:
        with Client(path) as client:
            assert client.call("guest-ping") == {}
        with Client(path) as client:
            assert client.call("guest-ping") == {}
    finally:
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def times_run(agent: Agent) -> int:
    """How often the agent has been given a processor so far."""
    return int(Path(f"/proc/{agent.pid}/schedstat").read_text().split()[2])


def is_asleep(agent: Agent) -> bool:
    stat_line = Path(f"/proc/{agent.pid}/stat").read_text()
    return stat_line.rpartition(")")[2].split()[0] == "S"


def settle(agent: Agent) -> None:
    """Until the agent has dealt with what there was and sleeps in its loop."""
    counts = [-1]

    def unchanged() -> bool:
        counts.append(times_run(agent))
        return counts[-1] == counts[-2] and is_asleep(agent) and times_run(agent) == counts[-1]

    wait_until(unchanged, "the agent is idle")


def check_never_wakes(agent: Agent) -> None:
    settle(agent)
    before = times_run(agent)
    select.select([], [], [], IDLE_S)
    assert times_run(agent) == before


@pytest.mark.ours
@pytest.mark.parametrize("situation", ["nobody", "silent", "half", "waiting", "program"])
def test_idle_agent_never_wakes(agent: Agent, situation: str) -> None:
    """No timer: with nobody connected, a silent client, half a request, a silent program."""
    client = agent.client()
    if situation == "nobody":
        agent.close_clients()
    elif situation == "half":
        client.send(b'{"execute":"guest-p')
        wait_until_read(client.sock)
    elif situation == "waiting":
        Client(agent.path, sync=False).close()
        second = agent.client(sync=False)
        second.send(b'{"execute":"guest-ping"}')
    elif situation == "program":
        served = {row["name"] for row in client.call("guest-info")["supported_commands"]}
        if "guest-exec" not in served:
            pytest.skip("guest-exec is not served yet")
        agent.may_hold_descriptors = True
        client.call("guest-exec", path="sleep", arg=["60"], capture_output=True)
    check_never_wakes(agent)
    for pid in agent.children():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.ours
@pytest.mark.parametrize("situation", ["alone", "input", "half-closed", "waiting"])
def test_agent_with_a_stuck_reply_never_wakes(
    agent: Agent, tmp_path: Path, situation: str
) -> None:
    """Waiting for room it does not spin, whatever else there would be to read meanwhile."""
    client = start_stuck_reply(agent, tmp_path)
    if situation == "input":
        client.send(b'{"execute":"guest-ping"}' * 1000)
    elif situation == "half-closed":
        client.send(b'{"execute":"guest-ping"}')
        client.sock.shutdown(socket.SHUT_WR)
    elif situation == "waiting":
        agent.client(sync=False).send(b'{"execute":"guest-ping"}')
    check_never_wakes(agent)
    assert len(client.line()) > 16 * MIB


def test_requests_after_idling(agent: Agent) -> None:
    """A client that was silent for a while is answered as any other."""
    client = agent.client()
    settle(agent)
    for n in range(3):
        assert client.call("guest-sync", id=n) == n
