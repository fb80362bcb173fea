"""The system commands: what the machine is, its name, its time and zone, and shutting it down."""

from __future__ import annotations

import os
import platform
import random
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent_process import Agent
from conftest import StartAgent
from connect import connect, end_process
from namespace import in_namespace
from qga import AgentError, Client

KERNEL = {
    "kernel-release": platform.release(),
    "kernel-version": platform.version(),
    "machine": platform.machine(),
}
# A member of the reply for each key of os-release.
MEMBERS = {
    "ID": "id",
    "NAME": "name",
    "PRETTY_NAME": "pretty-name",
    "VERSION": "version",
    "VERSION_ID": "version-id",
    "VARIANT": "variant",
    "VARIANT_ID": "variant-id",
}
ZONE_FOLDER = Path("/usr/share/zoneinfo")


@pytest.fixture
def client(shared_agent: Agent) -> Iterator[Client]:
    """A connection to the agent that all tests here share, unless they need one of their own."""
    with shared_agent.client() as connection:
        yield connection


# The operating system


class OsRelease:
    """An agent that reads its os-release anew for each request from a file of ours."""

    def __init__(self, start_agent: StartAgent, path: Path) -> None:
        self.path = path
        self.agent = start_agent(env={**os.environ, "QGA_OS_RELEASE": str(path)})

    def ask(self, content: bytes | None = None) -> dict[str, str]:
        """The reply without the kernel's members, which are checked; content is written first."""
        if content is not None:
            self.path.write_bytes(content)
        with self.agent.client() as client:
            reply: dict[str, str] = client.call("guest-get-osinfo")
        assert {key: reply.pop(key) for key in KERNEL} == KERNEL
        return reply


@pytest.fixture
def os_release(start_agent: StartAgent, tmp_path: Path) -> OsRelease:
    return OsRelease(start_agent, tmp_path / "os-release")


def test_kernel(client: Client) -> None:
    """The kernel's release, version and machine are those of uname."""
    reply = client.call("guest-get-osinfo")
    assert {key: reply[key] for key in KERNEL} == KERNEL


def test_this_machine(client: Client) -> None:
    """Without the variable it is /etc/os-release, as Python reads it."""
    try:
        expected = platform.freedesktop_os_release()
    except OSError:
        pytest.skip("this machine has no os-release")
    raw = Path("/etc/os-release")
    text = (raw if raw.exists() else Path("/usr/lib/os-release")).read_text()
    present = {line.partition("=")[0].strip() for line in text.splitlines()}
    reply = client.call("guest-get-osinfo")
    for key, member in MEMBERS.items():
        assert reply.get(member) == (expected.get(key) if key in present else None), key


def test_every_key(os_release: OsRelease) -> None:
    """Each key is its member, other keys and comments are none, in whatever order they come."""
    lines = [f'{key}="value of {key}"' for key in reversed(MEMBERS)]
    lines[3:3] = ["# NAME=comment", "", "HOME_URL=https://example.org/", "NAMES=x", "XNAME=y"]
    assert os_release.ask("\n".join(lines).encode()) == {
        member: f"value of {key}" for key, member in MEMBERS.items()
    }


def test_a_few_keys(os_release: OsRelease) -> None:
    """Keys that the file lacks are absent, not empty."""
    assert os_release.ask(b"ID=tiny\n") == {"id": "tiny"}
    assert os_release.ask(b"# nothing\n\n") == {}
    assert os_release.ask(b"") == {}


