"""Random input, reproducible from a seed: JSON in all its forms, requests, and broken ones."""

from __future__ import annotations

import json
import random

from model import COMMANDS

INTERESTING = b"{}[]:,\"'\\\n\r\t\0 \xff\xff0123456789-+.eEtfnu\x7f\x80\xc3\xa9\xe2\xed\xf0\xfe%"
EDGES = (
    "0", "-0", "1", "-1", "127", "128", "255", "256", "2147483647", "2147483648", "4294967295",
    "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616",
)
FRAGMENTS = (
    b"}", b"]", b"{", b"[", b",", b":", b"garbage", b"%", b"\0", b"1", b"true", b"'", b'"',
    b"\n", b"{}", b"[]", b'{"a"', b"{'a':", b'{"a":1', b'{"a":"\\', b'{"a":"\\u12', b"01", b"-",
    b"1.", b"1e", b'"\\ud800', b'"\xc3', b"nul", b"\xff", b"\xff\xff", b"{{", b"[{]", b'{"\n',
    b"\x80", b'"\\q', b"'\\q {", b"{,", b"{,%", b"{,'", b'{,"\\', b"1.{", b"\\",
)


def white_space(rng: random.Random) -> bytes:
    """Mostly none."""
    return rng.choice((b"", b"", b"", b"", b" ", b"\n", b"\t", b"\r\n", b" \t\r\n "))


def random_number(rng: random.Random) -> bytes:
    form = rng.randrange(4)
    if form == 0:
        return rng.choice(EDGES).encode()
    sign = rng.choice(("", "-"))
    digits = str(rng.randrange(10 ** rng.randint(1, 25)))
    if form == 1:
        return (sign + digits).encode()
    fraction = rng.choice(("", "." + str(rng.randrange(1000)).zfill(rng.randint(1, 5))))
    power = rng.choice(("", "eE"[rng.randrange(2)] + rng.choice(("", "+", "-")) +
                        str(rng.randrange(50)).zfill(rng.randint(1, 4))))
    return (sign + digits[:6].lstrip("0").rjust(1, "0") + fraction + power).encode()


def random_char(rng: random.Random) -> str:
    """A character from any of the ranges that are encoded differently."""
    low, high = rng.choice(
        ((0x20, 0x7E), (0x20, 0x7E), (0x20, 0x7E), (0, 0x1F), (0x7F, 0x7FF), (0x800, 0xD7FF),
         (0xE000, 0xFFFF), (0x10000, 0x10FFFF), (0xFDD0, 0xFDEF), (0xFFFE, 0x10000))
    )
    return chr(rng.randint(low, high))


def string_in_json(rng: random.Random, text: str, single_quotes: bool = True) -> bytes:
    """A JSON string that reads text; each character raw or in one of its escaped forms."""
    quote = rng.choice("\"'") if single_quotes else '"'
    out = [quote]
    for char in text:
        forms = []
        if char not in '\\\0' and char != quote and ord(char) >= 0x20:
            forms += [char] * 6
        short = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", '"': '"', "\\": "\\",
                 "/": "/"}.get(char)
        if short:
            forms += ["\\" + short] * 2
        if char == "'" and single_quotes:
            forms.append("\\'")
        units = char.encode("utf-16-be").hex()
        escaped = "".join("\\u" + units[i:i + 4] for i in range(0, len(units), 4))
        forms += [escaped, "\\u" + escaped[2:].upper().replace("\\U", "\\u")]
        out.append(rng.choice(forms))
    return ("".join(out) + quote).encode()


def random_string(rng: random.Random, single_quotes: bool = True) -> bytes:
    length = rng.choice((0, 1, 2, 3, 5, 8, 13, 21))
    text = "".join(random_char(rng) for _ in range(length))
    return string_in_json(rng, text, single_quotes)


def random_json(rng: random.Random, depth: int, single_quotes: bool = True) -> bytes:
    """Any valid JSON value, nested at most depth deep."""
    kind = rng.randrange(8) if depth else rng.randrange(6)
    if kind < 2:
        return random_string(rng, single_quotes)
    if kind < 4:
        return random_number(rng)
    if kind < 6:
        return rng.choice((b"true", b"false", b"null"))
    parts: list[bytes] = []
    for index in range(rng.choice((0, 1, 1, 2, 3, 5))):
        value = random_json(rng, depth - 1, single_quotes)
        value = white_space(rng) + value + white_space(rng)
        if kind == 7:
            # The index keeps the keys apart.
            key = string_in_json(
                rng, random_char(rng) * rng.randrange(3) + str(index), single_quotes
            )
            value = white_space(rng) + key + white_space(rng) + b":" + value
        parts.append(value)
    inside = b",".join(parts) or white_space(rng)
    return b"[" + inside + b"]" if kind == 6 else b"{" + inside + b"}"


