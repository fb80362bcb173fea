"""The virtio port: found, shared by many clients one after the other, taken away and put back."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import threading
import time
from pathlib import Path

import pytest
from qga import Client

from vm.conftest import MakeInitramfs
from vm.guest import agent_pid, read_file, second_agent, shell
from vm.rig import VM

LATE_DRIVER = Path(__file__).resolve().parent / "S20late-driver"
MANY_CLIENTS = 1000
GONE_CLIENTS = 300
RENEW_EVERY = 120
# A client may come between the host's closing and the driver's hearing of it; what the agent puts
# into the driver's queue in these microseconds reaches it. That is one piece of a reply, and rare.
PIECE_BYTES = 32 << 10
RARE = 0.02
BIG_BYTES = 16 << 20
DRIVER = "/sys/bus/virtio/drivers/virtio_console"
REBIND = (
    f"device=$(basename {DRIVER}/virtio*); echo $device >{DRIVER}/unbind; "
    f"echo $device >{DRIVER}/bind"
)
PING = b'{"execute":"guest-ping"}'
READ_BIG = f'{{"execute":"guest-file-read","arguments":{{"handle":%d,"count":{BIG_BYTES}}}}}'


def open_big_file(client: Client) -> int:
    """A file so big that its reply never fits into the channel's buffers."""
    shell(client, f"[ -e /tmp/big ] || head -c {BIG_BYTES} /dev/urandom >/tmp/big")
    handle: int = client.call("guest-file-open", path="/tmp/big")
    return handle


def leave_in_mid_reply(client: Client, handle: int) -> None:
    """Ask for the big file, take the reply's beginning and go."""
    client.call("guest-file-seek", handle=handle, offset=0, whence=0)
    client.send((READ_BIG % handle).encode())
    begun = 0
    while begun < 1 << 16:
        begun += len(client.sock.recv(1 << 16))
    client.close()


def test_port_is_found_by_name_without_udev(client: Client) -> None:
    """Without udev there are no links: the agent finds its port in /sys, by the port's name."""
    assert shell(client, "ls /dev/virtio-ports 2>/dev/null || true") == ""
    links = shell(client, "ls -l /proc/$PPID/fd")
    assert "/dev/vport" in links


def test_node_is_made_where_dev_has_none(vm: VM) -> None:
    """A static /dev without the port's node is enough: the agent makes the node itself."""
    client = vm.agent()
    pid = agent_pid(client)
    script = "rm /dev/vport*; kill $PPID; echo node-removed >/dev/console"
    client.call("guest-exec", path="/bin/sh", arg=["-c", script])
    vm.hang_up()
    vm.wait_console("node-removed", 10)
    vm.wait_for(lambda: agent_pid(vm.agent()) != pid, 15, "the agent was not started again")
    assert "/vport" in shell(vm.agent(), "ls -l /proc/$PPID/fd")


def test_usual_path_works_without_the_link(vm: VM) -> None:
    """Configurations name the link that udev would make: it stands for the port of that name."""
    name = "org.tinyqga.test.0"
    path = str(vm.folder / "second.sock")
    address = {"type": "unix", "data": {"path": path}}
    backend = {"type": "socket", "data": {"addr": address, "server": True, "wait": False}}
    vm.qmp("chardev-add", id="second", backend=backend)
    vm.qmp(
        "device_add",
        driver="virtserialport",
        id="secondport",
        bus="vser.0",
        chardev="second",
        name=name,
    )
    try:
        with second_agent(vm, "-p", f"/dev/virtio-ports/{name}", "-t", "/run/second") as pid:
            with Client(path, 15.0) as second:
                assert agent_pid(second) == pid
        node = shell(vm.agent(), f"grep -l {name} /sys/class/virtio-ports/*/name").split("/")[-2]
        with second_agent(vm, "-p", f"/dev/{node}", "-t", "/run/second") as pid:
            with Client(path, 15.0) as second:
                assert agent_pid(second) == pid
    finally:
        vm.qmp("device_del", id="secondport")
        assert vm.monitor
        vm.monitor.wait_event("DEVICE_DELETED")
        vm.qmp("chardev-remove", id="second")