@pytest.mark.ours
@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "13",
        '""',
        "''",
        '"two words"',
        "'two words'",
        r'"a \"quoted\" word"',
        r'"dollar \$HOME, tick \`x\`, backslash \\"',
        r'"other escapes \n \t \a stay"',
        r"'single \n \" stay'",
        r"plain\ with\ escapes\"",
        r'"it\'s"',
        '"it\'s"',
        "'say \"x\"'",
        '"größe 𝄞"',
        '"# no comment"',
        "a=b=c",
        '"a=b"',
        '"trailing backslash \\\\"',
    ],
)
def test_quoting(os_release: OsRelease, value: str) -> None:
    """Quotes and escapes are undone as the shell does it, compared with the shell itself."""
    content = f"NAME={value}\nID=next\n"
    script = '. "$0"; printf "%s" "$NAME"'
    os_release.path.write_text(content)
    shell = subprocess.run(
        ["/bin/sh", "-c", script, str(os_release.path)], stdout=subprocess.PIPE, check=True
    )
    assert os_release.ask() == {"name": shell.stdout.decode(), "id": "next"}


def test_missing_file(os_release: OsRelease) -> None:
    """No file: only the kernel's three."""
    assert os_release.ask() == {}


@pytest.mark.ours
def test_no_final_newline(os_release: OsRelease) -> None:
    """The last line counts without its newline, quoted or not."""
    assert os_release.ask(b"ID=a\nNAME=last") == {"id": "a", "name": "last"}
    assert os_release.ask(b'ID=a\nNAME="la st"') == {"id": "a", "name": "la st"}


@pytest.mark.ours
def test_repeated_key(os_release: OsRelease) -> None:
    """Of a key that comes twice the last counts, as for the shell, and the reply has it once."""
    assert os_release.ask(b"NAME=first\nID=x\nNAME=second\n") == {"name": "second", "id": "x"}


@pytest.mark.ours
def test_long_lines(os_release: OsRelease) -> None:
    """Long lines do not hide the keys after them, and a file beyond any buffer is no harm."""
    content = b"ID=start\nBUG_URL=" + b"x" * 10_000 + b"\nNAME=after\n"
    assert os_release.ask(content) == {"id": "start", "name": "after"}
    assert os_release.ask(b"#" * 10_000 + b"\nNAME=after\n") == {"name": "after"}
    assert os_release.ask(b"# line\n" * 1000 + b"NAME=after\n") == {"name": "after"}
    reply = os_release.ask(b'ID=start\nPRETTY_NAME="' + b"p" * 200_000 + b'"\nNAME=after\n')
    assert reply["id"] == "start"
    assert set(reply.get("pretty-name", "p")) == {"p"}
    assert set(os_release.ask(b"# line\n" * 100_000 + b"NAME=after\n")) <= {"name"}


@pytest.mark.ours
@pytest.mark.parametrize(
    "line",
    [
        b"NAME", b"=value", b"NAME=\"never closed", b"NAME='never closed", b"NAME=ends\\",
        b'NAME="ends\\', b"\0\0\0", b"NAME=a\0b", b"NAME=\xff\xfe", b'"NAME"=x', b"[general]",
        b"\xef\xbb\xbfNAME=x", b"NAME=x\r", b'NAME="x"\r', b"NAME = spaced", b" \t ",
    ],
)
def test_broken_lines(os_release: OsRelease, line: bytes) -> None:
    """A line that is none of the format does not keep the lines around it from being read."""
    reply = os_release.ask(b"ID=before\n" + line + b"\nVERSION_ID=after\n")
    assert reply["id"] == "before"
    if b"never closed" not in line and not line.endswith(b"\\") and b"\0" not in line:
        assert reply["version-id"] == "after"
    assert set(reply) <= {"id", "name", "version-id"}


@pytest.mark.ours
def test_strange_files(os_release: OsRelease) -> None:
    """A folder or an unreadable link gives the kernel's three; a FIFO does not hang the agent."""
    os_release.path.mkdir()
    assert os_release.ask() == {}
    os_release.path.rmdir()
    os_release.path.symlink_to(os_release.path)
    assert os_release.ask() == {}
    os_release.path.unlink()
    os.mkfifo(os_release.path)
    assert os_release.ask() == {}


