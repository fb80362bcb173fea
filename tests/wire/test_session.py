"""The session commands, the echo of the id, and what the administrator has blocked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from agent_process import Agent
from conftest import StartAgent
from qga import AgentError, Client

QEMU_RELEASE = "11.1.0"
# QEMU 11.1's commands for Linux, and the watchdog's.
QEMU_COMMANDS = frozenset(
    """
    guest-sync guest-sync-delimited guest-ping guest-info
    guest-file-open guest-file-close guest-file-flush guest-file-read guest-file-write
    guest-file-seek
    guest-exec guest-exec-status
    guest-get-fsinfo guest-get-disks guest-get-diskstats guest-fsfreeze-status
    guest-fsfreeze-freeze guest-fsfreeze-freeze-list guest-fsfreeze-thaw guest-fstrim
    guest-get-vcpus guest-set-vcpus guest-get-cpustats guest-get-load guest-get-memory-blocks
    guest-set-memory-blocks guest-get-memory-block-info
    guest-network-get-interfaces guest-network-get-route
    guest-get-osinfo guest-get-host-name guest-get-time guest-set-time guest-get-timezone
    guest-get-users guest-shutdown guest-suspend-disk guest-suspend-ram guest-suspend-hybrid
    guest-set-user-password guest-ssh-get-authorized-keys guest-ssh-add-authorized-keys
    guest-ssh-remove-authorized-keys
    guest-set-watchdog-timeout
    """.split()
)
OUR_COMMANDS = frozenset(
    """
    tinyqga-health tinyqga-exec tinyqga-exec-read tinyqga-exec-write tinyqga-exec-signal
    tinyqga-exec-resize tinyqga-exec-list
    """.split()
)
# No reply on success.
SILENT = frozenset(
    "guest-shutdown guest-suspend-disk guest-suspend-ram guest-suspend-hybrid".split()
)
# What a faulty agent must not be lured into by a test on somebody's machine.
DANGEROUS = SILENT | {"guest-fsfreeze-freeze", "guest-fstrim"}
# Commands for other systems, which QEMU's agent before 9.1 lists as disabled.
FOREIGN = frozenset({"guest-get-devices"})


def info_rows(client: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.call("guest-info")["supported_commands"]
    return rows


def error_of(client: Client, command: str, **arguments: Any) -> AgentError:
    with pytest.raises(AgentError) as caught:
        client.call(command, **arguments)
    return caught.value


# ---- guest-sync, guest-sync-delimited, guest-ping --------------------------------------------


def test_ping(shared_agent: Agent) -> None:
    """The simplest request has an empty result, with the separators that shell scripts grep."""
    with shared_agent.client() as client:
        client.send(b'{"execute":"guest-ping"}')
        assert client.line() == b'{"return": {}}\n'


@pytest.mark.parametrize("value", [0, 1, -1, 2**31, -2**31 - 1, 2**63 - 1, -2**63])
def test_sync_returns_its_id(shared_agent: Agent, value: int) -> None:
    """Any 64-bit integer comes back; delimited puts one 0xFF before the line, and nothing else."""
    with shared_agent.client() as client:
        request = b'{"execute":"guest-sync%s","arguments":{"id":%d}}'
        client.send(request % (b"", value))
        assert client.line() == b'{"return": %d}\n' % value
        client.send(request % (b"-delimited", value))
        assert client.line() == b'\xff{"return": %d}\n' % value


@pytest.mark.parametrize("command", ["guest-sync", "guest-sync-delimited"])
def test_sync_without_a_good_id(shared_agent: Agent, command: str) -> None:
    """The id must be there and an integer; an error has no 0xFF before it."""
    wrong = "Invalid parameter type for 'id', expected: integer"
    with shared_agent.client() as client:
        assert error_of(client, command).desc == "Parameter 'id' is missing"
        values: list[Any] = ["1", None, True, 1.5, [], {}, 2**63, -2**63 - 1]
        for value in values:
            assert error_of(client, command, id=value).desc == wrong, value
        error = error_of(client, command, id=1, x=2)
        assert error.error_class == "GenericError"
        assert error.desc == "Parameter 'x' is unexpected"
        client.send(b'{"execute":"%s"}' % command.encode())
        assert client.line().startswith(b'{"error"')


def test_handshake_costs_nothing(shared_agent: Agent) -> None:
    """0xFF and sync, again and again, also in the middle of a request: the next answer comes."""
    with shared_agent.client() as client:
        for _ in range(20):
            client.send(b'{"execute":"guest-pi')
            client.sync()
            assert client.call("guest-ping") == {}


# ---- The echo of the id ----------------------------------------------------------------------


IDS: list[Any] = [
    0, -1, 7, 2**63 - 1, "x", "", "\u00e9\n\"\\", "\U0001f600", None, True, False, [], {},
    [[], {}], {"b": 1, "a": [None, "x", True, {"c": {}}]}, {"id": {"id": 1}},
]


@pytest.mark.parametrize("value", IDS, ids=repr)
def test_id_comes_back_by_value(shared_agent: Agent, value: Any) -> None:
    """Any JSON value, on a success, on an error of the command and on one of the envelope."""
    with shared_agent.client() as client:
        requests: list[tuple[dict[str, Any], str]] = [
            ({"execute": "guest-ping"}, "return"),
            ({"execute": "guest-sync"}, "error"),
            ({"execute": "guest-no-such"}, "error"),
            ({"execute": 5}, "error"),
            ({}, "error"),
            ({"execute": "guest-ping", "arguments": 1}, "error"),
            ({"execute": "guest-ping", "unknown": 1}, "error"),
        ]
        for request, outcome in requests:
            for order in ({**request, "id": value}, {"id": value, **request}):
                reply = client.request(order)
                assert set(reply) == {outcome, "id"}, order
                assert reply["id"] == value, order
                assert type(reply["id"]) is type(value), order
            assert "id" not in client.request(request)


def test_id_does_not_stay(shared_agent: Agent) -> None:
    """Errors about bad JSON have no id, nor the id of a request before."""
    with shared_agent.client() as client:
        assert client.request({"execute": "guest-ping", "id": 5}) == {"return": {}, "id": 5}
        for bad in (b'{"id":6,}', b'{"id":6,"id":7}', b"[6]", b'{"id":6 "execute"}'):
            client.send(bad)
            assert b'"id"' not in client.line(), bad
            client.sync()


# ---- guest-info ------------------------------------------------------------------------------


def test_info(shared_agent: Agent) -> None:
    """Three numbers as version; each command once, with whether it may be used and replies."""
    with shared_agent.client() as client:
        info = client.call("guest-info")
        assert set(info) == {"version", "supported_commands"}
        assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", info["version"])
        rows = info["supported_commands"]
        names = [row["name"] for row in rows]
        assert len(names) == len(set(names))
        for row in rows:
            assert set(row) == {"name", "enabled", "success-response"}
            assert row["success-response"] is (row["name"] not in SILENT), row
        assert error_of(client, "guest-info", x=1).desc == "Parameter 'x' is unexpected"


@pytest.mark.ours
def test_info_names_the_release_and_its_commands(shared_agent: Agent) -> None:
    """The version is the release whose commands we serve; nothing outside of the two sets."""
    with shared_agent.client() as client:
        info = client.call("guest-info")
        assert info["version"] == QEMU_RELEASE
        names = {row["name"] for row in info["supported_commands"]}
        assert names <= QEMU_COMMANDS | OUR_COMMANDS
        assert all(row["enabled"] is True for row in info["supported_commands"])


@pytest.mark.ours
def test_all_commands_are_there(shared_agent: Agent) -> None:
    """The full build has QEMU's 43, the watchdog's and our own."""
    with shared_agent.client() as client:
        names = {row["name"] for row in info_rows(client)}
    missing = (QEMU_COMMANDS | OUR_COMMANDS) - names
    if missing:
        pytest.skip(f"not compiled in: {', '.join(sorted(missing))}")
    assert len(QEMU_COMMANDS) == 43 + 1


def test_what_info_lists_is_served(shared_agent: Agent) -> None:
    """An unexpected argument is an error of the arguments, of each command that is listed."""
    with shared_agent.client() as client:
        for row in info_rows(client):
            if row["name"] in DANGEROUS | FOREIGN:
                continue
            # Commands that need an argument name that one, which is as good.
            reply = client.request({"execute": row["name"], "arguments": {"no-such\n": 1}})
            assert reply["error"]["class"] == "GenericError", row
            assert re.fullmatch(
                r"Parameter '[a-z0-9-]+' is missing|Parameter 'no-such\n' is unexpected",
                reply["error"]["desc"],
            ), row


def test_unknown_command(shared_agent: Agent) -> None:
    """The class by which libvirt knows that a command is not supported."""
    with shared_agent.client() as client:
        for name in ("guest-no-such", "", "guest-pin", "guest-pings", "GUEST-PING", "exec",
                     "guest_ping", " guest-ping", "\u00e9"):
            error = error_of(client, name, x=1)
            assert error.error_class == "CommandNotFound", name
            assert error.desc == f"The command {name} has not been found"


# ---- What the administrator has blocked ------------------------------------------------------


def check_blocked(client: Client, blocked: set[str]) -> None:
    """These and no others: guest-info says so, and they answer that they are disabled."""
    rows = info_rows(client)
    assert {row["name"] for row in rows if not row["enabled"]} - FOREIGN == blocked
    for name in blocked:
        # Before the arguments are looked at.
        reply = client.request({"execute": name, "arguments": {"no-such": 1}, "id": name})
        assert reply == {
            "id": name,
            "error": {
                "class": "CommandNotFound",
                "desc": f"Command {name} has been disabled: the command is not allowed",
            },
        }


@pytest.mark.ours
@pytest.mark.parametrize("form", [["-b", "%s"], ["-b%s"], ["--block-rpcs=%s"],
                                  ["--block-rpcs", "%s"]], ids=" ".join)
def test_blocked_commands(start_agent: StartAgent, form: list[str]) -> None:
    """-b LIST: those commands are disabled, the rest is served."""
    blocked = {"guest-ping", "guest-sync"}
    agent = start_agent(*[part.replace("%s", ",".join(sorted(blocked))) for part in form])
    with agent.client() as client:
        check_blocked(client, blocked)
        assert client.call("guest-sync-delimited", id=5) == 5


@pytest.mark.ours
@pytest.mark.parametrize("form", [["-a", "%s"], ["-a%s"], ["--allow-rpcs=%s"],
                                  ["--allow-rpcs", "%s"]], ids=" ".join)
def test_allowed_commands(start_agent: StartAgent, form: list[str]) -> None:
    """-a LIST: all others are disabled."""
    allowed = {"guest-sync-delimited", "guest-info", "guest-sync"}
    agent = start_agent(*[part.replace("%s", ",".join(sorted(allowed))) for part in form])
    with agent.client() as client:
        names = {row["name"] for row in info_rows(client)}
        check_blocked(client, names - allowed)
        assert client.call("guest-sync", id=3) == 3


@pytest.mark.ours
def test_block_list_of_one(start_agent: StartAgent) -> None:
    """A name that another begins with blocks only itself."""
    agent = start_agent("-b", "guest-sync")
    with agent.client() as client:
        check_blocked(client, {"guest-sync"})
