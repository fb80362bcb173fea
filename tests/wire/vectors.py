"""Inputs and their replies, derived by hand from the protocol: they judge model and agent alike.

Each vector starts on a fresh channel. A reply is exact, or PARSE for any JSON parse error.
"""

from __future__ import annotations

from dataclasses import dataclass

PARSE = b"JSON parse error"
PONG = b'{"return": {}}\n'
NOT_OBJECT = b'{"error": {"class": "GenericError", "desc": "QMP input must be a JSON object"}}\n'
TOO_DEEP = b'{"error": {"class": "GenericError", "desc": "JSON nesting depth limit exceeded"}}\n'
PING = b'{"execute":"guest-ping"}'


def generic(desc: str, request_id: str = "") -> bytes:
    head = f'"id": {request_id}, ' if request_id else ""
    return f'{{{head}"error": {{"class": "GenericError", "desc": "{desc}"}}}}\n'.encode()


def not_found(name: str, request_id: str = "") -> bytes:
    return generic(f"The command {name} has not been found", request_id).replace(
        b"GenericError", b"CommandNotFound"
    )


def with_id(written: bytes, answered: bytes | None = None) -> Vector:
    """A ping whose id is written one way and comes back another."""
    answered = written if answered is None else answered
    return Vector(
        b'{"execute":"guest-ping","id":' + written + b"}",
        b'{"return": {}, "id": ' + answered + b"}\n",
    )


@dataclass
class Vector:
    """Input and replies."""

    sent: bytes
    replies: tuple[bytes, ...]

    def __init__(self, sent: bytes, *replies: bytes) -> None:
        self.sent = sent
        self.replies = replies


def is_expected(line: bytes, reply: bytes) -> bool:
    """Whether a line that came is what a vector says."""
    if reply == PARSE:
        head = b'{"error": {"class": "GenericError", "desc": "JSON parse error, '
        return line.startswith(head) and line.endswith(b'"}}\n')
    return line == reply


FRAMING = [
    # Requests end at their outermost brace; white space may stand anywhere between tokens.
    Vector(PING, PONG),
    Vector(PING + b"\n", PONG),
    Vector(PING + PING + b"\r\n \t" + PING, PONG, PONG, PONG),
    Vector(b' { "execute" \t:\r\n "guest-ping" , "arguments" : { } } ', PONG),
    Vector(b"", ),
    Vector(b" \t\r\n\n\n"),
    Vector(b'{"execute":"guest-ping"'),
    # 0xFF drops what is half received, wherever it stands, and costs nothing.
    Vector(b"\xff\xff\xff"),
    Vector(b"\xff" + PING, PONG),
    Vector(b'{"execute":"guest-ping"\xff' + PING, PONG),
    Vector(b'{"execute":"guest-pi\xff' + PING, PONG),
    Vector(b'{"execute":"guest-pi\\\xff' + PING, PONG),
    Vector(b'{"execute":"guest-pi\\u00\xff' + PING, PONG),
    Vector(b'{"execute":"guest-pi\xc3\xff' + PING, PONG),
    Vector(b'{"id":12\xff' + PING, PONG),
    Vector(b'{"id":tru\xff' + PING, PONG),
    Vector(b"[[[\xff" + PING, PONG),
    # ... also while something faulty is being dropped, and then errors are told again.
    Vector(b'{"execute":"\\q\xff' + PING, PARSE, PONG),
    Vector(b"{,{]{{\xff" + PING, PARSE, PONG),
    Vector(b"}}}}\xff}", PARSE, PARSE),
    # The sentinel in front of a reply.
    Vector(
        b'{"execute":"guest-sync-delimited","arguments":{"id":7}}',
        b'\xff{"return": 7}\n',
    ),
    Vector(
        b'{"execute":"guest-sync-delimited","arguments":{"id":7},"id":"x"}',
        b'\xff{"return": 7, "id": "x"}\n',
    ),
    Vector(b'{"execute":"guest-sync-delimited"}', generic("Parameter 'id' is missing")),
]

