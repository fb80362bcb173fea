"""Guests in QEMU: make an initramfs, boot it, talk to its agent, always end it.

    initramfs = make_initramfs(Path("/tmp/x.gz"), "--module", "vsock_loopback")
    with VM(initramfs, serial=True) as vm:
        print(vm.agent().call("guest-info"))

Every wait has a limit; what passes it raises VMError with the end of the guest's console.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qga import Client

ROOT = Path(__file__).resolve().parents[2]
AGENT = ROOT / "build" / "tinyqga"
BOOT_LIMIT_S = 60.0
LIFE_LIMIT_S = 1200
POLL_S = 0.02
# A serial line that nobody has opened yet drops what it is sent, so a client tries again.
ANSWER_LIMIT_S = 2.0


class VMError(Exception):
    """Something in the guest or in QEMU did not come in time, or ended too soon."""


class Monitor:
    """QEMU's own channel (QMP): commands, and the events that they cause."""

    def __init__(self, path: str, timeout_s: float = 20.0) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout_s)
        self.sock.connect(path)
        self.timeout_s = timeout_s
        self.stream = self.sock.makefile("rb")
        self.events: list[dict[str, Any]] = []
        self._message()
        self.execute("qmp_capabilities")

    def close(self) -> None:
        self.stream.close()
        self.sock.close()

    def _message(self) -> dict[str, Any]:
        line = self.stream.readline()
        if not line:
            raise ConnectionError("QEMU has closed its monitor")
        message: dict[str, Any] = json.loads(line)
        return message

    def execute(self, command: str, **arguments: Any) -> Any:
        """One command: bus_id=… becomes the argument bus-id. Its value, or VMError."""
        request: dict[str, Any] = {"execute": command}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): value for k, value in arguments.items()}
        self.sock.settimeout(self.timeout_s)
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self._message()
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise VMError(f"{command}: {message['error']['desc']}")
            else:
                return message["return"]

    def wait_event(self, name: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """The next event of that name, whether it came already or not."""
        deadline = time.monotonic() + timeout_s
        while True:
            for index, event in enumerate(self.events):
                if event["event"] == name:
                    return self.events.pop(index)
            left = deadline - time.monotonic()
            if left <= 0:
                raise VMError(f"no event {name} from QEMU within {timeout_s} s")
            self.sock.settimeout(left)
            message = self._message()
            if "event" in message:
                self.events.append(message)


def make_initramfs(output: Path, *options: str, agent: Path = AGENT) -> Path:
    """Run scripts/mkinitramfs; its output on failure is the error's text."""
    command = [str(ROOT / "scripts" / "mkinitramfs"), "-o", str(output), "--agent", str(agent)]
    done = subprocess.run(command + list(options), capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise VMError(f"mkinitramfs failed: {done.stderr}")
    return output


class VM:
    """One guest, from its boot to its end.

    memory_mib, cpus: the guest's. serial: a second channel, ttyS1. port: whether there is a
    virtio port. wait_agent: whether entering waits for the agent's first answer.
    qemu: further QEMU arguments. options: further options of scripts/run-vm.
    """

    def __init__(
        self,
        initramfs: Path,
        *,
        memory_mib: int = 256,
        cpus: int = 1,
        serial: bool = False,
        port: bool = True,
        append: str = "",
        accel: str | None = None,
        options: tuple[str, ...] = (),
        qemu: tuple[str, ...] = (),
        wait_agent: bool = True,
        boot_limit_s: float = BOOT_LIMIT_S,
        life_limit_s: int = LIFE_LIMIT_S,
        folder: Path | None = None,
    ) -> None:
        self.own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="tinyqga-vm-"))
        self.wait_for_agent = wait_agent and port
        self.boot_limit_s = boot_limit_s
        self.process: subprocess.Popen[bytes] | None = None
        self.monitor: Monitor | None = None
        self.clients: dict[str, Client] = {}
        self.command = [str(ROOT / "scripts" / "run-vm"), "--dir", str(self.folder)]
        if life_limit_s:
            self.command = ["timeout", "-k", "5", str(life_limit_s), *self.command]
        self.command += ["--initrd", str(initramfs), "--memory", str(memory_mib)]
        self.command += ["--cpus", str(cpus)]
        accel = accel or os.environ.get("TINYQGA_ACCEL")
        if accel:
            self.command += ["--accel", accel]
        if append:
            self.command += ["--append", append]
        if serial:
            self.command.append("--serial")
        if not port:
            self.command.append("--no-port")
        self.command += [*options, "--", *qemu]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if value is not None:
            print(self.tail())
        self.stop()

    def start(self) -> None:
        """Start QEMU, and wait for its monitor and, if asked for, for the agent."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with open(self.folder / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_for(self._connect_monitor, 30, "QEMU's monitor did not answer")
        if self.wait_for_agent:
            self.wait_agent(self.boot_limit_s)

    def stop(self) -> None:
        """End QEMU, whatever state it is in, and close every connection to it."""
        for path in list(self.clients):
            self.hang_up(path)
        if self.monitor:
            self.monitor.close()
            self.monitor = None
        if self.process:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(5)
            self.process = None
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _connect_monitor(self) -> bool:
        try:
            self.monitor = Monitor(str(self.folder / "qmp.sock"))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    @property
    def socket_path(self) -> str:
        return str(self.folder / "agent.sock")

    @property
    def serial_path(self) -> str:
        return str(self.folder / "serial.sock")

    def agent(self, timeout_s: float = 20.0, sync: bool = True) -> Client:
        """A new connection to the agent's port; the one before it is closed."""
        return self._client(self.socket_path, timeout_s, sync)

    def serial_client(self, timeout_s: float = 20.0, sync: bool = True) -> Client:
        """A new connection to the second channel, ttyS1."""
        return self._client(self.serial_path, timeout_s, sync)

    def _client(self, path: str, timeout_s: float, sync: bool) -> Client:
        self.hang_up(path)
        client = Client(path, timeout_s, sync)
        self.clients[path] = client
        return client

    def hang_up(self, path: str | None = None) -> None:
        """Close the connection to a channel: QEMU serves one client at a time."""
        client = self.clients.pop(path or self.socket_path, None)
        if client:
            client.close()

    def wait_agent(self, timeout_s: float = BOOT_LIMIT_S, path: str | None = None) -> float:
        """Wait until an agent answers on its channel; how many seconds that took."""
        channel = path or self.socket_path
        self.hang_up(channel)
        started = time.monotonic()

        def answers() -> bool:
            try:
                with Client(channel, ANSWER_LIMIT_S) as client:
                    client.call("guest-ping")
            except (OSError, TimeoutError):
                return False
            return True

        self.wait_for(answers, timeout_s, "the agent did not answer")
        return time.monotonic() - started

    def qmp(self, command: str, **arguments: Any) -> Any:
        """One command for QEMU, underscores in names for hyphens."""
        if not self.monitor:
            raise VMError("QEMU is not running")
        return self.monitor.execute(command, **arguments)

    def unplug_port(self) -> None:
        """Take the agent's port out of the running guest."""
        if not self.monitor:
            raise VMError("QEMU is not running")
        self.monitor.execute("device_del", id="qgaport")
        self.monitor.wait_event("DEVICE_DELETED")

    def plug_port(self, name: str = "org.qemu.guest_agent.0") -> None:
        """Put the agent's port (back) into the running guest."""
        self.qmp(
            "device_add",
            driver="virtserialport",
            id="qgaport",
            bus="vser.0",
            chardev="qga0",
            name=name,
        )

    def console(self) -> str:
        """What the guest has printed so far."""
        try:
            return (self.folder / "console.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def tail(self, lines: int = 30) -> str:
        """The end of the console, and what QEMU itself had to say, for a person to read."""
        text = "\n".join(self.console().splitlines()[-lines:])
        report = f"--- the end of the guest's console ---\n{text}"
        qemu = self.folder / "qemu.log"
        if qemu.exists() and qemu.stat().st_size:
            report += f"\n--- QEMU ---\n{qemu.read_text(errors='replace')}"
        return report

    def wait_console(self, pattern: str, timeout_s: float = 30.0) -> re.Match[str]:
        """Wait until the console holds a match of the pattern."""
        found: list[re.Match[str]] = []

        def matches() -> bool:
            match = re.search(pattern, self.console())
            if match:
                found.append(match)
            return bool(match)

        self.wait_for(matches, timeout_s, f"the console did not show {pattern!r}")
        return found[0]

    def wait_exit(self, timeout_s: float = 60.0) -> int:
        """Wait until QEMU has ended by itself; its exit status."""
        if not self.process:
            raise VMError("QEMU is not running")
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise VMError(f"QEMU has not ended within {timeout_s} s\n{self.tail()}") from None

    def wait_for(self, condition: Callable[[], bool], timeout_s: float, failure: str) -> None:
        """Ask until the condition holds. QEMU ending meanwhile is a failure, too."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if not self.process or self.process.poll() is not None:
                raise VMError(f"QEMU is not running: {failure}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise VMError(f"{failure} within {timeout_s} s\n{self.tail()}")
            time.sleep(POLL_S)
