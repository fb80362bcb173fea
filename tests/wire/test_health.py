"""The agent's own report: tinyqga-health."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent_process import Agent, wait_until
from conftest import StartAgent
from qga import AgentError

pytestmark = pytest.mark.ours

RANK = ["pass", "warn", "fail"]


class Health:
    """An agent with a folder of checks of its own."""

    def __init__(self, start_agent: StartAgent, folder: Path) -> None:
        self.folder = folder
        self.agent: Agent = start_agent("--health-dir", str(folder))

    def put(self, name: str | bytes, content: bytes) -> None:
        self.folder.mkdir(exist_ok=True)
        Path(os.fsdecode(os.path.join(os.fsencode(self.folder), os.fsencode(name)))).write_bytes(
            content
        )

    def ask(self) -> dict[str, Any]:
        """The reply, whose shape is checked."""
        with self.agent.client() as client:
            reply: dict[str, Any] = client.call("tinyqga-health")
        assert set(reply) <= {"status", "uptime-ms", "boot-id", "memory", "load1m", "checks"}
        names = []
        for check in reply["checks"]:
            assert {"name", "status"} <= set(check) <= {"name", "status", "output"}
            assert check["status"] in RANK
            names.append(check["name"])
        assert len(names) == len(set(names))
        worst = max((RANK.index(check["status"]) for check in reply["checks"]), default=0)
        assert reply["status"] == RANK[worst]
        return reply

    def checks(self) -> dict[str, tuple[str, str | None]]:
        """The checks by name: status and output."""
        return {
            check["name"]: (check["status"], check.get("output")) for check in self.ask()["checks"]
        }

    def one(self, content: bytes) -> tuple[str, str | None]:
        """What becomes of a single check with a content."""
        self.put("one", content)
        found = self.checks()
        assert set(found) == {"one"}
        return found["one"]


@pytest.fixture
def health(start_agent: StartAgent, tmp_path: Path) -> Health:
    return Health(start_agent, tmp_path / "health")


def test_no_folder(health: Health) -> None:
    """Without the folder, and with an empty one, there are no checks and the status is pass."""
    for _ in range(2):
        reply = health.ask()
        assert (reply["status"], reply["checks"]) == ("pass", [])
        health.folder.mkdir(exist_ok=True)


def test_arguments(health: Health) -> None:
    """The command takes no arguments."""
    with health.agent.client() as client, pytest.raises(AgentError) as caught:
        client.call("tinyqga-health", x=1)
    assert caught.value.desc == "Parameter 'x' is unexpected"


def test_guest_info_lists_it(health: Health) -> None:
    """Clients find the command in guest-info, enabled and with a reply."""
    with health.agent.client() as client:
        rows = client.call("guest-info")["supported_commands"]
    assert {"name": "tinyqga-health", "enabled": True, "success-response": True} in rows


@pytest.mark.parametrize("status", RANK)
def test_statuses(health: Health, status: str) -> None:
    """The first word is the status, the rest of the first line the output."""
    health.put("network", f"{status} eth0 10.0.2.15\nsecond line\n".encode())
    assert health.checks() == {"network": (status, "eth0 10.0.2.15")}
    assert health.ask()["status"] == status


def test_output_is_optional(health: Health) -> None:
    """A status alone, with or without a newline, has no output, or an empty one."""
    for content in (b"pass", b"pass\n", b"pass \n", b"pass\n\nmore\n"):
        status, output = health.one(content)
        assert (status, output or "") == ("pass", ""), content


def test_without_a_newline(health: Health) -> None:
    """A file need not end with a newline."""
    assert health.one(b"warn disk 91 %") == ("warn", "disk 91 %")


def test_worst_wins(health: Health) -> None:
    """The overall status is the worst, and follows the files as they change."""
    for name, content, expected in [
        ("a", b"pass\n", "pass"), ("b", b"warn low\n", "warn"), ("c", b"pass\n", "warn"),
        ("d", b"fail broken\n", "fail"), ("d", b"pass mended\n", "warn"), ("b", b"pass\n", "pass"),
    ]:
        health.put(name, content)
        assert health.ask()["status"] == expected
    (health.folder / "d").unlink()
    assert set(health.checks()) == {"a", "b", "c"}


NOT_A_STATUS = [
    b"", b"\n", b" \n", b"PASS\n", b"passed\n", b"passport\n", b"ok\n", b"failing x\n", b"0\n",
    b"\0", b"pass\0x\n", b"\xff\xfe\n", b"\x7fELF", b"\npass\n", b"\0" * 100_000,
]


@pytest.mark.parametrize("content", NOT_A_STATUS, ids=[repr(item[:12]) for item in NOT_A_STATUS])
def test_anything_else_is_a_failure(health: Health, content: bytes) -> None:
    """A file that says something else, or nothing, is a failure with words that say so."""
    status, output = health.one(content)
    assert status == "fail"
    assert output


def test_white_space(health: Health) -> None:
    """Blanks and tabs divide the words; a carriage return is no part of the status."""
    assert health.one(b"pass\tx y\n")[0] == "pass"
    status, output = health.one(b"warn   three  blanks\n")
    assert status == "warn"
    assert output is not None and output.strip() == "three  blanks"


def test_long_first_line(health: Health) -> None:
    """A first line beyond any buffer is cut, not refused, and does not spill over."""
    health.put("z-after", b"warn after\n")
    health.put("long", b"pass " + b"x" * 200_000 + b"\nfail\n")
    found = health.checks()
    status, output = found["long"]
    assert status == "pass"
    assert output and set(output) == {"x"}
    assert found["z-after"] == ("warn", "after")
    health.put("long", b"x" * 200_000)
    assert health.checks()["long"][0] == "fail"


def test_cut_between_bytes_of_a_character(health: Health) -> None:
    """A long line of multi-byte characters comes back well-formed wherever it is cut."""
    for lead in range(4):
        status, output = health.one(b"pass " + b"x" * lead + "𝄞".encode() * 20_000 + b"\n")
        assert status == "pass"
        assert output and set(output.strip("x")) <= {"𝄞", "\ufffd"}
        assert output.count("\ufffd") <= 3


def test_bytes_that_are_no_text(health: Health) -> None:
    """Undecodable bytes and control characters in content and name come escaped, in ASCII."""
    health.put(b"n\xff\xfe\xe9", b"warn \xff\xfe \xc3 \x01\x1b[31m \"quoted\\\"\n")
    with health.agent.client() as client:
        client.send(b'{"execute":"tinyqga-health"}\n')
        raw = client.line()
    assert raw.isascii()
    assert not any(byte < 0x20 or byte > 0x7E for byte in raw[:-1])
    (name, (status, output)), = health.checks().items()
    assert name.startswith("n\ufffd")
    assert status == "warn"
    assert output is not None
    assert "\ufffd" in output and "\x01\x1b[31m \"quoted\\\"" in output


def test_names(health: Health) -> None:
    """The file's name is the check's: UTF-8, blanks, the longest there is."""
    names = ["größe 𝄞", "two words", 'quo"te\\', "n" * 255, "new\nline"]
    for name in names:
        health.put(name, b"pass ok\n")
    assert health.checks() == {name: ("pass", "ok") for name in names}


def test_hidden_files(health: Health) -> None:
    """The folder's own entries are no checks; a half-written hidden file at least is no crash."""
    health.put(".hidden.tmp", b"pass ok\n")
    health.put("seen", b"pass ok\n")
    assert set(health.checks()) - {".hidden.tmp"} == {"seen"}