def deep_json(rng: random.Random, depth: int) -> bytes:
    """A value exactly depth deep."""
    value = rng.choice((b"1", b'"x"', b"null"))
    for _ in range(depth):
        value = b"[" + value + b"]" if rng.randrange(2) else b"{'a':" + value + b"}"
    return value


def random_argument(rng: random.Random, type_: str) -> bytes:
    """A value for an argument: mostly of its type."""
    if rng.randrange(8) == 0:
        return random_json(rng, 2)
    if type_ == "integer":
        return rng.choice((str(rng.randrange(-5, 5000)), rng.choice(EDGES))).encode()
    if type_ == "boolean":
        return rng.choice((b"true", b"false"))
    if type_ == "strings":
        inside = b",".join(random_argument(rng, "string") for _ in range(rng.randrange(4)))
        return b"[" + inside + b"]"
    if type_ == "whence":
        words: tuple[object, ...] = ("set", "cur", "end", 0, 1, 2, 7, -1, "zz")
        return json.dumps(rng.choice(words)).encode()
    if type_ == "capture":
        words = ("none", "stdout", "stderr", "separated", "merged", True, False, "zz", 5)
        return json.dumps(rng.choice(words)).encode()
    assert type_ == "string"
    return string_in_json(rng, rng.choice(("r", "zz", "AAAA", "AAA=", "a+", "x\0y", "\u00e9'\"\\")))


def random_request(rng: random.Random) -> bytes:
    """A request: most are well-formed JSON and fail, if at all, in envelope or arguments."""
    members: list[tuple[str, bytes]] = []
    name = rng.choice([*COMMANDS, "guest-sync", "guest-sync", "guest-ping", "guest-no-such", ""])
    command = COMMANDS.get(name)
    if rng.randrange(30):
        members.append(("execute", string_in_json(rng, name)))
    given: list[tuple[str, bytes]] = []
    for argument in command.arguments if command else ():
        if argument.name == "path":
            # A path that no machine has, so that no request can do anything.
            path = rng.choice(("/no/such/folder/for/a/test", "/no/such/\u20ac", "/no/such/\0x"))
            given.append(("path", string_in_json(rng, path)))
        elif rng.randrange(6) and (argument.required or rng.randrange(2)):
            given.append((argument.name, random_argument(rng, argument.type)))
    if rng.randrange(10) == 0:
        given.append((rng.choice(("x", "y", "\u00e9\0", "idd")), random_json(rng, 2)))
    rng.shuffle(given)
    if given or rng.randrange(2):
        members.append(("arguments", object_in_json(rng, given)))
    if rng.randrange(2):
        deep = rng.randrange(10) == 0
        value = deep_json(rng, rng.randint(1, 60)) if deep else random_json(rng, 4)
        members.append(("id", value))
    if rng.randrange(20) == 0:
        faulty = rng.choice((("x", b"1"), ("execute", b"5"), ("arguments", b"[]"), ("id", b"null")))
        members.append(faulty)
    rng.shuffle(members)
    return object_in_json(rng, members)


def object_in_json(rng: random.Random, members: list[tuple[str, bytes]]) -> bytes:
    inside = b",".join(
        white_space(rng) + string_in_json(rng, key) + white_space(rng) + b":" + white_space(rng)
        + value + white_space(rng)
        for key, value in members
    )
    return b"{" + inside + b"}"


def mutate(rng: random.Random, data: bytes) -> bytes:
    """A few bytes replaced, left out, put in or doubled."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(4)
        if kind == 0 and at < len(out):
            out[at] = rng.choice(INTERESTING)
        elif kind == 1 and at < len(out):
            del out[at]
        elif kind == 2:
            out.insert(at, rng.choice(INTERESTING))
        else:
            out[at:at] = out[at:at + rng.randrange(6)]
    return bytes(out)


def random_stream(rng: random.Random, requests: int) -> list[bytes]:
    """Valid requests, broken ones, fragments and 0xFF in a row."""
    pieces = []
    for _ in range(requests):
        kind = rng.randrange(10)
        if kind < 5:
            piece = random_request(rng)
        elif kind < 8:
            piece = mutate(rng, random_request(rng))
        elif kind < 9:
            piece = rng.choice(FRAGMENTS)
        else:
            request = random_request(rng)
            piece = request[:rng.randrange(len(request))] + rng.choice((b"\xff", b"\n", b""))
        pieces.append(piece + rng.choice((b"", b"", b"\n", b" ", b"\r\n", b"\xff")))
    return pieces
