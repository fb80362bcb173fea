"""The command line, the configuration file, the log, the signals: the agent as a daemon."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_process import PATIENCE_S, SANITIZER_OPTIONS, Agent, wait_until
from conftest import StartAgent
from connect import connect, end_process
from namespace import in_namespace
from qga import AgentError, Client

REFERENCE = Path("/usr/sbin/qemu-ga")
LOG_LINE = re.compile(r"^\d+\.\d{6}: (error|critical|warning|message|info|debug): .+$")
# The keys that QEMU's agent 7.2 writes, in its order; it leaves out those in brackets if unset.
DUMP_KEYS = [
    "daemon", "method", "path", "[logfile]", "pidfile", "[fsfreeze-hook]", "statedir", "verbose",
    "retry-path", "block-rpcs",
]
# So that the machine's own configuration file has no say.
EMPTY_CONFIG = tempfile.NamedTemporaryFile(prefix="wire-", suffix=".conf")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def clean_environment(**more: str) -> dict[str, str]:
    """Ours without what steers an agent, and with an empty configuration file."""
    steering = ("QGA_CONF", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
    env = {key: value for key, value in os.environ.items() if key not in steering}
    return {**SANITIZER_OPTIONS, **env, "QGA_CONF": EMPTY_CONFIG.name, **more}


def run_program(program: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run an agent that is to end by itself, at once."""
    return subprocess.run(
        [str(program), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=clean_environment(**variables),
    )


@pytest.fixture
def run(agent_path: Path) -> Run:
    """Run the agent to its end, which must come at once."""

    def run_agent(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run_program(agent_path, *args, **variables)

    return run_agent


def parse_dump(text: str) -> dict[str, str]:
    """The keys and values of what -D prints, whose form is checked."""
    lines = text.splitlines()
    assert lines.pop(0) == "[general]"
    pairs = [line.partition("=") for line in lines if line]
    assert all(equals for _, equals, _ in pairs), text
    values = {key: value for key, _, value in pairs}
    assert len(values) == len(pairs)
    return values


def dump(run: Run, *args: str, **variables: str) -> dict[str, str]:
    result = run(*args, "-D", **variables)
    assert (result.returncode, result.stderr) == (0, ""), result
    return parse_dump(result.stdout)


def refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ended with status 1 or 2 and said why on stderr, with these words in it."""
    assert result.returncode in (1, 2), result
    assert result.stderr.strip(), "not a word on stderr"
    for word in words:
        assert word in result.stderr, result.stderr


def enabled(client: Client) -> dict[str, bool]:
    rows = client.call("guest-info")["supported_commands"]
    return {row["name"]: row["enabled"] for row in rows}


# Telling about itself


@pytest.mark.parametrize("option", ["-h", "--help", "--hel"])
def test_help(run: Run, option: str) -> None:
    """Help goes to stdout, names every option, and is a success."""
    result = run(option)
    assert (result.returncode, result.stderr) == (0, "")
    for name in ("method", "path", "logfile", "pidfile", "fsfreeze-hook", "statedir", "verbose",
                 "version", "daemonize", "block-rpcs", "dump-conf", "retry-path", "help"):
        assert f"--{name}" in result.stdout, name


@pytest.mark.ours
def test_help_of_newer_options(run: Run) -> None:
    """Help names what QEMU's agent 7.2 has not, too."""
    text = run("--help").stdout
    for name in ("allow-rpcs", "config", "health-dir"):
        assert f"--{name}" in text, name


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(run: Run, option: str) -> None:
    """The version goes to stdout."""
    result = run(option)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(r"\d+\.\d+", result.stdout)


@pytest.mark.ours
@pytest.mark.parametrize("option", ["--help", "--version", "-D", "-bhelp"])
def test_full_output(agent_path: Path, option: str) -> None:
    """What cannot be printed is not a success."""
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run(
            [str(agent_path), option], stdout=full, stderr=subprocess.PIPE,
            timeout=PATIENCE_S, env=clean_environment(), check=False,
        )
    assert result.returncode != 0


@pytest.mark.parametrize("option", ["-bhelp", "--block-rpcs=help", "--block-rpcs help"])
def test_list_of_commands(run: Run, agent: Agent, option: str) -> None:
    """`help` for a list prints every command, one a line, as guest-info has them."""
    result = run(*option.split())
    assert (result.returncode, result.stderr) == (0, "")
    with agent.client() as client:
        assert sorted(result.stdout.split()) == sorted(enabled(client))


@pytest.mark.ours
@pytest.mark.parametrize("option", ["-b?", "-ahelp", "--allow-rpcs=help", "--blacklist=help"])
def test_other_lists_of_commands(run: Run, option: str) -> None:
    """The other ways to ask for the list print the same."""
    assert run(option).stdout == run("-bhelp").stdout


# The command line


def test_defaults(run: Run) -> None:
    """What holds without any option, in the form of a configuration file."""
    values = dump(run)
    required = [key for key in DUMP_KEYS if not key.startswith("[")]
    assert [key for key in values if key in required] == required
    assert values["daemon"] == values["verbose"] == values["retry-path"] == "false"
    assert values["method"] == "virtio-serial"
    assert values["path"] == "/dev/virtio-ports/org.qemu.guest_agent.0"
    assert values["block-rpcs"] == ""
    assert "logfile" not in values and "fsfreeze-hook" not in values


def test_default_paths(run: Run) -> None:
    """Each method has its own default path."""
    assert dump(run, "-m", "isa-serial")["path"] == "/dev/ttyS0"
    assert dump(run, "-m", "isa-serial", "-p", "/x")["path"] == "/x"


VALUES = [
    ("m", "method", "method", "isa-serial"),
    ("p", "path", "path", "/a/path"),
    ("l", "logfile", "logfile", "/a/log"),
    ("f", "pidfile", "pidfile", "/a/pid"),
    ("t", "statedir", "statedir", "/a/state"),
    ("b", "block-rpcs", "block-rpcs", "guest-ping"),
    pytest.param("a", "allow-rpcs", "allow-rpcs", "guest-ping", marks=pytest.mark.ours),
]


@pytest.mark.parametrize("letter, name, key, value", VALUES)
def test_ways_to_give_a_value(run: Run, letter: str, name: str, key: str, value: str) -> None:
    """Attached and apart, short and long: the same."""
    expected = dump(run, f"-{letter}", value)
    assert expected[key] == value
    for words in ([f"-{letter}{value}"], [f"--{name}", value], [f"--{name}={value}"],
                  [f"-v{letter}{value}"], [f"-v{letter}", value]):
        found = dump(run, *words)
        if words[0].startswith("-v"):
            assert found["verbose"] == "true"
            found["verbose"] = "false"
        assert found == expected, words


FLAGS = [
    ("d", "daemonize", "daemon"), ("v", "verbose", "verbose"), ("r", "retry-path", "retry-path"),
]


@pytest.mark.parametrize("letter, name, key", FLAGS)
def test_flags(run: Run, letter: str, name: str, key: str) -> None:
    """A flag, short and long, sets its key alone."""
    expected = {**dump(run), key: "true"}
    assert dump(run, f"-{letter}") == expected
    assert dump(run, f"--{name}") == expected


@pytest.mark.parametrize("words", ["-dvr", "-rdv", "-d -v -r", "-dv --retry-path", "-d -vr -d"])
def test_bundles(run: Run, words: str) -> None:
    """Flags may be bundled in any order."""
    values = dump(run, *words.split())
    assert [values[key] for _, _, key in FLAGS] == ["true"] * 3


@pytest.mark.parametrize(
    "words, key, value",
    [("--pa=/x", "path", "/x"), ("--pid /x", "pidfile", "/x"), ("--meth isa-serial", "method",
     "isa-serial"), ("--l=/x", "logfile", "/x"), ("--s /x", "statedir", "/x"),
     ("--verb", "verbose", "true"), ("--fs=/x", "fsfreeze-hook", "/x"), ("--r", "retry-path",
     "true"), ("--block=guest-ping", "block-rpcs", "guest-ping")],
)
def test_abbreviations(run: Run, words: str, key: str, value: str) -> None:
    """A long name may be cut as long as it is unique."""
    assert dump(run, *words.split())[key] == value


@pytest.mark.parametrize(
    "words, hook",
    [("-F", "/etc/qemu/fsfreeze-hook"), ("--fsfreeze-hook", "/etc/qemu/fsfreeze-hook"),
     ("-F/a/hook", "/a/hook"), ("--fsfreeze-hook=/a/hook", "/a/hook"),
     ("-vF", "/etc/qemu/fsfreeze-hook"), ("-vF/a/hook", "/a/hook"),
     ("-F -v", "/etc/qemu/fsfreeze-hook")],
)
def test_hook(run: Run, words: str, hook: str) -> None:
    """The hook's path is optional, and only what is attached is the path."""
    assert dump(run, *words.split())["fsfreeze-hook"] == hook


def test_last_one_counts(run: Run) -> None:
    """Of two values for one option the later counts; lists add up."""
    assert dump(run, "-p/a", "--path=/b")["path"] == "/b"
    values = dump(run, "-b", "guest-ping", "--block-rpcs=guest-info,guest-sync")
    assert sorted(values["block-rpcs"].split(",")) == ["guest-info", "guest-ping", "guest-sync"]


REFUSED: list[tuple[list[str], str]] = [
    (["--nope"], "--nope"),
    (["--nope=x"], "--nope"),
    (["-Q"], "Q"),
    (["-vQ"], "Q"),
    (["--p=/x"], "--p"),
    (["--ver"], "--ver"),
    (["-m"], "m"),
    (["--path"], "path"),
    (["-vp"], "p"),
    (["-vb"], "b"),
    (["-m", "nope", "-p", "/x"], "nope"),
    (["--method=", "-p", "/x"], "method"),
    (["-m", "unix-listen"], "path"),
    (["--verbose=yes"], "verbose"),
]


@pytest.mark.parametrize("args, word", REFUSED, ids=[" ".join(args) for args, _ in REFUSED])
def test_refused(run: Run, args: list[str], word: str) -> None:
    """A command line that is wrong is named on stderr and ends the agent, with status 1 or 2."""
    refused(run(*args), word)


@pytest.mark.ours
@pytest.mark.parametrize(
    "args, word",
    [
        (["-b", "guest-no-such"], "guest-no-such"),
        (["-b", "guest-ping,guest-no-such"], "guest-no-such"),
        (["-b", "guest-pin"], "guest-pin"),
        (["-b", "guest-ping, guest-sync"], " guest-sync"),
        (["-a", "guest-no-such"], "guest-no-such"),
        (["surplus"], "surplus"),
        (["-F", "/a/hook"], "/a/hook"),
        (["--", "-v"], "-v"),
        (["-"], "-"),
        (["-c", "/no/such/file"], "/no/such/file"),
        (["-c"], "c"),
        (["-m", "vsock-listen"], "path"),
        (["-m", "vsock-listen", "-p", "any:port"], "any:port"),
        (["-m", "vsock-listen", "-p", "3"], "3"),
    ],
    ids=" ".join,
)
def test_refused_more(run: Run, short_tmp: Path, args: list[str], word: str) -> None:
    """So is what QEMU's agent passes over: unknown commands in a list, surplus words."""
    listen = [] if "vsock-listen" in args else ["-m", "unix-listen", "-p", f"{short_tmp}/s"]
    result = run(*listen, "-t", str(short_tmp), *args)
    refused(result, word)
    assert not (short_tmp / "s").exists()


# The configuration file


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "qemu-ga.conf"


FULL = """\
# A comment

[general]
daemon=true
method = isa-serial
path=/from/file
logfile = /log
pidfile=/pid
fsfreeze-hook=/hook
statedir=/state
verbose = 1
retry-path=true
block-rpcs=guest-ping,guest-sync
# between the groups
[other]
path=/other
"""


def test_config_through_the_variable(run: Run, config: Path) -> None:
    """QGA_CONF names the file; blanks around `=`, comments and other groups are as usual."""
    config.write_text(FULL)
    values = dump(run, QGA_CONF=str(config))
    assert values.pop("block-rpcs").split(",").sort() == ["guest-ping", "guest-sync"].sort()
    values.pop("allow-rpcs", None)
    assert values == {
        "daemon": "true", "method": "isa-serial", "path": "/from/file", "logfile": "/log",
        "pidfile": "/pid", "fsfreeze-hook": "/hook", "statedir": "/state", "verbose": "true",
        "retry-path": "true",
    }


@pytest.mark.ours
def test_config_through_the_option(run: Run, config: Path) -> None:
    """-c names the file as well, in every form, and wins over the variable."""
    config.write_text(FULL)
    expected = dump(run, QGA_CONF=str(config))
    other = config.with_name("other.conf")
    other.write_text("[general]\npath=/wrong\n")
    for words in (["-c", str(config)], [f"-c{config}"], [f"--config={config}"],
                  ["--config", str(config)], [f"--conf={config}"]):
        assert dump(run, *words, QGA_CONF=str(other)) == expected


def test_command_line_wins(run: Run, config: Path) -> None:
    """The command line wins over the file, whichever the order; lists add up."""
    config.write_text(FULL)
    values = dump(run, "-p", "/from/line", "-m", "virtio-serial", "-F/line/hook",
                  "-b", "guest-info", QGA_CONF=str(config))
    assert values["path"] == "/from/line"
    assert values["method"] == "virtio-serial"
    assert values["fsfreeze-hook"] == "/line/hook"
    assert values["logfile"] == "/log"
    assert sorted(values["block-rpcs"].split(",")) == ["guest-info", "guest-ping", "guest-sync"]


@pytest.mark.parametrize("text, expected", [("true", "true"), ("1", "true"), ("false", "false"),
                                            ("0", "false"), (" true ", "true")])
def test_booleans(run: Run, config: Path, text: str, expected: str) -> None:
    """The words for yes and no."""
    config.write_text(f"[general]\nverbose={text}\n")
    assert dump(run, QGA_CONF=str(config))["verbose"] == expected


def test_old_key(run: Run, config: Path) -> None:
    """The older name of the list is still understood."""
    config.write_text("[general]\nblacklist=guest-ping\n")
    result = run("-D", QGA_CONF=str(config))
    assert result.returncode == 0
    assert parse_dump(result.stdout)["block-rpcs"] == "guest-ping"


@pytest.mark.parametrize(
    "text",
    ["garbage\n", "[general]\nverbose=maybe\n", "[general\npath=/x\n", "path=/x\n[general]\n",
     "[general]\n=x\n"],
)
def test_broken_config(run: Run, config: Path, text: str) -> None:
    """A file that is none, or has a value that is none, is named, and the agent does not start."""
    config.write_text(text)
    refused(run("-D", QGA_CONF=str(config)), str(config))


@pytest.mark.ours
@pytest.mark.parametrize(
    "text, word",
    [("[general]\nmethod=nope\n", "nope"), ("[general]\nblock-rpcs=guest-no-such\n",
     "guest-no-such"), ("[general]\nallow-rpcs=guest-no-such\n", "guest-no-such")],
)
def test_config_with_unknown_words(run: Run, config: Path, text: str, word: str) -> None:
    """Unknown methods and commands in the file are errors as on the command line."""
    config.write_text(text)
    refused(run(QGA_CONF=str(config)), word)


@pytest.mark.ours
def test_config_that_cannot_be_read(run: Run, config: Path, tmp_path: Path) -> None:
    """A folder as the file, and a file that QGA_CONF names and that is not there, are errors."""
    refused(run("-D", "-c", str(tmp_path)), str(tmp_path))
    refused(run("-D", "-c", str(config)), str(config))


@pytest.mark.ours
def test_huge_config(run: Run, config: Path) -> None:
    """A file of any size is either read or refused with a word."""
    config.write_text("[general]\n" + "# comment\n" * 100_000 + "path=/x\n")
    result = run("-D", "-c", str(config))
    if result.returncode == 0:
        assert parse_dump(result.stdout)["path"] == "/x"
    else:
        refused(result, str(config))


def test_default_config_file(agent_path: Path, tmp_path: Path) -> None:
    """Without variable and option it is /etc/qemu/qemu-ga.conf."""
    etc = tmp_path / "etc"
    (etc / "qemu").mkdir(parents=True)
    (etc / "qemu/qemu-ga.conf").write_text("[general]\npath=/from/etc\n")
    env = clean_environment()
    del env["QGA_CONF"]
    result = subprocess.run(
        in_namespace({etc: "/etc"}) + [str(agent_path), "-D"],
        capture_output=True, text=True, env=env, timeout=PATIENCE_S, check=True,
    )
    assert parse_dump(result.stdout)["path"] == "/from/etc"


ODD_VALUES = [
    "/plain", "/with blank", " /leading", "/trailing ", "/tab\tinside", "/back\\slash", "/a\\sb",
    "/hash # and ; more", "/größe/𝄞", "/equals=x", "/quote\"'", "/[general]", "\\", "/new\nline",
    "/return\rx", "\t /both",
]


@pytest.mark.ours
@pytest.mark.parametrize("value", ODD_VALUES)
def test_dump_round_trip(run: Run, config: Path, value: str) -> None:
    """What -D prints, -c takes back unchanged, whatever the values hold."""
    args = ["-p", value, f"-F{value}", "-l", value, "-t", value, "-vd", "-b", "guest-ping",
            "-a", "guest-info,guest-ping"]
    printed = run(*args, "-D").stdout
    config.write_text(printed)
    again = run("-c", str(config), "-D")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == printed


REAL_LINES = [
    "", "-v", "-m isa-serial", "-m unix-listen -p /run/x.sock", "-F", "-F/x", "-l /log -rvd",
    "-m vsock-listen -p 3:1024", "-t /state -f /pid", "-b guest-ping,guest-file-open",
    "-bguest-ping -bguest-info", "--path=/x --method=isa-serial --logfile=/l", "-dvp/x",
    "--blacklist=guest-exec",
]


@pytest.mark.ours
@pytest.mark.parametrize("line", REAL_LINES)
def test_dump_is_that_of_the_reference(run: Run, config: Path, line: str) -> None:
    """For command lines as they are in use, -D prints what QEMU's own agent prints, which reads
    ours back to the same."""
    if not REFERENCE.exists():
        pytest.skip(f"{REFERENCE} is not installed")
    theirs = run_program(REFERENCE, *line.split(), "-D")
    assert theirs.returncode == 0

    def comparable(text: str) -> list[tuple[str, Any]]:
        lists = ("block-rpcs", "allow-rpcs")
        values = parse_dump(text)
        return [
            (key, sorted(value.split(",")) if key in lists else value)
            for key, value in values.items()
            if key != "allow-rpcs" or value
        ]

    ours = run(*line.split(), "-D")
    assert ours.returncode == 0
    assert comparable(ours.stdout) == comparable(theirs.stdout)
    config.write_text(ours.stdout)
    back = run_program(REFERENCE, "-D", QGA_CONF=str(config))
    assert comparable(back.stdout) == comparable(theirs.stdout)


@pytest.mark.ours
@pytest.mark.parametrize("value", ODD_VALUES)
def test_odd_values_as_the_reference_writes_them(run: Run, config: Path, value: str) -> None:
    """A file with odd values that QEMU's agent dumped means the same to ours, and in return."""
    if not REFERENCE.exists():
        pytest.skip(f"{REFERENCE} is not installed")
    theirs = run_program(REFERENCE, "-l", value, "-D").stdout
    ours = run("-l", value, "-D").stdout
    key = "logfile="
    assert [line for line in ours.splitlines() if line.startswith(key)] == [
        line for line in theirs.splitlines() if line.startswith(key)
    ]
    config.write_text(theirs)
    assert run("-c", str(config), "-D").stdout == ours


# Which commands are served


def test_blocked_commands(start_agent: StartAgent) -> None:
    """A blocked command is refused in the known words, before its arguments are looked at, and is
    listed as not enabled; the others are served."""
    agent = start_agent("-b", "guest-get-time,guest-file-open")
    with agent.client() as client:
        for command in ("guest-get-time", "guest-file-open"):
            with pytest.raises(AgentError) as caught:
                client.call(command, nonsense=1)
            assert caught.value.error_class == "CommandNotFound"
            if not agent.is_reference:
                assert caught.value.desc == (
                    f"Command {command} has been disabled: the command is not allowed"
                )
        table = enabled(client)
        assert {name for name, on in table.items() if not on} >= {
            "guest-get-time", "guest-file-open"
        }
        assert table["guest-ping"] is True
        assert client.call("guest-ping") == {}


@pytest.mark.ours
def test_only_the_blocked_are_disabled(start_agent: StartAgent) -> None:
    """Without a list everything is enabled; with one, the named and no other."""
    with start_agent().client() as client:
        everything = enabled(client)
    assert all(everything.values())
    with start_agent("-b", "guest-ping", "--blacklist=guest-exec").client() as client:
        table = enabled(client)
    assert {name for name, on in table.items() if not on} == {"guest-ping", "guest-exec"}
    assert set(table) == set(everything)


@pytest.mark.ours
def test_allowed_commands(start_agent: StartAgent) -> None:
    """-a leaves the named alone enabled; -b then takes some of them away."""
    session = "guest-sync-delimited,guest-info"
    with start_agent("-a", f"{session},guest-ping").client() as client:
        table = enabled(client)
        assert {name for name, on in table.items() if on} == {*session.split(","), "guest-ping"}
        assert client.call("guest-ping") == {}
        with pytest.raises(AgentError) as caught:
            client.call("guest-get-time")
        assert caught.value.desc == (
            "Command guest-get-time has been disabled: the command is not allowed"
        )
    for order in (0, 1):
        lists = [["-a", f"{session},guest-ping"], ["-b", "guest-ping,guest-get-time"]]
        words = lists[order] + lists[1 - order]
        with start_agent(*words).client() as client:
            assert {name for name, on in enabled(client).items() if on} == set(session.split(","))


# The socket


def listening(folder: Path) -> list[str]:
    return ["-m", "unix-listen", "-p", f"{folder}/s", "-t", str(folder)]


@pytest.mark.ours
@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_socket_mode(start_agent: StartAgent, umask: int) -> None:
    """The socket is created 0600 whatever the umask, so that others cannot connect."""
    agent = start_agent(wrapper=["/bin/sh", "-c", f'umask {umask:o} && exec "$@"', "sh"])
    found = os.stat(agent.path)
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600


def test_stale_socket_is_replaced(start_agent: StartAgent) -> None:
    """The socket that a killed agent left behind does not keep the next one from starting."""
    agent = start_agent()
    agent.stop(signal.SIGKILL)
    assert os.path.exists(agent.path)
    with start_agent(folder=agent.folder).client() as client:
        assert client.call("guest-ping") == {}


@pytest.mark.ours
@pytest.mark.parametrize("kind", ["file", "folder", "link", "fifo"])
def test_other_files_are_never_removed(run: Run, short_tmp: Path, kind: str) -> None:
    """Anything but a socket at the path stays, and the agent says what is in its way."""
    path = short_tmp / "s"
    target = short_tmp / "precious"
    target.write_bytes(b"precious")
    if kind == "file":
        path.write_bytes(b"precious")
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(target)
    else:
        os.mkfifo(path)
    before = path.lstat()
    refused(run(*listening(short_tmp)), str(path))
    after = path.lstat()
    assert (before.st_ino, before.st_mode, before.st_size) == (
        after.st_ino, after.st_mode, after.st_size
    )
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize("path", ["/no/such/folder/s", "/tmp/" + "n" * 200, "/proc/s"],
                         ids=["missing", "long", "proc"])
def test_path_that_cannot_be_bound(run: Run, short_tmp: Path, path: str) -> None:
    """A path where no socket can be is named."""
    refused(run("-m", "unix-listen", "-p", path, "-t", str(short_tmp)), path[:100])


# State, pid file, background


@pytest.mark.ours
@pytest.mark.parametrize("folder", ["/dev/null", "/dev/null/below", "/proc", "/sys/below"])
def test_unusable_state_folder(run: Run, short_tmp: Path, folder: str) -> None:
    """A state folder that -t named and that does not work is an error, not a silent start."""
    refused(run("-m", "unix-listen", "-p", f"{short_tmp}/s", "-t", folder), folder)
    assert not (short_tmp / "s").exists()


@pytest.mark.ours
def test_damaged_state(start_agent: StartAgent) -> None:
    """Whatever a crash left in the state folder, the agent starts, or says what is wrong."""
    agent = start_agent()
    with agent.client() as client:
        for _ in range(3):
            handle = client.call("guest-file-open", path="/dev/null")
            client.call("guest-file-close", handle=handle)
    agent.stop(signal.SIGKILL)
    files = [path for path in agent.state_dir.iterdir() if path.is_file()]
    assert files
    for content in (b"", b"\0" * 100, b"garbage\n" * 1000, b"[general]\n"):
        for path in files:
            path.write_bytes(content)
        again = start_agent(folder=agent.folder)
        with again.client() as client:
            handle = client.call("guest-file-open", path="/dev/null")
            assert handle >= 1000
            client.call("guest-file-close", handle=handle)
        again.stop(signal.SIGKILL)


@pytest.mark.ours
def test_pid_file(start_agent: StartAgent) -> None:
    """The pid file holds the pid and a newline, and goes when the agent ends."""
    agent = start_agent()
    assert agent.pid_file.read_text() == f"{agent.pid}\n"
    assert agent.stop() == 0
    assert not agent.pid_file.exists()


@pytest.mark.ours
def test_second_agent_with_one_pid_file(run: Run, agent: Agent, short_tmp: Path) -> None:
    """A second agent with the pid file of a running one ends with an error; the first one's file
    and socket stay."""
    result = run(*listening(short_tmp), "-f", str(agent.pid_file))
    refused(result, str(agent.pid_file))
    assert agent.pid_file.read_text().strip() == str(agent.pid)
    with agent.client() as client:
        assert client.call("guest-ping") == {}


@pytest.mark.ours
@pytest.mark.parametrize("content", ["", "1\n", "999999999\n", "garbage garbage garbage\n"])
def test_stale_pid_file(start_agent: StartAgent, content: str) -> None:
    """A pid file that nobody holds is taken over and rewritten whole, whatever it says."""
    first = start_agent()
    first.stop()
    first.pid_file.write_text(content)
    agent = start_agent(folder=first.folder)
    assert agent.pid_file.read_text() == f"{agent.pid}\n"


@pytest.mark.ours
def test_pid_file_that_cannot_be(run: Run, short_tmp: Path) -> None:
    """A pid file that cannot be written is an error that names it."""
    refused(run(*listening(short_tmp), "-f", "/no/such/folder/pid"), "/no/such/folder/pid")


def test_background(run: Run, short_tmp: Path) -> None:
    """-d returns when the agent serves; it leads a session, holds nothing of its starter's, and
    the pid file names it."""
    pid_file = short_tmp / "pid"
    # run() waits for the ends of stdout and stderr, too.
    result = run(*listening(short_tmp), "-d", "-f", str(pid_file), "-l", f"{short_tmp}/log")
    assert result.returncode == 0, result
    wait_until(lambda: pid_file.exists() and pid_file.read_text().strip().isdigit(), "a pid file")
    pid = int(pid_file.read_text())
    try:
        with connect(short_tmp / "s") as client:
            assert client.call("guest-ping") == {}
        assert os.getsid(pid) != os.getsid(0)
        for number in range(3):
            assert os.readlink(f"/proc/{pid}/fd/{number}") == "/dev/null"
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "it ended")


@pytest.mark.ours
@pytest.mark.parametrize(
    "args",
    [["-m", "unix-listen", "-p", "/no/such/s"],
     ["-m", "unix-listen", "-p", "{0}/s", "-f", "/no/such/pid"],
     ["-m", "unix-listen", "-p", "{0}/s", "-l", "/no/such/log"]],
    ids=["path", "pid file", "log"],
)
def test_background_that_fails(run: Run, short_tmp: Path, args: list[str]) -> None:
    """What goes wrong before it serves is told by the foreground, in status and words."""
    words = [word.format(short_tmp) for word in args]
    if "-f" not in words:
        words += ["-f", f"{short_tmp}/pid"]
    result = run(*words, "-t", str(short_tmp), "-d")
    pid_file = short_tmp / "pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
    refused(result, "/no/such/")


# The log


def check_lines(text: str) -> list[str]:
    """The lines of a log, each of them in the form of QEMU's agent."""
    lines = text.splitlines()
    assert lines
    for line in lines:
        assert LOG_LINE.match(line), line
        assert line.isprintable(), line
    return lines


def make_it_talk(agent: Agent) -> None:
    """Let an agent do a little of everything that it may want to log."""
    with agent.client() as client:
        client.call("guest-ping")
        for command in ("guest-no-such", "guest-file-open"):
            with pytest.raises(AgentError):
                client.call(command)
        client.run("true")


def test_log_on_stderr(start_agent: StartAgent) -> None:
    """-v logs to stderr in the lines of QEMU's agent; without it there are fewer of them."""
    loud, quiet = start_agent("-v"), start_agent()
    for agent in (loud, quiet):
        make_it_talk(agent)
    if not loud.is_reference:
        check_lines(loud.log)
    assert len(quiet.log) < len(loud.log)


def test_log_in_a_file(start_agent: StartAgent, tmp_path: Path) -> None:
    """-l FILE appends to the file, and stderr stays empty."""
    log = tmp_path / "log"
    log.write_text("1.000000: info: from before\n")
    agent = start_agent("-v", "-l", str(log))
    make_it_talk(agent)
    wait_until(lambda: log.read_bytes().count(b"\n") > 1, "lines in the log")
    assert log.read_bytes().startswith(b"1.000000: info: from before\n")
    if not agent.is_reference:
        check_lines(log.read_text())
        assert agent.log == ""


@pytest.mark.ours
def test_log_that_cannot_be(run: Run, short_tmp: Path) -> None:
    """A log file that cannot be opened is an error that names it."""
    refused(run(*listening(short_tmp), "-l", "/no/such/log"), "/no/such/log")


@pytest.mark.ours
def test_hangup_reopens_the_log(start_agent: StartAgent, tmp_path: Path) -> None:
    """After SIGHUP the log is written to a new file of the same name, as logrotate expects."""
    log = tmp_path / "log"
    agent = start_agent("-v", "-l", str(log))
    make_it_talk(agent)
    log.rename(tmp_path / "log.1")
    agent.process.send_signal(signal.SIGHUP)
    wait_until(log.exists, "a new log")
    old = (tmp_path / "log.1").read_text()
    make_it_talk(agent)
    wait_until(lambda: len(log.read_text()) > 0, "lines in the new log")
    check_lines(log.read_text())
    assert (tmp_path / "log.1").read_text() == old


@pytest.mark.ours
def test_hangup_without_a_file(start_agent: StartAgent) -> None:
    """SIGHUP does not end an agent that logs to stderr, nor one whose log folder has gone."""
    agent = start_agent("-v")
    agent.process.send_signal(signal.SIGHUP)
    make_it_talk(agent)
    folder = agent.folder / "logs"
    folder.mkdir()
    other = start_agent("-v", "-l", f"{folder}/log")
    shutil.rmtree(folder)
    other.process.send_signal(signal.SIGHUP)
    make_it_talk(other)


@pytest.mark.ours
def test_foreign_words_in_the_log(start_agent: StartAgent) -> None:
    """What a client sends can neither forge a line of the log nor speak to a terminal."""
    agent = start_agent("-v")
    forged = "x\n1.000000: critical: forged\r\x1b[2J\x07 \x9b"
    with agent.client() as client:
        for request in ({"execute": forged}, {"execute": "guest-ping", forged: 1},
                        {"execute": "guest-file-open", "arguments": {"path": forged}},
                        {"execute": "guest-exec", "arguments": {"path": forged}},
                        {"execute": "guest-exec", "arguments": {"path": "x" * 100_000}}):
            assert "error" in client.request(request)
    for line in check_lines(agent.log):
        assert not line.startswith("1.000000")


@pytest.mark.ours
def test_log_pipe_that_nobody_reads(agent_path: Path, short_tmp: Path) -> None:
    """An agent whose stderr is a full pipe serves on."""
    read_end, write_end = os.pipe()
    with subprocess.Popen(
        [str(agent_path), *listening(short_tmp), "-v"],
        stdin=subprocess.DEVNULL, stderr=write_end, env=clean_environment(),
    ) as process:
        try:
            with connect(short_tmp / "s") as client:
                for _ in range(200):
                    client.send(b'{"execute":"guest-ping"}\n{"execute":"%b"}\n' % (b"x" * 900) * 10)
                    for _ in range(20):
                        client.line()
        finally:
            assert end_process(process) == 0
            os.close(read_end)
            os.close(write_end)


@contextmanager
def agent_with_dev(
    agent_path: Path, folder: Path, *args: str
) -> Iterator[subprocess.Popen[bytes]]:
    """An agent for which /dev is a folder of ours."""
    dev = folder / "dev"
    (dev / "null").touch()
    words = in_namespace({Path("/dev/null"): str(dev / "null"), dev: "/dev"})
    with subprocess.Popen(
        [*words, str(agent_path), *listening(folder), *args],
        stdin=subprocess.DEVNULL, env=clean_environment(),
    ) as process:
        try:
            wait_until((folder / "s").exists, "the socket")
            yield process
        finally:
            assert end_process(process) == 0


@pytest.mark.ours
def test_log_to_syslog(agent_path: Path, short_tmp: Path) -> None:
    """-l syslog sends datagrams with priority and name to /dev/log, also to a syslogd that was
    started again, and does not mind one that has gone."""
    (short_tmp / "dev").mkdir()
    place = str(short_tmp / "dev/log")

    def syslogd() -> socket.socket:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(place)
        server.settimeout(PATIENCE_S)
        return server

    def talk() -> None:
        with connect(short_tmp / "s") as client:
            client.call("guest-ping")
            with pytest.raises(AgentError):
                client.call("guest-no-such")

    server = syslogd()
    with agent_with_dev(agent_path, short_tmp, "-v", "-l", "syslog"):
        for _ in range(2):
            talk()
            text = server.recv(65536).decode()
            assert re.match(r"<\d+>(.* )?tinyqga(\[\d+\])?: .+", text), text
            assert "\n" not in text[:-1]
            server.close()
            os.unlink(place)
            talk()
            server = syslogd()
        talk()
        server.close()


@pytest.mark.ours
def test_silent_syslogd(agent_path: Path, short_tmp: Path) -> None:
    """A syslogd that reads nothing does not stop the agent."""
    (short_tmp / "dev").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(short_tmp / "dev/log"))
        with agent_with_dev(agent_path, short_tmp, "-v", "-l", "syslog"):
            with connect(short_tmp / "s") as client:
                for _ in range(300):
                    assert client.call("guest-ping") == {}


