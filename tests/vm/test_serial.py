"""The second channel: isa-serial, a UART with one byte at a time and no sign of who is there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from qga import AgentError, Client

from vm.guest import agent_pid, read_file, second_agent, shell, write_file
from vm.rig import VM

SLOW_S = 60.0
FILE_BYTES = 1 << 20


@pytest.fixture
def serial(vm: VM) -> Iterator[Client]:
    """A connection to an agent on ttyS1."""
    arguments = ("-m", "isa-serial", "-p", "/dev/ttyS1", "-t", "/run/serial")
    with second_agent(vm, *arguments) as pid:
        vm.wait_agent(15, vm.serial_path)
        client = vm.serial_client(SLOW_S)
        assert agent_pid(client) == pid
        yield client


def test_basic_requests(vm: VM, serial: Client) -> None:
    """The same requests are answered alike on both channels."""
    assert serial.call("guest-ping") == {}
    assert serial.call("guest-sync", id=7) == 7
    port = vm.agent()
    for name in ("guest-info", "guest-get-osinfo", "guest-get-host-name", "guest-get-timezone"):
        assert serial.call(name) == port.call(name), name
    assert shell(serial, "printf 'a\\r\\nb\\377' | od -An -tx1").split() == "61 0d 0a 62 ff".split()
    with pytest.raises(AgentError, match="CommandNotFound"):
        serial.call("guest-no-such-command")


def test_line_is_raw(vm: VM, serial: Client) -> None:
    """No echo, no translation of line ends, no flow control: every byte that JSON may bring."""
    text = "".join(chr(code) for code in (3, 4, 13, 17, 19, 26, 28, 127))
    assert serial.call("guest-sync", id=1) == 1
    reply = serial.request({"execute": "guest-ping", "id": text})
    assert reply == {"return": {}, "id": text}
    serial.send(b'{"execute":\r\n"guest-ping"\r}\x7f'.rstrip(b"\x7f"))
    assert serial.line() == b'{"return": {}}\n'
    settings = shell(vm.agent(), "stty -a </dev/ttyS1")
    for setting in ("-echo", "-icanon", "-isig", "-ixon", "-crtscts", "-icrnl", "-opost", "cs8"):
        assert setting in settings.split() or f"{setting};" in settings.split(), settings


def test_file_there_and_back(serial: Client) -> None:
    """A MiB each way, in requests and replies far longer than the UART's buffers."""
    data = os.urandom(FILE_BYTES)
    write_file(serial, "/tmp/serial", data)
    assert read_file(serial, "/tmp/serial") == data


def test_large_reply(serial: Client) -> None:
    """One reply of more than a MiB arrives whole."""
    shell(serial, f"head -c {FILE_BYTES} /dev/zero >/tmp/zeros")
    assert read_file(serial, "/tmp/zeros", FILE_BYTES + 1) == bytes(FILE_BYTES)


def test_client_leaves(vm: VM, serial: Client) -> None:
    """The line does not tell of a hang-up; the next client's handshake must do."""
    serial.send(b'{"execute":"guest-pi')
    vm.hang_up(vm.serial_path)
    client = vm.serial_client(SLOW_S)
    assert client.call("guest-ping") == {}
    shell(client, f"head -c {FILE_BYTES} /dev/zero >/tmp/zeros")
    handle = client.call("guest-file-open", path="/tmp/zeros")
    count = FILE_BYTES
    client.send(
        b'{"execute":"guest-file-read","arguments":{"handle":%d,"count":%d}}' % (handle, count)
    )
    assert client.sock.recv(4096)
    vm.hang_up(vm.serial_path)
    client = vm.serial_client(SLOW_S, sync=False)
    assert len(client.sync()) < FILE_BYTES
    assert client.call("guest-file-close", handle=handle) == {}
