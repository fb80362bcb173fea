"""What scripts/demo does once the packages are there: build, boot, ask, verify, shut down."""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qga import AgentError, Client

from vm.rig import AGENT, ROOT, VM, VMError, make_initramfs

INITRAMFS = ROOT / "build" / "demo-initramfs.gz"
REPLY_LIMIT_S = 10.0
SHUTDOWN_LIMIT_S = 20.0
FILE_BYTES = 1 << 20
CHUNK_BYTES = 256 << 10
CLOCK_LIMIT_S = 60
SHOWN_CHARS = 400
EXPECTED_CHECKS = {"loopback", "memory"}


class DemoError(Exception):
    """An answer was not right, or did not come."""


@contextlib.contextmanager
def step(title: str) -> Iterator[list[str]]:
    """Print a title, then what the body appended, with the time that it took."""
    print(f"{title} ", end="", flush=True)
    notes: list[str] = []
    started = time.monotonic()
    try:
        yield notes
    except BaseException:
        print("FAILED", flush=True)
        raise
    print(f"{', '.join(notes)}  [{time.monotonic() - started:.2f} s]", flush=True)


def verify(right: bool, complaint: str) -> None:
    if not right:
        raise DemoError(complaint)


def command(*words: str, limit_s: float) -> str:
    """Run a program of this machine to its end; its standard output."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit_s, cwd=ROOT)
    except subprocess.TimeoutExpired:
        raise DemoError(f"{' '.join(words)} has not ended within {limit_s:.0f} s") from None
    verify(done.returncode == 0, f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def ask(client: Client, name: str, shown: str | None = None, **arguments: Any) -> Any:
    """Send a request; print it, its reply (or `shown`, formatted with its value) and its time."""
    request: dict[str, Any] = {"execute": name}
    if arguments:
        request["arguments"] = {k.replace("_", "-"): value for k, value in arguments.items()}
    print(f"  > {json.dumps(request)}", flush=True)
    started = time.monotonic()
    try:
        reply = client.request(request)
    except TimeoutError:
        raise DemoError(f"no answer to {name} within {client.timeout_s:.0f} s") from None
    took_ms = (time.monotonic() - started) * 1000
    text = json.dumps(reply)
    if shown is not None and "return" in reply:
        text = shown.format(reply["return"])
    if len(text) > SHOWN_CHARS:
        text = f"{text[:SHOWN_CHARS]} …"
    print(f"  < {text}  [{took_ms:.1f} ms]", flush=True)
    verify("return" in reply, f"{name} answered with an error")
    return reply["return"]


def run(client: Client, *words: str) -> str:
    """A program in the guest by guest-exec, its end awaited with guest-exec-status."""
    pid = ask(client, "guest-exec", path=words[0], arg=list(words[1:]), capture_output=True)["pid"]
    deadline = time.monotonic() + REPLY_LIMIT_S
    while True:
        status = client.call("guest-exec-status", pid=pid)
        if status["exited"]:
            break
        verify(time.monotonic() < deadline, f"{words[0]} has not ended in the guest")
        time.sleep(0.005)
    print(f'  > {{"execute": "guest-exec-status", "arguments": {{"pid": {pid}}}}}')
    print(f"  < {json.dumps({'return': status})}")
    verify(status.get("exitcode") == 0, f"{words[0]} ended with {status.get('exitcode')}")
    output = base64.b64decode(status.get("out-data", "")).decode()
    for line in output.splitlines():
        print(f"    | {line}")
    return output


def show_identity(client: Client, release: str) -> None:
    info = ask(
        client,
        "guest-info",
        '{{"return": {{"version": "{0[version]}", "supported_commands": [ … ]}}}}',
    )
    version = info["version"]
    verify(bool(re.fullmatch(r"\d+\.\d+\.\d+", version)), f"{version} is no version")
    names = [entry["name"] for entry in info["supported_commands"] if entry["enabled"]]
    print(f"    {len(names)} commands are enabled")
    for name in ("guest-exec", "guest-file-read", "guest-shutdown", "tinyqga-health"):
        verify(name in names, f"guest-info does not list {name}")

    osinfo = ask(client, "guest-get-osinfo")
    verify(osinfo["kernel-release"] == release, f"the guest does not run {release}")
    verify(osinfo["id"] == "tinyqga-guest", "the guest's os-release was not read")

    ahead_s = ask(client, "guest-get-time") / 1e9 - time.time()
    print(f"    {ahead_s:+.2f} s against this machine's clock")
    verify(abs(ahead_s) < CLOCK_LIMIT_S, "the guest's clock is wrong")


def show_health(client: Client) -> None:
    health = ask(client, "tinyqga-health")
    checks = {check["name"]: check["status"] for check in health["checks"]}
    verify(EXPECTED_CHECKS <= checks.keys(), f"of {EXPECTED_CHECKS}, only {checks} are reported")
    verify(set(checks.values()) == {"pass"}, f"a check did not pass: {checks}")
    verify(health["status"] == "pass", f"the guest's health is {health['status']}")


def show_file(client: Client) -> None:
    path = "/tmp/pushed"
    data = os.urandom(FILE_BYTES)
    with step(f"  {FILE_BYTES:,} random bytes to {path}") as notes:
        handle = client.call("guest-file-open", path=path, mode="w")
        for start in range(0, FILE_BYTES, CHUNK_BYTES):
            end = start + CHUNK_BYTES
            chunk = data[start:end]
            text = base64.b64encode(chunk).decode()
            written = client.call("guest-file-write", handle=handle, buf_b64=text)
            verify(written["count"] == len(chunk), "guest-file-write wrote too little")
        client.call("guest-file-close", handle=handle)
        notes.append("written")
    with step("  … and read back") as notes:
        handle = client.call("guest-file-open", path=path)
        back = bytearray()
        while True:
            read = client.call("guest-file-read", handle=handle, count=CHUNK_BYTES)
            back += base64.b64decode(read["buf-b64"])
            if read["eof"]:
                break
            verify(len(back) <= FILE_BYTES, "guest-file-read gives more than was written")
        client.call("guest-file-close", handle=handle)
        verify(back == data, "the bytes read are not those written")
        notes.append("the same bytes")
    digest = run(client, "sha256sum", path).split()[0]
    verify(digest == hashlib.sha256(data).hexdigest(), "the guest's checksum is another one")
    print("    which is the checksum of what was sent")


def shut_down(vm: VM, client: Client) -> None:
    print('  > {"execute": "guest-shutdown"}', flush=True)
    client.send(b'{"execute": "guest-shutdown"}\n')
    with step("  (no reply: the guest powers off)") as notes:
        status = vm.wait_exit(SHUTDOWN_LIMIT_S)
        verify(status == 0, f"QEMU ended with status {status}")
        notes.append("QEMU has ended with status 0")


def explain_keep(vm: VM) -> None:
    print(f"""