def test_unreadable_file(health: Health) -> None:
    """A check that cannot be read is a failure that says why."""
    health.put("good", b"pass\n")
    (health.folder / "folder").mkdir()
    (health.folder / "dangling").symlink_to(health.folder / "absent")
    (health.folder / "loop").symlink_to(health.folder / "loop")
    found = health.checks()
    assert found["good"][0] == "pass"
    for name in set(found) - {"good"}:
        status, output = found[name]
        assert status == "fail" and output, name
    assert health.ask()["status"] == "fail"


def test_file_without_permission(health: Health) -> None:
    """A file that may not be read is a failure; root reads everything."""
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    health.put("secret", b"pass\n")
    (health.folder / "secret").chmod(0)
    status, output = health.checks()["secret"]
    assert status == "fail" and output


def test_symbolic_link_out(health: Health, tmp_path: Path) -> None:
    """A link out of the folder gives away nothing of a file that is no check."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"root:$6$hash:secret\n")
    health.put("good", b"pass\n")
    (health.folder / "link").symlink_to(secret)
    reply = health.ask()
    assert "secret" not in str(reply).replace(str(tmp_path), "")
    assert "hash" not in str(reply)
    linked = [check for check in reply["checks"] if check["name"] == "link"]
    assert all(check["status"] == "fail" for check in linked)


def test_fifo_and_other_kinds(health: Health) -> None:
    """FIFOs, sockets and devices among the checks do not hang the agent, nor are they read."""
    health.put("good", b"pass\n")
    os.mkfifo(health.folder / "fifo")
    os.mkfifo(health.folder / "held")
    keep = os.open(health.folder / "held", os.O_RDWR | os.O_NONBLOCK)
    try:
        if os.geteuid() == 0:
            os.mknod(health.folder / "zero", 0o020666, os.makedev(1, 5))
        began = time.monotonic()
        found = health.checks()
        assert time.monotonic() - began < 10.0
    finally:
        os.close(keep)
    assert found["good"][0] == "pass"
    assert all(status == "fail" for name, (status, _) in found.items() if name != "good")


def test_folder_that_is_none(start_agent: StartAgent, tmp_path: Path) -> None:
    """A file where the folder should be is a failure that names it: checks that cannot be read
    are not the same as none."""
    path = tmp_path / "file"
    path.write_bytes(b"pass\n")
    (name, (status, output)), = Health(start_agent, path).checks().items()
    assert (name, status) == (str(path), "fail")
    assert output and "Not a directory" in output


def test_five_hundred_checks(health: Health) -> None:
    """Five hundred checks are all there, each its own."""
    for number in range(500):
        health.put(f"check-{number:03}", f"{RANK[number % 2]} output {number}\n".encode())
    assert health.checks() == {
        f"check-{number:03}": (RANK[number % 2], f"output {number}") for number in range(500)
    }
    assert health.ask()["status"] == "warn"


def test_large_checks_together(health: Health) -> None:
    """More output than a reply's buffer holds still comes as one reply."""
    for number in range(200):
        health.put(f"check-{number:03}", b"pass " + b"%03d" % number * 300 + b"\n")
    found = health.checks()
    assert len(found) == 200
    for number in range(200):
        status, output = found[f"check-{number:03}"]
        assert status == "pass" and output and output.startswith(f"{number:03}" * 20)


