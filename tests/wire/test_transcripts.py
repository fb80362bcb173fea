"""Replies of QEMU's own agent, recorded from release 8.2, that ours must equal byte for byte."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from agent_process import Agent
from conftest import StartAgent
from exchange import rest
from qga import Client

FOLDER = Path(__file__).parent / "transcripts"
FILES = ("envelope.jsonl", "arguments.jsonl")
PARSE_ERROR = re.compile(
    r'\{"error": \{"class": "GenericError", "desc": "JSON parse error, [ -~]+"\}\}\n'
)
STRAY_SENTINEL = (
    '{"error": {"class": "GenericError", "desc": "JSON parse error, stray \'\\uFFFD\'"}}\n'
)


def error(desc: str) -> str:
    """The reply with this text, as a pattern."""
    return r'\{"error": \{"class": "GenericError", "desc": "' + desc + r'"\}\}\n'


PARSE = PARSE_ERROR.pattern

# Where we differ from the record: what was sent → the replies as a pattern, and why.
EXCEPTIONS: dict[str, tuple[str, str]] = {
    '{"execute":"guest-ping"\n\u00ff{"execute":"guest-sync","arguments":{"id":6}}\n': (
        r'\{"return": 6\}\n',
        "0xFF is the beginning of a handshake, not an error",
    ),
    '{"execute":"guest-ping\n"}\n': (PARSE, "one bad request gets one error"),
    '{"execute":01}\n': (PARSE, "one bad request gets one error"),
    '{"execute":"guest-exec-status","arguments":{"pid":1}}\n': (
        error("PID 1 does not exist"),
        "the record has a formatting bug: PID ld",
    ),
    '{"execute":"guest-exec-status","arguments":{"pid":0}}\n': (
        error("PID 0 does not exist"),
        "the record has a formatting bug: PID ld",
    ),
    '{"execute":"guest-sync","arguments":{"id":1,"x":2,"y":3}}\n': (
        error("Parameter '[xy]' is unexpected"),
        "of several unknown arguments any may be named",
    ),
    '{"execute":"guest-exec","arguments":{"path":"/no/such/program"}}\n': (
        error(r"[ -~]*/no/such/program[ -~]*No such file or directory[ -~]*"),
        "path and reason count, not GLib's words",
    ),
    '{"execute":"guest-set-user-password","arguments":'
    '{"username":"nosuchuser","password":"AAAA","crypted":false}}\n': (
        error(r"child process has failed to set user password(: [ -~]+)?"),
        "the reason may follow",
    ),
    '{"execute":"guest-ssh-get-authorized-keys","arguments":{"username":"nosuchuser"}}\n': (
        error(r"failed to lookup user 'nosuchuser': (?!Success)[ -~]+"),
        "the record blames success",
    ),
    '{"execute":"guest-ssh-add-authorized-keys","arguments":'
    '{"username":"nosuchuser","keys":["ssh-rsa AAAA"]}}\n': (
        error(r"failed to lookup user 'nosuchuser': (?!Success)[ -~]+"),
        "the record blames success",
    ),
    '{"execute":"guest-set-time","arguments":{"time":-1}}\n': (
        error(r"(Failed to set time to guest: Invalid argument|Invalid time [ -~]+)"),
        "a nanosecond before 1970 is a year out of range",
    ),
    '{"execute":"guest-set-memory-blocks","arguments":'
    '{"mem-blks":[{"phys-index":99999,"online":true}]}}\n': (
        r'\{"return": \[\{"phys-index": 99999, "response": "not-found"(, "error-code": 2)?\}\]\}\n'
        r'|\{"return": \[\{"response": "not-found", "error-code": 2, "phys-index": 99999\}\]\}\n',
        "the record's order of members is that of a hash table",
    ),
}


def transcripts(name: str) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]
    return [(row["send"], row["recv"]) for row in rows]


ALL = [row for name in FILES for row in transcripts(name)]


def served_commands(client: Client) -> set[str]:
    return {row["name"] for row in client.call("guest-info")["supported_commands"]}


def commands_of(sent: str) -> set[str]:
    """The QEMU commands that a request names, however broken it is."""
    return set(re.findall(r"guest-[a-z-]*[a-z]", sent)) - {"guest-no-such"}


def is_expected(sent: str, record: str, answer: str) -> bool:
    if sent in EXCEPTIONS:
        return bool(re.fullmatch(EXCEPTIONS[sent][0], answer))
    if PARSE_ERROR.fullmatch(record):
        # The position may be worded better, as long as it begins like this.
        return bool(PARSE_ERROR.fullmatch(answer))
    return answer == record


def exchange(agent: Agent, sent: str) -> str:
    """All that comes back for what is sent on a fresh connection after the handshake."""
    with agent.client() as client:
        client.send(sent.encode("latin-1"))
        answer = rest(client).decode("latin-1")
    # QEMU's agent calls the handshake's 0xFF an error, too.
    return answer.removesuffix(STRAY_SENTINEL) if agent.is_reference else answer


def prepare(agent: Agent, sent: str) -> None:
    """What the record had before: /etc was open as the first handle."""
    if '"handle":1000' in sent:
        with agent.client() as client:
            assert client.call("guest-file-open", path="/etc") == 1000


@pytest.mark.parametrize(("sent", "record"), ALL, ids=[repr(sent) for sent, _ in ALL])
def test_transcript(start_agent: StartAgent, sent: str, record: str) -> None:
    """The same bytes as the recorded agent, or what the table of exceptions says."""
    agent = start_agent()
    agent.may_hold_descriptors = True
    with agent.client() as client:
        missing = commands_of(sent) - served_commands(client)
    if missing:
        answer = exchange(agent, sent)
        assert all("CommandNotFound" in line for line in answer.splitlines()), answer
        pytest.skip(f"not served yet: {', '.join(sorted(missing))}")
    prepare(agent, sent)
    answer = exchange(agent, sent)
    if agent.is_reference and not is_expected(sent, record, answer):
        pytest.skip(f"this release of QEMU's agent answers {answer!r}")
    assert is_expected(sent, record, answer), f"{answer!r}\nrecorded: {record!r}"


def test_exceptions_are_of_use() -> None:
    """Each exception belongs to a recorded request."""
    assert set(EXCEPTIONS) <= {sent for sent, _ in ALL}


def test_the_copy_is_whole() -> None:
    """The record is the one that was made: its number of exchanges is known."""
    assert [len(transcripts(name)) for name in FILES] == [45, 62]