def test_client_leaves_in_mid_request(vm: VM) -> None:
    """Half a request of a client that left must not swallow the next client's first one."""
    for half in (b'{"execute":"guest-pi', b'{"execute":"guest-ping","id":"', b"[[[[", b'"'):
        for _ in range(5):
            gone = vm.agent()
            gone.send(half)
            vm.hang_up()
            assert vm.agent().sync() == b""
            assert vm.agent(sync=False).call("guest-ping") == {}


def renew_queue(vm: VM) -> None:
    """Give the port a new queue. QEMU loses one of its 128 buffers about every third time that
    a client leaves in mid-reply (last-avail-idx and used-idx drift apart), and when all are
    lost, no guest can send anything any more."""
    client = vm.agent()
    script = f"{REBIND}; echo renewed $$ >/dev/console"
    pid = client.call("guest-exec", path="/bin/sh", arg=["-c", script])["pid"]
    vm.hang_up()
    vm.wait_console(f"renewed {pid}\\b", 15)
    vm.wait_agent(15)


def append_line(client: Client, handle: int) -> None:
    client.send(
        b'{"execute":"guest-file-write","arguments":{"handle":%d,"buf-b64":"Lgo="}}' % handle
    )


def first_bytes(client: Client, silent_s: float) -> bytes:
    """What a new client, silent at first, is sent before its own sync answer."""
    early = b""
    if select.select([client.sock], [], [], silent_s)[0]:
        early = client.sock.recv(1 << 16)
    return early + client.sync()


def test_thousand_clients(vm: VM) -> None:
    """A third leaves in mid-request, a third in mid-reply, the next comes at once, some are
    silent at first: the next one's first bytes are its own answer, and no request is lost."""
    client = vm.agent()
    big = open_big_file(client)
    log = client.call("guest-file-open", path="/tmp/clients", mode="a")
    pieces = 0
    for number in range(MANY_CLIENTS):
        if number % RENEW_EVERY == 0:
            renew_queue(vm)
        client = vm.agent(sync=False)
        early = first_bytes(client, 0.01 if number % 7 == 0 else 0)
        if number % 3 == 2:
            pieces += early != b""
            assert len(early) <= PIECE_BYTES, f"client {number} got {len(early)} bytes"
        else:
            assert early == b"", f"client {number}"
        append_line(client, log)
        assert b'"count": 2' in client.line()
        if number % 3 == 0:
            client.send(b'{"execute":"guest-file-write","arguments":{"handle":')
        elif number % 3 == 1:
            leave_in_mid_reply(client, big)
        vm.hang_up()
    client = vm.agent()
    assert read_file(client, "/tmp/clients") == b".\n" * MANY_CLIENTS
    client.call("guest-file-close", handle=log)
    client.call("guest-file-close", handle=big)
    assert pieces <= MANY_CLIENTS / 3 * RARE


def test_request_of_a_client_that_is_gone(vm: VM) -> None:
    """Scripts send and hang up: what they asked for is done, and its reply reaches nobody, also
    not the client that comes at once."""
    client = vm.agent()
    log = client.call("guest-file-open", path="/tmp/gone", mode="a")
    stale = 0
    for number in range(GONE_CLIENTS):
        client = vm.agent(sync=False)
        stale += first_bytes(client, 0.01 if number % 7 == 0 else 0) != b""
        append_line(client, log)
        client.sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while client.sock.recv(1 << 16):
                pass
        vm.hang_up()
    client = vm.agent()
    assert read_file(client, "/tmp/gone") == b".\n" * GONE_CLIENTS
    client.call("guest-file-close", handle=log)
    assert stale <= GONE_CLIENTS * RARE, f"{stale} of {GONE_CLIENTS} got another's reply"


@pytest.mark.parametrize("pause_s", [0, 0.05, 0.3])
@pytest.mark.parametrize("count", [2, 50, 3000])
def test_many_requests_of_a_client_that_is_gone(vm: VM, count: int, pause_s: float) -> None:
    """Whoever comes next, at once or later, gets none of the replies to what was asked before."""
    for _ in range(3):
        gone = vm.agent(sync=False)
        gone.send(PING * count)
        vm.hang_up()
        time.sleep(pause_s)
        assert vm.agent(sync=False).sync() == b""