@pytest.mark.ours
def test_log_to_kmsg(agent_path: Path, short_tmp: Path) -> None:
    """-l /dev/kmsg writes the kernel's records: a priority, the name, a line."""
    (short_tmp / "dev").mkdir()
    kmsg = short_tmp / "dev/kmsg"
    kmsg.touch()
    with agent_with_dev(agent_path, short_tmp, "-v", "-l", "/dev/kmsg"):
        with connect(short_tmp / "s") as client:
            client.call("guest-ping")
            with pytest.raises(AgentError):
                client.call("x" * 3000)
        wait_until(lambda: kmsg.stat().st_size > 0, "records")
    for line in kmsg.read_text().splitlines():
        assert re.match(r"<\d+>tinyqga(\[\d+\])?: .+", line), line
        assert len(line) < 1000


# Signals


@pytest.mark.ours
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_end(start_agent: StartAgent, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end it with status 0, without a client and with a silent one; socket and
    pid file are gone, and nothing was said on stderr."""
    for connected in (False, True):
        agent = start_agent()
        if connected:
            agent.client().call("guest-ping")
        assert agent.stop(number) == 0
        assert not os.path.exists(agent.path)
        assert not agent.pid_file.exists()
        assert agent.log == ""


@pytest.mark.ours
def test_end_with_half_a_request(start_agent: StartAgent) -> None:
    """Half a request does not hold it up."""
    agent = start_agent()
    agent.client().send(b'{"execute":"guest-pi')
    assert agent.stop() == 0


@pytest.mark.ours
def test_end_with_a_running_program(start_agent: StartAgent) -> None:
    """A running program does not hold it up."""
    agent = start_agent()
    client = agent.client()
    pid = client.call("guest-exec", path="sleep", arg=["100"], capture_output=True)["pid"]
    assert agent.stop() == 0
    os.kill(pid, signal.SIGKILL)


@pytest.mark.ours
def test_reply_in_hand_is_finished(start_agent: StartAgent, tmp_path: Path) -> None:
    """A reply that is on its way when SIGTERM comes is finished, whole, before the agent ends."""
    size = 16 << 20
    path = tmp_path / "file"
    path.write_bytes(b"r" * size)
    agent = start_agent()
    client = agent.client(60.0)
    handle = client.call("guest-file-open", path=str(path))
    request = {"execute": "guest-file-read", "arguments": {"handle": handle, "count": size}}
    client.send(json.dumps(request).encode())
    wait_until(lambda: len(client.sock.recv(1 << 16, socket.MSG_PEEK)) > 1000, "the reply begins")
    agent.process.send_signal(signal.SIGTERM)
    reply = json.loads(client.line())["return"]
    assert reply["count"] == size
    assert base64.b64decode(reply["buf-b64"]) == b"r" * size
    with pytest.raises(ConnectionError):
        client.line()
    assert agent.stop() == 0
    assert not os.path.exists(agent.path)


@pytest.mark.ours
def test_other_signals(start_agent: StartAgent) -> None:
    """Signals that mean nothing to it do not end it: a broken pipe, a window, a stop and go."""
    agent = start_agent()
    with agent.client() as client:
        for number in (signal.SIGPIPE, signal.SIGWINCH, signal.SIGCHLD, signal.SIGURG,
                       signal.SIGSTOP, signal.SIGCONT):
            agent.process.send_signal(number)
        assert client.call("guest-ping") == {}


# Socket activation


# Descriptor, LISTEN_FDS, LISTEN_PID ("" for its own), and the words of the agent.
HAND_OVER = """
import os, sys
number, count, pid = sys.argv[1:4]
if number != "3":
    os.dup2(int(number), 3)
    os.close(int(number))
os.environ.update(LISTEN_FDS=count, LISTEN_PID=pid or str(os.getpid()))
os.execv(sys.argv[4], sys.argv[4:])
"""


@contextmanager
def activated(
    agent_path: Path, folder: Path, count: str = "1", pid: str = "", kind: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """An agent that is handed a listening socket as descriptor 3, as a service manager does."""
    with socket.socket(socket.AF_UNIX, kind or socket.SOCK_STREAM) as listener:
        listener.bind(f"{folder}/activated")
        if kind is None:
            listener.listen()
        number = str(listener.fileno())
        with (folder / "stderr").open("wb") as log, subprocess.Popen(
            [sys.executable, "-S", "-c", HAND_OVER, number, count, pid, str(agent_path),
             *listening(folder)],
            stdin=subprocess.DEVNULL, stderr=log, pass_fds=[listener.fileno()],
            env=clean_environment(),
        ) as process:
            try:
                yield process
            finally:
                end_process(process)


def test_activation(agent_path: Path, short_tmp: Path) -> None:
    """The socket that was handed over is served instead of the path, by one client after the
    other, and is not removed at the end: it belongs to whoever made it."""
    with activated(agent_path, short_tmp) as process:
        for _ in range(3):
            with connect(short_tmp / "activated") as client:
                assert client.call("guest-ping") == {}
        assert not (short_tmp / "s").exists()
        assert end_process(process) == 0
    assert (short_tmp / "activated").exists()


@pytest.mark.ours
def test_activation_is_not_passed_on(agent_path: Path, short_tmp: Path) -> None:
    """Programs do not get the listening socket, and the agent finds it though 3 is a low number."""
    with activated(agent_path, short_tmp):
        with connect(short_tmp / "activated") as client:
            found = client.run("/bin/ls", "/proc/self/fd")["out-data"].split()
    assert found == [b"0", b"1", b"2", b"3"]


def test_activation_of_another(agent_path: Path, short_tmp: Path) -> None:
    """Variables that are meant for another process are not looked at."""
    with activated(agent_path, short_tmp, pid="1"):
        with connect(short_tmp / "s") as client:
            assert client.call("guest-ping") == {}


@pytest.mark.ours
def test_activation_with_two(agent_path: Path, short_tmp: Path) -> None:
    """More than one socket is an error."""
    with activated(agent_path, short_tmp, count="2") as process:
        assert process.wait(5.0) in (1, 2)
    assert (short_tmp / "stderr").read_text().strip()


@pytest.mark.ours
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["dgram", "stream"])
def test_activation_with_what_does_not_listen(
    agent_path: Path, short_tmp: Path, kind: int
) -> None:
    """A descriptor that is no listening socket is an error."""
    with activated(agent_path, short_tmp, kind=kind) as process:
        assert process.wait(5.0) in (1, 2)
    assert (short_tmp / "stderr").read_text().strip()