@contextmanager
def agent_with_etc(agent_path: Path, folder: Path, etc: Path) -> Iterator[Client]:
    """A client of an agent for which a folder of ours is /etc."""
    steering = ("TZ", "TZDIR", "QGA_OS_RELEASE", "QGA_CONF")
    env = {key: value for key, value in os.environ.items() if key not in steering}
    words = [str(agent_path), "-m", "unix-listen", "-p", f"{folder}/s", "-t", str(folder)]
    with subprocess.Popen(
        in_namespace({etc: "/etc"}) + words, stdin=subprocess.DEVNULL, env=env
    ) as process:
        try:
            with connect(folder / "s") as client:
                yield client
        finally:
            end_process(process)


def test_places_of_os_release(agent_path: Path, short_tmp: Path) -> None:
    """Without the variable /etc/os-release is read, and /usr/lib/os-release where that is not."""
    etc = short_tmp / "etc"
    etc.mkdir()
    own = etc / "os-release"
    own.write_text("NAME=own\n")
    with agent_with_etc(agent_path, short_tmp, etc) as client:
        assert client.call("guest-get-osinfo") == {**KERNEL, "name": "own"}
        own.unlink()
        if Path("/usr/lib/os-release").exists():
            found = client.call("guest-get-osinfo")
            machine = platform.freedesktop_os_release()
            assert found.get("name") == machine.get("NAME") != "own"


def test_host_name(client: Client) -> None:
    """The host name is the kernel's."""
    assert client.call("guest-get-host-name") == {"host-name": socket.gethostname()}


# Time


def test_time(client: Client) -> None:
    """The time is in nanoseconds, between the moments before and after the question."""
    before = time.time_ns()
    found = client.call("guest-get-time")
    after = time.time_ns()
    # QEMU's agent counts in microseconds, so it may be a little early.
    assert before - 1_000_000 <= found <= after


def test_time_goes_on(client: Client) -> None:
    """It never runs backwards and does move."""
    times = [client.call("guest-get-time") for _ in range(50)]
    assert times == sorted(times)
    assert times[0] < times[-1]


def need_command(client: Client, command: str) -> None:
    """Skip the test of a command whose family was not compiled in."""
    rows = client.call("guest-info")["supported_commands"]
    if command not in {row["name"] for row in rows}:
        pytest.skip(f"the agent was built without {command}")


def test_bad_times(client: Client) -> None:
    """Setting a time out of the clock's range is refused before anything is set."""
    need_command(client, "guest-set-time")
    before = time.time()
    desc = failure(client, "guest-set-time", time="now")
    assert desc == "Invalid parameter type for 'time', expected: integer"
    for value in (2**63 - 1, -1, -(2**63), 3_155_760_000 * 10**9):
        desc = failure(client, "guest-set-time", time=value)
        assert desc.startswith(("Time ", "Invalid time", "Failed to set time to guest: ")), desc
    assert abs(time.time() - before) < 60


def failure(client: Client, command: str, **arguments: Any) -> str:
    """The text of the error that a command must answer with."""
    with pytest.raises(AgentError) as caught:
        client.call(command, **arguments)
    assert caught.value.error_class == "GenericError"
    return caught.value.desc


# The time zone


def zone_of(start_agent: StartAgent, name: str | None, **more: str) -> dict[str, Any]:
    """guest-get-timezone of an agent with the variable TZ."""
    env = {key: value for key, value in os.environ.items() if key not in ("TZ", "TZDIR")}
    if name is not None:
        env["TZ"] = name
    agent = start_agent(env={**env, **more})
    with agent.client() as client:
        reply: dict[str, Any] = client.call("guest-get-timezone")
    agent.stop()
    return reply


def expected_zone(name: str | None) -> dict[str, Any]:
    """What the C library here makes of the same variable, as date(1) prints it."""
    env = {key: value for key, value in os.environ.items() if key not in ("TZ", "TZDIR")}
    if name is not None:
        env["TZ"] = name
    text = subprocess.run(
        ["/bin/date", "+%Z %::z"], stdout=subprocess.PIPE, text=True, check=True, env=env
    ).stdout
    abbreviation, offset = text.split()
    hours, minutes, seconds = (int(part) for part in offset[1:].split(":"))
    total = hours * 3600 + minutes * 60 + seconds
    return {"zone": abbreviation, "offset": -total if offset[0] == "-" else total}