def test_files_that_come_and_go(health: Health) -> None:
    """While others replace the checks without pause, every reply is whole and well-formed."""
    health.put("steady", b"pass steady\n")
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            temporary = health.folder / "t"
            temporary.write_bytes(b"warn %d\n" % number)
            temporary.rename(health.folder / f"c{number % 5}")
            (health.folder / f"c{(number + 2) % 5}").unlink(missing_ok=True)

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for _ in range(100):
            assert health.checks()["steady"] == ("pass", "steady")
    finally:
        stop.set()
        worker.join()


def test_default_folder(agent: Agent) -> None:
    """Without the option the folder is /run/health, which need not exist."""
    with agent.client() as client:
        reply = client.call("tinyqga-health")
    folder = Path("/run/health")
    present = set(os.listdir(folder)) if folder.is_dir() else set()
    assert {check["name"] for check in reply["checks"]} == present


def memory_fields() -> dict[str, int]:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines}


def test_figures(health: Health) -> None:
    """Uptime, boot id, memory and load are those of /proc."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    reply = health.ask()
    after = time.clock_gettime(time.CLOCK_BOOTTIME)
    # Some kernels count the uptime without the time asleep, so it may be less.
    assert reply["uptime-ms"] <= after * 1000 + 1
    assert reply["uptime-ms"] >= time.clock_gettime(time.CLOCK_MONOTONIC) * 1000 - (
        (after - before) * 1000 + 50
    )
    assert reply["boot-id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    memory = memory_fields()
    assert reply["memory"]["total"] == memory["MemTotal"]
    assert 0 < reply["memory"]["available"] <= memory["MemTotal"]
    assert abs(reply["memory"]["available"] - memory["MemAvailable"]) < memory["MemTotal"] // 10
    load = float(Path("/proc/loadavg").read_text().split()[0])
    assert abs(reply["load1m"] - load) <= max(0.5, load * 0.2)


def test_uptime_goes_on(health: Health) -> None:
    """The uptime is in milliseconds and moves."""
    first = health.ask()["uptime-ms"]
    wait_until(lambda: bool(health.ask()["uptime-ms"] > first), "the uptime has grown", 5.0)
    assert health.ask()["uptime-ms"] - first < 5000