RECOVERY = [
    # The protocol's own examples.
    Vector(b'{"execute":"guest-pi\n' + PING, PARSE, PONG),
    Vector(b'{"execute":"a\\q"}' + PING, PARSE, PONG),
    # A stray thing without an error before it is one error by itself; more of them are silent.
    Vector(b"}", PARSE),
    Vector(b"]", PARSE),
    Vector(b"}]}]\n}\n" + PING, PARSE, PONG),
    Vector(b"garbage\n", PARSE),
    Vector(b"garbage rubbish\nrubbish " + PING + b"}", PARSE, PONG, PARSE),
    Vector(b",", PARSE),
    Vector(b":", PARSE),
    Vector(b"%p\n" + PING, PARSE, PONG),
    Vector(b"\0\n" + PING, PARSE, PONG),
    Vector(b"\x80" + PING, PARSE, PONG),
    Vector(b"} [" + PING + b"]", PARSE, PONG, PARSE),
    # After an error what stands before the next { is dropped; after a good value it is not.
    Vector(b"} 1 1 true" + PING, PARSE, PONG),
    Vector(b"1 } 1" + PING, NOT_OBJECT, PARSE, PONG),
    # A grammar error is dropped to where its brackets close, whichever kind closes which.
    Vector(b'{"execute" "guest-ping"}' + PING, PARSE, PONG),
    Vector(b'{"execute":"guest-ping",}' + PING, PARSE, PONG),
    Vector(b'{"execute":"guest-ping"]' + PING, PARSE, PONG),
    Vector(b'{"execute":}' + PING, PARSE, PONG),
    Vector(b"{,[{(" + PING + b"}}" + PING, PARSE),
    Vector(b"{,[{\n\n\n" + PING + b"]}}" + PING, PARSE, PONG),
    Vector(b"{{" + PING + b"}}" + PING, PARSE, PONG),
    Vector(b"{{" + PING + b"}" + PING, PARSE),
    Vector(b"{[" + PING + b"}]" + PING, PARSE, PONG),
    Vector(b"[1}" + PING, PARSE, PONG),
    Vector(b"[1 2]" + PING, PARSE, PONG),
    Vector(b"[1,]" + PING, PARSE, PONG),
    Vector(b"[,1]" + PING, PARSE, PONG),
    Vector(b'{"a":nul}' + PING, PARSE, PONG),
    Vector(b'{"a":nul{}}' + PING, PARSE, PONG),
    Vector(b'{"a":truefalse}' + PING, PARSE, PONG),
    Vector(b'{"a":true false}' + PING, PARSE, PONG),
    Vector(b"{1:2}" + PING, PARSE, PONG),
    # Brackets in strings do not count while dropping, whichever the quote.
    Vector(b'{,"}}}" \'}}}\' "\\"}" \'\\\'}\' "\'}" \'"}\'}' + PING, PARSE, PONG),
    # A newline does not end what follows a grammar error, unless a lexical error follows.
    Vector(b"{,\n" + PING + b"\n}" + PING, PARSE, PONG),
    Vector(b"{,01\n" + PING, PARSE, PONG),
    Vector(b'{,"\n' + PING, PARSE, PONG),
    Vector(b"{,%\n" + PING, PARSE, PONG),
    # A lexical error is dropped to a newline or to where the brackets close.
    Vector(b'{"execute":01}' + PING, PARSE, PONG),
    Vector(b'{"execute":01\n' + PING, PARSE, PONG),
    Vector(b'{"execute":"\\ud800"}' + PING, PARSE, PONG),
    Vector(b'{"execute":"\xc3("}' + PING, PARSE, PONG),
    Vector(b'{"execute":"guest-ping\n"}\n' + PING, PARSE, PONG),
    Vector(b'{"a":[{"b":"\\q","c":[1,2,{}]}]}' + PING, PARSE, PONG),
    Vector(b'{"a":[{"b":"\\q","c":[1,2,{}\n' + PING, PARSE, PONG),
    # Inside the faulty string and later ones brackets do not count; they end at their quote.
    Vector(b'{"a":"\\q}}}}"}' + PING, PARSE, PONG),
    Vector(b'{"a":"\\q}\\"}}}"}' + PING, PARSE, PONG),
    Vector(b"{'a':'\\q\"}}}'}" + PING, PARSE, PONG),
    Vector(b'{"a":%,"b":"}}","c":\'}}\'}' + PING, PARSE, PONG),
    Vector(b'{"a":%,"b":"}}\n' + PING, PARSE, PONG),
    # The faulty byte itself is looked at: it may close a bracket, or be the newline.
    Vector(b'{"a":1.}' + PING, PARSE, PONG),
    Vector(b'{"a":-}' + PING, PARSE, PONG),
    Vector(b'{"a":1e}' + PING, PARSE, PONG),
    Vector(b'{"a":[1e+]}' + PING, PARSE, PONG),
    Vector(b'{"a":1.\n' + PING, PARSE, PONG),
    Vector(b'{"a":"\\\n' + PING, PARSE, PONG),
    Vector(b'{"a":"\\u12"}' + PING, PARSE, PONG),
    # ... or open one.
    Vector(b'{"a":1.{' + PING + b"}}" + PING, PARSE, PONG),
    Vector(b"1." + PING, PARSE, PONG),
    # A faulty string at top level ends at its quote.
    Vector(b'"a\\q {" ' + PING, PARSE, PONG),
    Vector(b'"a\\q {\n' + PING, PARSE, PONG),
]