The guest is left running. Its files are in {vm.folder}:
  agent.sock   the agent's port; one client at a time
  qmp.sock     QEMU's monitor
  console.log  what the guest prints
To talk to the agent, type requests into
  socat - UNIX-CONNECT:{vm.socket_path}
or from a script
  echo '{{"execute":"guest-info"}}' | socat -t 2 - UNIX-CONNECT:{vm.socket_path},shut-none
To stop it
  echo '{{"execute":"guest-shutdown"}}' | socat -t 2 - UNIX-CONNECT:{vm.socket_path},shut-none
or, whatever state it is in
  kill $(cat {vm.folder}/pid)""")


def prepare(arguments: argparse.Namespace) -> str:
    """Build what the guest is made of; the kernel's release."""
    print(f"Packages: all there  [{arguments.deps_ms / 1000:.2f} s]")
    with step("Agent: make static,") as notes:
        command("make", "static", limit_s=300)
        notes.append(f"build/tinyqga has {AGENT.stat().st_size:,} bytes, and needs no other file")
    with step("Kernel:") as notes:
        folder = Path(command("scripts/fetch-kernel", limit_s=900).strip())
        release = (folder / "release").read_text().strip()
        notes.append(f"{release}, unpacked in {folder.relative_to(ROOT)}")
    with step("Initramfs: busybox, modules, agent,") as notes:
        make_initramfs(INITRAMFS)
        notes.append(f"{INITRAMFS.relative_to(ROOT)} has {INITRAMFS.stat().st_size:,} bytes")
    with step("Accelerator:") as notes:
        if not arguments.accel:
            words = ("scripts/run-vm", "--accel-of-choice")
            arguments.accel = command(*words, limit_s=30).strip()
        notes.append(arguments.accel)
    return release


def show(vm: VM, release: str, keep: bool) -> None:
    """All that the guest is asked, once it has started."""
    with step("Boot:") as notes:
        vm.wait_agent()
        notes.append("the agent answers")
    client = vm.agent(REPLY_LIMIT_S)
    print("\nThis line of the guest's /etc/inittab started it:")
    lines = client.run("cat", "/etc/inittab")["out-data"].decode().splitlines()
    started_by = [line for line in lines if line.endswith("/sbin/tinyqga")]
    verify(len(started_by) == 1, f"not one line of /etc/inittab starts the agent: {lines}")
    print(f"    {started_by[0]}")

    print("\nWho are you?")
    show_identity(client, release)
    print("\nHow are you? Its init script wrote these checks into /run/health.")
    show_health(client)
    print("\nRun a program.")
    output = run(client, "/bin/sh", "-c", "uname -a; free -m | head -n 2")
    verify(release in output, "the program did not print the kernel's release")
    print("\nPush a file and read it back.")
    show_file(client)
    if keep:
        vm.hang_up()
        return
    print("\nShut down.")
    shut_down(vm, client)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--accel", choices=("kvm", "tcg"))
    parser.add_argument("--deps-ms", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    started = time.monotonic()
    vm = None
    kept = False
    try:
        release = prepare(arguments)
        limit_s = 0 if arguments.keep else 300
        vm = VM(INITRAMFS, accel=arguments.accel, wait_agent=False, life_limit_s=limit_s)
        vm.start()
        show(vm, release, arguments.keep)
        kept = arguments.keep
    except (AgentError, DemoError, VMError, OSError, ValueError, KeyError, TypeError) as error:
        print(f"\nThis went wrong: {type(error).__name__}: {error}", file=sys.stderr)
        if vm and not isinstance(error, VMError):
            print(vm.tail(), file=sys.stderr)
        return 1
    finally:
        if vm and not kept:
            vm.stop()
    if kept:
        explain_keep(vm)
    else:
        print(f"\nAll of it was right, in {time.monotonic() - started:.1f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
