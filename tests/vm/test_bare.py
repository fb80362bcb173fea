"""A guest in which neither /proc nor /sys is mounted: what is left must work."""

from __future__ import annotations

import pytest
from qga import AgentError

from vm.conftest import MakeInitramfs
from vm.guest import read_file, write_file
from vm.rig import VM


def test_only_dev_is_mounted(initramfs_with: MakeInitramfs) -> None:
    """The agent serves a port named by its node; what needs /proc or /sys says so, or does
    without, and never ends the agent."""
    initramfs = initramfs_with("--no-proc-sys", "--agent-args", "-p /dev/vport0p1")
    with VM(initramfs) as vm:
        client = vm.agent()
        listing = client.run("ls", "/proc", "/sys")
        assert listing["out-data"].split() == [b"/proc:", b"/sys:"]
        assert client.call("guest-ping") == {}
        commands = client.call("guest-info")["supported_commands"]

        health = client.call("tinyqga-health")
        assert health["status"] == "pass"
        assert {"name": "loopback", "status": "pass", "output": "127.0.0.1 answers"} in health[
            "checks"
        ]
        assert health["uptime-ms"] > 0
        assert 0 < health["memory"]["available"] <= health["memory"]["total"]

        assert client.call("guest-get-osinfo")["id"] == "tinyqga-guest"
        assert client.run("sh", "-c", "echo out; echo err >&2; exit 3") == {
            "exited": True,
            "exitcode": 3,
            "out-data": b"out\n",
            "out-truncated": False,
            "err-data": b"err\n",
            "err-truncated": False,
        }
        data = bytes(range(256)) * 1000
        write_file(client, "/tmp/file", data)
        assert read_file(client, "/tmp/file") == data

        for entry in commands:
            if "-get-" in entry["name"] and "ssh" not in entry["name"]:
                try:
                    client.call(entry["name"])
                except AgentError as error:
                    assert error.error_class == "GenericError", entry
        assert client.call("guest-fsfreeze-status") == "thawed"
        with pytest.raises(AgentError):
            client.call("guest-ssh-get-authorized-keys", username="root")
        with pytest.raises(AgentError):
            client.call("guest-set-vcpus", vcpus=[{"logical-id": 77, "online": False}])
        assert client.call("guest-ping") == {}
