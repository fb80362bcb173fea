"""vsock-listen over loopback in the guest, where every peer is a local program (CID 1)."""

from __future__ import annotations

import time

from qga import Client

from vm.guest import second_agent, shell
from vm.rig import VM

PORT = 1234
ANY_CID = 0xFFFFFFFF
LOCAL_CID = 1


def load_loopback(client: Client) -> None:
    shell(
        client,
        "grep -q ^vsock_loopback /proc/modules || "
        "while read -r module; do insmod $module; done </etc/modules.later",
    )


def ask(client: Client, request: str) -> tuple[int, str]:
    """Let a program in the guest ask over vsock: its exit status and what it got. A port that
    nobody listens on yet is tried again for a while."""
    words = f"printf '%s' '{request}' | vsock-client {LOCAL_CID} {PORT}"
    deadline = time.monotonic() + 10
    while True:
        done = client.run("sh", "-c", words)
        if b"connect" not in done["err-data"] or time.monotonic() > deadline:
            return done["exitcode"], done["out-data"].decode()


def listen(*more: str) -> tuple[str, ...]:
    return ("-m", "vsock-listen", "-p", f"{ANY_CID}:{PORT}", "-t", "/run/vsock", *more)


def test_local_peer_is_refused(vm: VM) -> None:
    """Any local program can reach a vsock port over loopback, and the agent is root: only the
    host is served."""
    load_loopback(vm.agent())
    with second_agent(vm, *listen()):
        client = vm.agent()
        for _ in range(3):
            status, reply = ask(client, '{"execute":"guest-ping"}')
            assert (status, reply) == (1, "")


def test_any_peer_is_served_if_asked_for(vm: VM) -> None:
    """With --vsock-peers=any a local program is served, one after the other."""
    load_loopback(vm.agent())
    with second_agent(vm, *listen("--vsock-peers=any")):
        client = vm.agent()
        for number in range(5):
            shell(client, f"printf '{{' | timeout -s KILL 0.2 vsock-client 1 {PORT} || true")
            request = f'{{"execute":"guest-sync","arguments":{{"id":{number}}}}}'
            assert ask(client, request) == (0, f'{{"return": {number}}}\n')