def need_zone(name: str) -> None:
    if not (ZONE_FOLDER / name).exists():
        pytest.skip(f"this machine has no time zone file {name}")


@pytest.mark.parametrize(
    "name",
    [
        "UTC", "UTC0", "GMT0", "EST5", "EST5EDT,M3.2.0,M11.1.0", "CET-1CEST,M3.5.0,M10.5.0/3",
        "<+0530>-5:30", "<-03>3", "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", "LMT0:19:32",
        "AAA+5", "AAA-14", "AAA24", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "XXX3YYY,J60/2,J300",
        "XXX3YYY,59/2:30:15,299", "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "XXX0YYY,M3.2.0/-167,M11.1.0/167",
        # GLib gets these wrong: summer time behind standard time, and all year round.
        pytest.param("IST-1GMT0,M10.5.0,M3.5.0/1", marks=pytest.mark.ours),
        pytest.param("XXX3YYY2,0/0,J365/25", marks=pytest.mark.ours),
    ],
)
def test_zone_rules(start_agent: StartAgent, name: str) -> None:
    """TZ as a rule of POSIX, with its extensions, agrees with the C library."""
    assert zone_of(start_agent, name) == expected_zone(name)


def day_forms(moment: datetime) -> list[str]:
    """A moment's day in the three forms of a rule: Jn, n and Mm.w.d."""
    day = moment.timetuple().tm_yday
    leap = moment.year % 4 == 0 and (moment.year % 100 != 0 or moment.year % 400 == 0)
    julian = day - 1 if leap and day > 60 else day
    week, weekday = (moment.day - 1) // 7 + 1, (moment.weekday() + 1) % 7
    return [f"J{julian}", f"{day - 1}", f"M{moment.month}.{week}.{weekday}"]


@pytest.mark.parametrize(
    "form",
    # GLib counts the days of Jn from 0.
    [pytest.param(0, marks=pytest.mark.ours, id="J"), pytest.param(1, id="n"),
     pytest.param(2, id="M")],
)
@pytest.mark.parametrize("starts", [True, False], ids=["starts", "ends"])
@pytest.mark.parametrize("offset_s", [-7200, 7200], ids=["was", "will be"])
def test_changes_near_now(
    start_agent: StartAgent, form: int, starts: bool, offset_s: int
) -> None:
    """Rules whose summer time began or ended two hours ago, or will in two hours, are computed
    right, the hour's side and the offset before the change included."""
    moment = datetime.fromtimestamp(time.time() + offset_s, timezone.utc)
    day = day_forms(moment)[form]
    # Times of a rule are local: standard time is UTC-1 here, summer time UTC.
    local = moment.hour * 60 + moment.minute - (60 if starts else 0)
    sign = "-" if local < 0 else ""
    here = f"{day}/{sign}{abs(local) // 60}:{abs(local) % 60:02}"
    far = day_forms(datetime.fromtimestamp(time.time() + 120 * 86400, timezone.utc))[form]
    rules = f"{here},{far}/2" if starts else f"{far}/2,{here}"
    name = f"STD1SUM,{rules}"
    summer = starts == (offset_s < 0)
    assert zone_of(start_agent, name) == (
        {"zone": "SUM", "offset": 0} if summer else {"zone": "STD", "offset": -3600}
    ), name


@pytest.mark.parametrize(
    "name",
    ["Europe/Berlin", ":Asia/Kolkata", "America/New_York", "Australia/Sydney", "Asia/Kathmandu",
     "Pacific/Chatham", "Australia/Lord_Howe", "America/St_Johns", "Europe/Dublin", "Etc/GMT+5",
     "Africa/Casablanca", "America/Nuuk", "Asia/Gaza", "Antarctica/Troll", "Pacific/Apia",
     "America/Sao_Paulo", "Asia/Tehran", "Pacific/Kiritimati", "EST5EDT"],
)
def test_zone_files(start_agent: StartAgent, name: str) -> None:
    """TZ as the name of a zone file, with and without a colon, agrees with Python's reading."""
    plain = name.lstrip(":")
    need_zone(plain)
    now = datetime.now(ZoneInfo(plain))
    offset = now.utcoffset()
    assert offset is not None
    found = zone_of(start_agent, name)
    assert found == {"zone": now.tzname(), "offset": int(offset.total_seconds())}