DIALECT = [
    # What is not an object.
    *[Vector(text, NOT_OBJECT) for text in (b"[]", b"[1,2]", b'"x"', b"'x'")],
    *[Vector(text + b"\n", NOT_OBJECT) for text in (b"1", b"-0.5e-7", b"true", b"false", b"null")],
    Vector(b"1 2,", NOT_OBJECT, NOT_OBJECT, PARSE),
    Vector(b'"a""b"', NOT_OBJECT, NOT_OBJECT),
    Vector(b"1" + PING, NOT_OBJECT, PONG),
    Vector(b"true1 ", NOT_OBJECT, NOT_OBJECT),
    Vector(b"[]" + PING, NOT_OBJECT, PONG),
    # A scalar without its end is half a request.
    *[Vector(text) for text in (b"1", b"true", b"garbage", b'"x', b"-", b"1e", b"0")],
    # Strings.
    Vector(b"{'execute':'guest-ping'}", PONG),
    Vector(b"{'execute':\"guest-ping\"}", PONG),
    with_id(b"'it\"s'", b'"it\\"s"'),
    with_id(b'"it\'s"'),
    with_id(b"'it\\'s'", b'"it\'s"'),
    with_id(b'"it\\\'s"', b'"it\'s"'),
    with_id(b'"\\"\\\\\\b\\f\\n\\r\\t"'),
    with_id(b'"\\/ /"', b'"/ /"'),
    with_id(b'"\\u0000\\u001f\\u007f"', b'"\\u0000\\u001F\\u007F"'),
    with_id(b'"\\u0041\\u00e9\\u20AC"', b'"A\\u00E9\\u20AC"'),
    with_id(b'"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"', b'"\\u00E9\\u20AC\\uD83D\\uDE00"'),
    with_id(b'"\\ud83d\\ude00"', b'"\\uD83D\\uDE00"'),
    with_id(b'"\\udbff\\udfff"', b'"\\uDBFF\\uDFFF"'),
    with_id(b'"\x7f"', b'"\\u007F"'),
    with_id(b'" ~"'),
    with_id(b'"\\ufffe\\ufdd0\\uffff"', b'"\\uFFFE\\uFDD0\\uFFFF"'),
    with_id(b'"\xef\xbf\xbe"', b'"\\uFFFE"'),
    with_id(b'"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"', b'"\\uD7FF\\uE000\\uDBFF\\uDFFF"'),
    with_id(b'"guest\\u002dping"', b'"guest-ping"'),
    Vector(b'{"\\u0065xecute":"guest\\u002dping"}', PONG),
    *[
        Vector(b'{"a":"' + text + b'"}' + PING, PARSE, PONG)
        for text in (
            b"\\q", b"\\x41", b"\\u12g4", b"\\U0041", b"\\0",  # escapes
            b"\x01", b"\t", b"\r", b"\0", b"\x1f",  # raw control characters
            b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc3", b"\xc3\xc3", b"\xe0\x80\x80",
            b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80",
            b"\xf5\x80\x80\x80", b"\xfe", b"\xe2\x82", b"\xf0\x9f\x98",  # UTF-8
            b"\\ud800", b"\\ud800x", b"\\ud800\\n", b"\\ud800\\u0041", b"\\ud800\\ud800",
            b"\\udc00", b"\\udfff", b"\\ud83d\xc3\xa9",  # surrogates
        )
    ],
    # Numbers come back as they were written.
    *[
        with_id(text)
        for text in (
            b"0", b"-0", b"1", b"-1", b"9223372036854775807", b"-9223372036854775808",
            b"18446744073709551615", b"123456789012345678901234567890", b"1.5", b"1.50",
            b"0.0", b"-0.5", b"1e5", b"1E5", b"1e+5", b"1e-5", b"1.25E-007", b"0e0",
        )
    ],
    *[
        Vector(b'{"id":' + text + b"}" + PING, PARSE, PONG)
        for text in (
            b"01", b"-01", b"00", b"1.", b".5", b"-", b"--1", b"+1", b"1e", b"1e+", b"1.e5",
            b"1.5.5", b"0x10", b"1_0", b"NaN", b"Infinity", b"-Infinity", b"1 e5", b"- 1",
        )
    ],
    # The rest of the values.
    with_id(b"true"),
    with_id(b"false"),
    with_id(b"null"),
    with_id(b"{}"),
    with_id(b"[]"),
    with_id(b'{"b":1,"a":[ 1,null ,"x",true,{"":-1.5}]}',
            b'{"b": 1, "a": [1, null, "x", true, {"": -1.5}]}'),
    *[
        Vector(b'{"id":' + text + b"}" + PING, PARSE, PONG)
        for text in (
            b"True", b"nULL", b"undefined", b"{,}", b"[,]", b"[1,]", b'{"a":1,}', b'{"a"}',
            b"{a:1}", b"/**/1", b"#1", b"(1)", b"`1`", b"1;",
        )
    ],
    # Duplicate keys, as they read after their escapes, at any level.
    Vector(b'{"execute":"guest-ping","execute":"guest-info"}' + PING, PARSE, PONG),
    Vector(b'{"execute":"guest-sync","arguments":{"id":1,"id":2}}' + PING, PARSE, PONG),
    Vector(b'{"id":[{"a":1,"b":2,"\\u0061":3}]}' + PING, PARSE, PONG),
    Vector(b"{\"id\":{'a':1,\"a\":2}}" + PING, PARSE, PONG),
    with_id(b'{"a":{"a":{"a":1}},"b":{"a":1}}', b'{"a": {"a": {"a": 1}}, "b": {"a": 1}}'),
    # Nesting: 1024 open brackets are well, one more is an error, recovered from as grammar is.
    with_id(b"[" * 64 + b"]" * 64),
    with_id(b"[" * 1023 + b"]" * 1023),
    with_id(b'{"a":' * 1022 + b"{}" + b"}" * 1022, b'{"a": ' * 1022 + b"{}" + b"}" * 1022),
    Vector(b"[" * 1024 + b"]" * 1024 + PING, NOT_OBJECT, PONG),
    Vector(b"[" * 1025 + b"]" * 1025 + PING, TOO_DEEP, PONG),
    Vector(b"[" * 5000 + b"]" * 4999 + PING + b"]" + PING, TOO_DEEP, PONG),
    Vector(b"[" * 1025 + b"\n" + b"]" * 1025 + PING, TOO_DEEP, PONG),
    Vector(b'{"execute":"guest-ping","id":' + b"[" * 1024 + b"]" * 1024 + b"}" + PING,
           TOO_DEEP, PONG),
]