def test_more_input_than_the_buffer_takes(vm: VM) -> None:
    """Requests may be sent without waiting for replies, also more than the agent can hold."""
    client = vm.agent(60.0)
    handle = client.call("guest-file-open", path="/tmp/pipelined", mode="w")
    text = base64.b64encode(bytes(4 << 20)).decode()
    write = f'{{"execute":"guest-file-write","arguments":{{"handle":{handle},"buf-b64":"{text}"}}}}'
    count = 400_000
    sender = threading.Thread(target=client.send, args=(write.encode() * 3 + PING * count,))
    sender.start()
    for _ in range(3):
        assert b'"count": 4194304' in client.line()
    for _ in range(count):
        assert client.line() == b'{"return": {}}\n'
    sender.join()
    client.call("guest-file-close", handle=handle)
    shell(client, "rm /tmp/pipelined")


def test_clients_of_a_guest_with_several_processors(initramfs_with: MakeInitramfs) -> None:
    """There the news that a client has come may be later than its first request."""
    with VM(initramfs_with(), cpus=4) as vm:
        for _ in range(400):
            client = vm.agent(5.0, sync=False)
            assert client.sync() == b""
            assert client.call("guest-ping") == {}
            vm.hang_up()


@pytest.mark.parametrize("silent_s", [0, 0.2], ids=["asks-at-once", "silent-at-first"])
def test_client_leaves_in_mid_reply(vm: VM, silent_s: float) -> None:
    """The rest of a reply that nobody wants any more does not reach the next client."""
    renew_queue(vm)
    handle = open_big_file(vm.agent())
    pieces = 0
    for _ in range(40):
        leave_in_mid_reply(vm.agent(), handle)
        vm.hang_up()
        client = vm.agent(sync=False)
        early = first_bytes(client, silent_s)
        pieces += early != b""
        assert len(early) <= PIECE_BYTES
        assert client.call("guest-ping") == {}
    client.call("guest-file-close", handle=handle)
    assert pieces <= 2


def test_port_is_unplugged_and_plugged(vm: VM) -> None:
    """A port may be taken away and put back at any time, by the same agent, without a restart."""
    pid = agent_pid(vm.agent())
    for connected in (False, True, False, True):
        if not connected:
            vm.hang_up()
        vm.unplug_port()
        vm.hang_up()
        vm.plug_port()
        assert vm.wait_agent(10) < 10
        assert agent_pid(vm.agent()) == pid


def test_port_is_unplugged_in_mid_reply(vm: VM) -> None:
    """A reply under way when the port goes ends there; the next port starts clean."""
    client = vm.agent()
    pid = agent_pid(client)
    handle = open_big_file(client)
    client.send((READ_BIG % handle).encode())
    assert client.sock.recv(1 << 16)
    vm.unplug_port()
    vm.hang_up()
    vm.plug_port()
    vm.wait_agent(10)
    client = vm.agent()
    assert client.sync() == b""
    assert agent_pid(client) == pid
    client.call("guest-file-close", handle=handle)


def test_driver_is_bound_anew(vm: VM) -> None:
    """A driver that lets go of the whole device and takes it again loses no agent."""
    client = vm.agent()
    pid = agent_pid(client)
    renew_queue(vm)
    assert agent_pid(vm.agent()) == pid


def test_driver_is_loaded_after_the_agent_started(initramfs_with: MakeInitramfs) -> None:
    """The agent may be there first: it waits for a port without being told to."""
    initramfs = initramfs_with(
        "--later", "virtio_console", "--add", f"{LATE_DRIVER}:/etc/init.d/S20late-driver"
    )
    with VM(initramfs, wait_agent=False) as vm:
        vm.wait_console("late-driver: the agent waits", 60)
        vm.wait_agent(15)
        assert int(shell(vm.agent(), "pidof tinyqga")) == agent_pid(vm.agent())