SOURCE = """\
Rule Half 2000 max - Apr Sun>=1 2:00s 0 S
Rule Half 2000 max - Oct Sun>=1 2:00s 0:30 D
Zone Test/South 10:00 - LMT 1950
                10:30 Half TS%sT
Zone Test/Fixed -3:30:00 - LMT 1990
                -4:45 - XYZ
Zone Test/Stopped 1:00 - AAA 2001
                1:30 - BBB 2010 Jun 15
                2:15 - CCC
Zone Test/Future 1:00 - NOW 2099
                9:00 - LATER
Link Test/South Test/Linked
"""


@pytest.mark.parametrize("format_", ["fat", "slim"])
@pytest.mark.parametrize("zone", ["South", "Fixed", "Stopped", "Future", "Linked"])
def test_compiled_zones(
    start_agent: StartAgent, tmp_path: Path, format_: str, zone: str
) -> None:
    """Zone files that zic writes fat and slim, by their absolute path, agree with the C library:
    slim ones say nothing of the present but in their rule at the end."""
    zic = shutil.which("zic", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if zic is None:
        pytest.skip("this machine has no zic")
    source = tmp_path / "source"
    source.write_text(SOURCE)
    folder = tmp_path / format_
    subprocess.run([zic, "-b", format_, "-d", str(folder), str(source)], check=True)
    name = f"{folder}/Test/{zone}"
    expected = expected_zone(name)
    assert zone_of(start_agent, name) == expected
    assert zone_of(start_agent, f":{name}") == expected


def version_1(transitions: list[int], kinds: list[int], types: list[tuple[int, int, int]],
              names: bytes) -> bytes:
    """A zone file of version 1: 32-bit times and no rule at the end."""
    header = struct.pack(
        ">4sc15x6l", b"TZif", b"\0", 0, 0, 0, len(transitions), len(types), len(names)
    )
    body = struct.pack(f">{len(transitions)}l", *transitions) + bytes(kinds)
    body += b"".join(struct.pack(">lBB", *kind) for kind in types)
    return header + body + names


def test_version_1_file(start_agent: StartAgent, tmp_path: Path) -> None:
    """A file of the first version has its transitions alone; the last that is over counts."""
    now = int(time.time())
    path = tmp_path / "zone"
    path.write_bytes(version_1(
        [now - 90_000, now - 3600, now + 3600], [0, 1, 2],
        [(3600, 0, 0), (7200, 1, 4), (-1800, 0, 8)], b"AAA\0BBB\0CCC\0",
    ))
    assert zone_of(start_agent, str(path)) == {"zone": "BBB", "offset": 7200}


@pytest.mark.ours
@pytest.mark.parametrize("cut", [0, 3, 43, 44, 60, 100, 500])
def test_cut_zone_files(start_agent: StartAgent, tmp_path: Path, cut: int) -> None:
    """A zone file that ends too early gives UTC, or what its whole part says; never a crash."""
    need_zone("Europe/Berlin")
    path = tmp_path / "zone"
    path.write_bytes((ZONE_FOLDER / "Europe/Berlin").read_bytes()[:cut])
    reply = zone_of(start_agent, str(path))
    assert abs(reply["offset"]) <= 86_400 * 7
    assert set(reply) <= {"zone", "offset"}


@pytest.mark.ours
@pytest.mark.parametrize("seed", range(4))
def test_damaged_zone_files(start_agent: StartAgent, tmp_path: Path, seed: int) -> None:
    """Random damage to a zone file, its counts first, never ends the agent."""
    need_zone("Europe/Berlin")
    dice = random.Random(seed)
    path = tmp_path / "zone"
    agent = start_agent(env={**os.environ, "TZ": str(path)})
    good = (ZONE_FOLDER / "Europe/Berlin").read_bytes()
    with agent.client() as client:
        for _ in range(50):
            damaged = bytearray(good)
            for _ in range(dice.randrange(1, 5)):
                place = dice.choice([dice.randrange(20, 44), dice.randrange(len(good))])
                damaged[place] = dice.choice([0, 0xFF, 0x7F, 0x80, dice.randrange(256)])
            path.write_bytes(damaged)
            reply = client.call("guest-get-timezone")
            assert isinstance(reply["offset"], int)


@pytest.mark.ours
@pytest.mark.parametrize(
    "name",
    ["", ":", "Nonsense/Nowhere", "../../etc/passwd", "/etc", "/dev/null", "X" * 10_000, "A", "AB5",
     "EST5EDT,", "EST5EDT,M", "EST5EDT,M13.1.0,M1.1.0", "EST5EDT,M3.6.0,M1.1.7", "<AAA5", "<>5",
     "EST999999999999999999", "EST5:", "EST5EDT,J0,J366", "EST5EDT,J1/999999999,J2", "\xff\xfe5"],
)
def test_zones_that_are_none(start_agent: StartAgent, name: str) -> None:
    """A TZ that means nothing is UTC, or what its good part says; never a hang or a crash."""
    reply = zone_of(start_agent, name)
    assert set(reply) <= {"zone", "offset"}
    assert abs(reply["offset"]) <= 86_400 * 7
    if name in ("", ":", "Nonsense/Nowhere", "/dev/null", "/etc"):
        assert reply["offset"] == 0


@pytest.mark.ours
def test_fifo_as_zone(start_agent: StartAgent, tmp_path: Path) -> None:
    """A FIFO where the zone file should be does not hang the agent."""
    os.mkfifo(tmp_path / "fifo")
    assert zone_of(start_agent, str(tmp_path / "fifo"))["offset"] == 0


def test_machine_zone(start_agent: StartAgent) -> None:
    """Without TZ it is the machine's /etc/localtime."""
    assert zone_of(start_agent, None) == expected_zone(None)


@pytest.mark.parametrize("name", ["Asia/Kolkata", "Australia/Sydney", None])
def test_other_machine_zone(agent_path: Path, short_tmp: Path, name: str | None) -> None:
    """/etc/localtime may be any zone; without it, it is UTC."""
    etc = short_tmp / "etc"
    etc.mkdir()
    expected: dict[str, Any] = {"zone": "UTC", "offset": 0}
    if name:
        need_zone(name)
        expected = expected_zone(name)
        (etc / "localtime").symlink_to(ZONE_FOLDER / name)
    with agent_with_etc(agent_path, short_tmp, etc) as client:
        assert client.call("guest-get-timezone") == expected


# Shutting down: only what is refused. Nothing here may ever send a valid mode.


def test_shutdown_with_a_bad_mode(client: Client) -> None:
    """Another mode is refused in the words that clients know, which lack their last character."""
    for mode in ("sideways", "", "HALT", "power", "halt|reboot"):
        desc = failure(client, "guest-shutdown", mode=mode)
        assert desc == "mode is invalid (valid values are: halt|powerdown|reboot"


def test_shutdown_with_a_bad_type(client: Client) -> None:
    """A mode that is no string, and another argument, are refused by the arguments' check."""
    modes: list[Any] = [1, True, None, []]
    for mode in modes:
        desc = failure(client, "guest-shutdown", mode=mode)
        assert desc == "Invalid parameter type for 'mode', expected: string"
    assert failure(client, "guest-shutdown", modus="x") == "Parameter 'modus' is unexpected"


# Users

UTMP = struct.Struct("<hxxi32s4s32s256shhiii4i20x")  # glibc's record on x86
USER_PROCESS, DEAD_PROCESS, BOOT_TIME = 7, 8, 2


def login(user: str | bytes, seconds: int, micros: int = 0, kind: int = USER_PROCESS) -> bytes:
    name = user.encode() if isinstance(user, str) else user
    return UTMP.pack(kind, 77, b"tty1", b"1", name, b"host", 0, 0, 1, seconds, micros, 0, 0, 0, 0)


class Users:
    """An agent for which a folder of ours is /run."""

    def __init__(self, start_agent: StartAgent, folder: Path) -> None:
        self.path = folder / "run" / "utmp"
        self.path.parent.mkdir()
        self.agent = start_agent(wrapper=in_namespace({self.path.parent: "/run"}))

    def ask(self, *records: bytes) -> dict[str, float]:
        """The users and their times, by their logins."""
        self.path.write_bytes(b"".join(records))
        with self.agent.client() as client:
            rows = client.call("guest-get-users")
        assert all(set(row) == {"user", "login-time"} for row in rows)
        assert len({row["user"] for row in rows}) == len(rows)
        return {row["user"]: row["login-time"] for row in rows}


@pytest.fixture
def users(start_agent: StartAgent, tmp_path: Path) -> Users:
    return Users(start_agent, tmp_path)


def test_users(users: Users) -> None:
    """Each user comes once, with the earliest login; other records are none."""
    assert users.ask(
        login("reboot", 1_600_000_000, kind=BOOT_TIME), login("bob", 1_700_000_002),
        login("alice", 1_700_000_000, 123_456), login("bob", 1_700_000_001, 5),
        login("gone", 1_700_000_000, kind=DEAD_PROCESS), login("bob", 1_700_000_001, 999_999),
    ) == {"bob": 1_700_000_001.000005, "alice": 1_700_000_000.123456}


def test_no_users(users: Users) -> None:
    """No file, and an empty one, are no users."""
    assert users.ask() == {}
    users.path.unlink()
    with users.agent.client() as client:
        assert client.call("guest-get-users") == []


def test_longest_user_name(users: Users) -> None:
    """A name that fills its field has no NUL at its end; the host's name is no part of it."""
    assert users.ask(login("n" * 32, 5), login("n" * 31, 6), login("n" * 32, 4)) == {
        "n" * 32: 4, "n" * 31: 6
    }


@pytest.mark.ours
def test_damaged_utmp(users: Users, rng: random.Random) -> None:
    """A record that is cut off is none, and neither is one without a name; garbage is no crash."""
    assert users.ask(login("bob", 5), login("", 5), login("cut", 5)[:-1]) == {"bob": 5}
    (name, seconds), = users.ask(login(b"\xff\xfe", 5, -1)).items()
    assert name == "\ufffd\ufffd" and 5 <= seconds < 6
    for _ in range(20):
        users.ask(login("bob", 5)[:2] + bytes(rng.randrange(256) for _ in range(5000)))
    with users.agent.client() as client:
        users.path.unlink()
        os.mkfifo(users.path)
        assert client.call("guest-get-users") == []


@pytest.mark.ours
def test_times_beyond_2038(users: Users) -> None:
    """The 32 bits of a record last until 2106."""
    assert users.ask(login("bob", 4_000_000_000 - (1 << 32), 500_000)) == {"bob": 4_000_000_000.5}


def test_many_users(users: Users) -> None:
    """More logins than any buffer takes, the earliest far behind."""
    expected = {f"user{n}": 1_700_000_000 + n for n in range(600)}
    records = [login(name, seconds + 9) for name, seconds in expected.items()]
    records += [login(name, seconds) for name, seconds in reversed(expected.items())]
    assert users.ask(*records) == expected


def test_users_have_their_form(client: Client) -> None:
    """Users are rows of a name and a time, each user once; no file, no rows."""
    need_command(client, "guest-get-users")
    rows = client.call("guest-get-users")
    names = [row["user"] for row in rows]
    assert len(names) == len(set(names))
    for row in rows:
        assert set(row) <= {"user", "login-time", "domain"}
        assert 0 < row["login-time"] <= time.time() + 1
