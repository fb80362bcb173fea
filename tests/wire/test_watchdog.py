"""The watchdog's command where there is no watchdog; the others are in tests/vm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import StartAgent
from namespace import in_namespace
from qga import AgentError, Client

pytestmark = pytest.mark.ours
COMMAND = "guest-set-watchdog-timeout"
INVALID = "failed to set watchdog timeout: Invalid argument"


def failure(client: Client, timeout: object) -> str:
    with pytest.raises(AgentError) as caught:
        client.call(COMMAND, timeout=timeout)
    assert caught.value.error_class == "GenericError"
    return caught.value.desc


def test_no_watchdog(start_agent: StartAgent, tmp_path: Path) -> None:
    """Without a watchdog it is not supported; what is no time is refused."""
    (tmp_path / "dev").mkdir()
    os.mknod(tmp_path / "dev" / "null", 0o20666, os.makedev(1, 3))
    binds = {tmp_path / "dev": "/dev"}
    if Path("/sys/class/watchdog").exists():
        # One without a driver: where it found none, the agent would look into a sysfs of its own.
        folder = tmp_path / "watchdogs" / "watchdog0"
        folder.mkdir(parents=True)
        (folder / "dev").write_text("510:5\n")
        binds[tmp_path / "watchdogs"] = "/sys/class/watchdog"
    agent = start_agent(wrapper=in_namespace(binds))
    agent.may_hold_descriptors = True
    with agent.client() as client:
        for timeout in (60, 1, 0):
            assert failure(client, timeout) == "this feature or command is not currently supported"
        for timeout in (-1, -(2**63), 2**31, 2**32, 2**63 - 1):
            assert failure(client, timeout) == INVALID
        assert failure(client, "5") == "Invalid parameter type for 'timeout', expected: integer"