ENVELOPE = [
    Vector(b"{}", generic("QMP input lacks member 'execute'")),
    Vector(b'{"id":5}', generic("QMP input lacks member 'execute'", "5")),
    Vector(b'{"arguments":{}}', generic("QMP input lacks member 'execute'")),
    Vector(b'{"arguments":[],"id":5}',
           generic("QMP input member 'arguments' must be an object", "5")),
    Vector(b'{"execute":5,"arguments":[],"x":1}',
           generic("QMP input member 'execute' must be a string")),
    Vector(b'{"arguments":[],"x":1,"execute":5}',
           generic("QMP input member 'arguments' must be an object")),
    Vector(b'{"x":1,"execute":5,"arguments":[]}', generic("QMP input member 'x' is unexpected")),
    Vector(b'{"execute":null}', generic("QMP input member 'execute' must be a string")),
    Vector(b'{"execute":"guest-ping","arguments":null}',
           generic("QMP input member 'arguments' must be an object")),
    Vector(b'{"exec-oob":"guest-ping"}', generic("QMP input member 'exec-oob' is unexpected")),
    Vector(b'{"a":1e5,"execute":"guest-ping"}', generic("QMP input member 'a' is unexpected")),
    Vector(b'{"execute\\u0000":"guest-ping"}',
           generic("QMP input member 'execute\\u0000' is unexpected")),
    Vector(b'{"\\u00e9\\"":1}', generic("QMP input member '\\u00E9\\\"' is unexpected")),
    Vector(b'{"execute":"guest-no-such"}', not_found("guest-no-such")),
    Vector(b'{"id":[1.0],"execute":"guest-no-such","arguments":{"x":1}}',
           not_found("guest-no-such", "[1.0]")),
    Vector(b'{"execute":""}', not_found("")),
    Vector(b'{"execute":"guest-pin"}', not_found("guest-pin")),
    Vector(b'{"execute":"guest-pings"}', not_found("guest-pings")),
    Vector(b'{"execute":"Guest-ping"}', not_found("Guest-ping")),
    Vector(b'{"execute":"guest-ping\\u0000"}', not_found("guest-ping\\u0000")),
    Vector(b'{"execute":"a\\u0000b"}', not_found("a\\u0000b")),
    Vector(b'{"execute":"guest-ping","arguments":{"foo":42}}',
           generic("Parameter 'foo' is unexpected")),
    Vector(b'{"arguments":{"id":3},"id":{"a":0},"execute":"guest-sync"}',
           b'{"return": 3, "id": {"a": 0}}\n'),
    Vector(b'{"execute":"guest-sync","arguments":{"id":-9223372036854775808}}',
           b'{"return": -9223372036854775808}\n'),
    Vector(b'{"execute":"guest-sync","arguments":{"id":9223372036854775807}}',
           b'{"return": 9223372036854775807}\n'),
    *[
        Vector(b'{"execute":"guest-sync","arguments":{"id":' + text + b'},"id":2}',
               generic("Invalid parameter type for 'id', expected: integer", "2"))
        for text in (
            b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"1.0",
            b"1e3", b"null", b"true", b'"1"', b"[]", b"{}", b"100000000000000000000000000",
        )
    ],
    Vector(b'{"execute":"guest-sync","arguments":{"x":1}}', generic("Parameter 'id' is missing")),
    Vector(b'{"execute":"guest-sync","arguments":{"x":1,"id":""}}',
           generic("Invalid parameter type for 'id', expected: integer")),
]

VECTORS = {"framing": FRAMING, "recovery": RECOVERY, "dialect": DIALECT, "envelope": ENVELOPE}
ALL_VECTORS = [vector for group in VECTORS.values() for vector in group]
