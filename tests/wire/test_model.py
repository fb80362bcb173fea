"""The model is judged before it judges: by hand-derived vectors and by Python's own JSON."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from generate import random_json
from model import PARSE_ERROR, Expected, Model, Number, Value, encode
from vectors import ALL_VECTORS, PARSE, VECTORS, Vector


def replies_of(data: bytes) -> list[Expected]:
    return Model().feed(data)


def agrees(expected: Expected, reply: bytes) -> bool:
    return expected is PARSE_ERROR if reply == PARSE else expected == Expected((reply,))


@pytest.mark.parametrize("group", VECTORS)
def test_hand_derived_vectors(group: str) -> None:
    """The model gives what a person derived from the protocol's text."""
    for vector in VECTORS[group]:
        got = replies_of(vector.sent)
        assert len(got) == len(vector.replies), f"{vector.sent!r}: {[str(e) for e in got]}"
        for expected, reply in zip(got, vector.replies):
            assert agrees(expected, reply), f"{vector.sent!r}: {expected} is not {reply!r}"


def test_feeding_in_pieces_changes_nothing() -> None:
    """The model has no notion of a read."""
    for vector in ALL_VECTORS:
        if len(vector.sent) > 200:
            continue
        whole = replies_of(vector.sent)
        for cut in range(len(vector.sent)):
            model = Model()
            got = model.feed(vector.sent[:cut]) + model.feed(vector.sent[cut:])
            assert got == whole, (vector.sent, cut)


def test_a_reset_leaves_nothing_behind() -> None:
    """After 0xFF the model is as new, whatever came before it."""
    for vector in ALL_VECTORS:
        if len(vector.sent) > 200:
            continue
        for cut in range(len(vector.sent)):
            model = Model()
            model.feed(vector.sent[:cut] + b"\xff")
            assert model.feed(vector.sent) == replies_of(vector.sent), (vector.sent, cut)


def plain(value: Value) -> Any:
    """A value of the model as Python's json has it."""
    if isinstance(value, Number):
        return json.loads(value)
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return value


class Reader(Model):
    """A model that only keeps the values it has read."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[Value] = []

    def _request(self, request: Value) -> None:
        self.values.append(request)


@pytest.mark.parametrize("_round", range(10))
def test_agrees_with_python_on_valid_json(rng: random.Random, _round: int) -> None:
    """What Python's json reads, the model reads as the same; what it writes, Python reads back."""
    for _ in range(200):
        text = random_json(rng, rng.randint(0, 8), single_quotes=False)
        reader = Reader()
        reader.feed(text + b" ")
        assert not reader.replies, text
        (value,) = reader.values
        assert plain(value) == json.loads(text), text
        assert json.loads(encode(value)) == json.loads(text), text
        # The form of what is written: separators and order are those of Python's.
        if b"E" not in text and b"." not in text and b"e" not in text and b"-0" not in text:
            assert encode(value).lower() == json.dumps(json.loads(text)).lower(), text


@pytest.mark.parametrize("_round", range(10))
def test_agrees_with_python_on_broken_json(rng: random.Random, _round: int) -> None:
    """Where the two dialects coincide, a mutated text is good to the model if it is to Python."""
    alphabet = b'{}[]:,"\\ 0123456789-+.eEtrufalsn\n\t\xc3'
    refused = 0
    for _ in range(500):
        text = bytearray(random_json(rng, 3, single_quotes=False))
        for _ in range(rng.randint(1, 2)):
            text[rng.randrange(len(text))] = rng.choice(alphabet)
        # Python's json takes duplicate keys and lone surrogates; no agent does.
        pairs_seen: list[bool] = []

        def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            pairs_seen.append(len({key for key, _ in pairs}) == len(pairs))
            return dict(pairs)

        try:
            value = json.loads(bytes(text), object_pairs_hook=no_duplicates)
            good = all(pairs_seen)
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            good = False
        refused += not good
        reader = Reader()
        reader.feed(bytes(text) + b" ")
        complete = not reader.stack and reader.string is None and len(reader.values) == 1
        assert (complete and not reader.replies) == good, bytes(text)
    assert refused > 50


def test_matchers() -> None:
    """A matcher takes what it should and nothing else."""
    head = b'{"error": {"class": "GenericError", "desc": "JSON parse error, '
    assert PARSE_ERROR.matches(head + b'stray \'%\'"}}\n')
    assert PARSE_ERROR.matches(head + b'a \\"quoted\\" \\u00E9"}}\n')
    for bad in (b'"}}\n', b'x"}}', b'x"y"}}\n', b'\x80"}}\n', b'\\q"}}\n', b'x"}}\n\n', b"x\n"):
        assert not PARSE_ERROR.matches(head + bad), bad
    (naming,) = replies_of(b'{"execute":"guest-exec","arguments":{"path":"a\\u0000"},"id":1}')
    good = b'{"id": 1, "error": {"class": "GenericError", "desc": "no NUL in \'path\'"}}\n'
    assert naming.matches(good)
    assert not naming.matches(good.replace(b"path", b"pith"))
    assert not naming.matches(good.replace(b'"id": 1, ', b""))


def test_vectors_have_no_twins() -> None:
    """Each vector is there once."""
    seen: set[bytes] = set()
    twins: list[Vector] = []
    for vector in ALL_VECTORS:
        if vector.sent in seen:
            twins.append(vector)
        seen.add(vector.sent)
    assert not twins
