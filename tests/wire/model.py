"""A second opinion: what an agent must answer to a stream of bytes.

An independent implementation, byte by byte, of the framing, the JSON dialect, the recovery from
errors and the envelope, with the commands whose answers are known without looking at the
machine. It shares no code with any agent. Model.feed() takes input and gives the expected
replies; a reply is a matcher, because some texts are the agent's to word.

The world that the model assumes: no file handle is open, no program has been started, and no
path in a request exists.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Union

NESTING_MAX = 1024
SENTINEL = 0xFF
INT64_MIN = -(1 << 63)
INT64_MAX = (1 << 63) - 1


class Number(str):
    """A number as it was written."""

    def integer(self) -> int | None:
        """Its value if it is written as an integer and fits 64 bits, signed."""
        if not re.fullmatch(r"-?[0-9]+", self):
            return None
        value = int(self)
        return value if INT64_MIN <= value <= INT64_MAX else None


# A str that is not a Number is a string. Objects keep the order of their members.
Value = Union[str, Number, bool, None, list["Value"], dict[str, "Value"]]

SHORT_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
}


def encode_string(text: str) -> str:
    """A JSON string as replies have it: pure ASCII, upper-case hex, surrogate pairs."""
    out = ['"']
    for char in text:
        code = ord(char)
        if char in SHORT_ESCAPES:
            out.append(SHORT_ESCAPES[char])
        elif 0x20 <= code < 0x7F:
            out.append(char)
        elif code > 0xFFFF:
            high, low = divmod(code - 0x10000, 0x400)
            out.append(f"\\u{0xD800 + high:04X}\\u{0xDC00 + low:04X}")
        else:
            out.append(f"\\u{code:04X}")
    out.append('"')
    return "".join(out)


def encode(value: Value) -> str:
    """A value as replies have it: `: ` and `, ` separate. Without recursion: 1024 levels work."""
    out: list[str] = []
    # What is yet to be written, the next thing last: text, or a value in a one-element tuple.
    todo: list[str | tuple[Value]] = [(value,)]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            out.append(item)
            continue
        (value,) = item
        if isinstance(value, Number):
            out.append(str(value))
        elif isinstance(value, str):
            out.append(encode_string(value))
        elif value is None or isinstance(value, bool):
            out.append(json.dumps(value))
        else:
            pieces: list[str | tuple[Value]] = []
            if isinstance(value, list):
                opening, closing = "[", "]"
                for element in value:
                    pieces += [", ", (element,)]
            else:
                opening, closing = "{", "}"
                for key, member in value.items():
                    pieces += [", ", encode_string(key) + ": ", (member,)]
            todo += reversed([opening, *pieces[1:], closing])
    return "".join(out)


@dataclass(frozen=True)
class Expected:
    """One reply line: it is one of `exact`, or matches `pattern` as a whole."""

    exact: tuple[bytes, ...] = ()
    pattern: re.Pattern[bytes] | None = None

    def matches(self, line: bytes) -> bool:
        return line in self.exact or bool(self.pattern and self.pattern.fullmatch(line))

    def __str__(self) -> str:
        texts = [repr(text) for text in self.exact]
        return " or ".join(texts + [f"~{self.pattern.pattern!r}"] if self.pattern else texts)


# The inside of a JSON string as an agent may write it.
_DESC = rb'(?:[ !#-\[\]-~]|\\["\\bfnrt]|\\u[0-9A-F]{4})'
PARSE_ERROR = Expected(
    pattern=re.compile(
        rb'\{"error": \{"class": "GenericError", "desc": "JSON parse error, ' + _DESC + rb'+"\}\}\n'
    )
)


class Failed(Exception):
    """A request failed: the error's class and the texts it may have.

    naming: the text may be any that holds one of these.
    """

    def __init__(
        self, *descs: str, error_class: str = "GenericError", naming: tuple[str, ...] = ()
    ) -> None:
        super().__init__(descs, naming)
        self.descs = descs
        self.error_class = error_class
        self.naming = naming


def success(value: Value, request_id: list[Value], prefix: bytes = b"") -> Expected:
    """A success; request_id has the request's id, or nothing."""
    tail = "".join(f', "id": {encode(value)}' for value in request_id)
    return Expected((prefix + f'{{"return": {encode(value)}{tail}}}\n'.encode(),))


def failure(failed: Failed, request_id: list[Value]) -> Expected:
    head = "".join(f'"id": {encode(value)}, ' for value in request_id)
    head = f'{{{head}"error": {{"class": "{failed.error_class}", "desc": '
    pattern = None
    if failed.naming:
        names = b"|".join(re.escape(encode_string(n)[1:-1].encode()) for n in failed.naming)
        text = b'"' + _DESC + b"*?(?:" + names + b")" + _DESC + rb'*"\}\}\n'
        pattern = re.compile(re.escape(head.encode()) + text)
    return Expected(
        tuple(f"{head}{encode_string(desc)}}}}}\n".encode() for desc in failed.descs), pattern
    )


# ---- Arguments -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Argument:
    """One argument of a command: its name, its type, whether it must be there.

    Types: integer string boolean, strings (an array of them), whence, capture.
    """

    name: str
    type: str
    required: bool = True


WHENCE = ("set", "cur", "end")
CAPTURE = ("none", "stdout", "stderr", "separated", "merged")


def check_string(value: Value, name: str) -> None:
    if isinstance(value, Number) or not isinstance(value, str):
        raise Failed(f"Invalid parameter type for '{name}', expected: string")
    if "\0" in value:
        raise Failed(naming=(f"'{name}'",))


def check_alternate(value: str, name: str, words: Iterable[str]) -> None:
    if "\0" in value:
        raise Failed(naming=(f"'{name}'",))
    if value not in words:
        raise Failed(f"Parameter '{name}' does not accept value '{value}'")


def check_argument(argument: Argument, value: Value) -> None:
    """Raise Failed unless value has the argument's type."""
    name = argument.name
    wrong = f"Invalid parameter type for '{name}', expected: "
    is_string = isinstance(value, str) and not isinstance(value, Number)
    integer = value.integer() if isinstance(value, Number) else None
    if argument.type == "integer":
        if integer is None:
            raise Failed(wrong + "integer")
    elif argument.type == "string":
        check_string(value, name)
    elif argument.type == "boolean":
        if not isinstance(value, bool):
            raise Failed(wrong + "boolean")
    elif argument.type == "strings":
        if not isinstance(value, list):
            raise Failed(wrong + "array")
        for index, element in enumerate(value):
            check_string(element, f"{name}[{index}]")
    elif argument.type == "whence":
        if is_string:
            check_alternate(str(value), name, WHENCE)
        elif integer is None:
            raise Failed(wrong + "GuestFileWhence")
    else:
        assert argument.type == "capture"
        if is_string:
            check_alternate(str(value), name, CAPTURE)
        elif not isinstance(value, bool):
            raise Failed(wrong + "GuestExecCaptureOutput")


def check_arguments(arguments: tuple[Argument, ...], given: dict[str, Value]) -> None:
    """In the order of the list: missing, wrong type. Then what is not in the list."""
    for argument in arguments:
        if argument.name in given:
            check_argument(argument, given[argument.name])
        elif argument.required:
            raise Failed(f"Parameter '{argument.name}' is missing")
    known = {argument.name for argument in arguments}
    # Of several, any may be named.
    unexpected = [f"Parameter '{name}' is unexpected" for name in given if name not in known]
    if unexpected:
        raise Failed(*unexpected)


# ---- Commands --------------------------------------------------------------------------------


def _integer(arguments: dict[str, Value], name: str) -> int:
    value = arguments[name]
    assert isinstance(value, Number)
    integer = value.integer()
    assert integer is not None
    return integer


def _sync(arguments: dict[str, Value]) -> Value:
    return Number(_integer(arguments, "id"))


def _ping(_: dict[str, Value]) -> Value:
    return {}


def _with_handle(arguments: dict[str, Value]) -> Value:
    raise Failed(f"handle '{_integer(arguments, 'handle')}' has not been found")


def _is_base64(text: Value) -> bool:
    """Newlines may stand anywhere; an incomplete end is an error."""
    digits = re.sub(r"[\r\n]", "", str(text))
    return len(digits) % 4 == 0 and bool(re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", digits))


def _file_write(arguments: dict[str, Value]) -> Value:
    handle_error = f"handle '{_integer(arguments, 'handle')}' has not been found"
    # Of two faults at once the agent chooses which it names.
    good = _is_base64(arguments["buf-b64"])
    raise Failed(handle_error, naming=() if good else ("Base64",))


FILE_MODES = {
    f"{letter}{rest}" for letter in "rwa" for rest in ("", "b", "+", "b+", "+b")
}


def _file_open(arguments: dict[str, Value]) -> Value:
    mode = arguments.get("mode", "r")
    if mode not in FILE_MODES:
        raise Failed(f"invalid file open mode '{mode}'")
    path = arguments["path"]
    raise Failed(f"failed to open file '{path}' (mode: '{mode}'): No such file or directory")


def _exec(arguments: dict[str, Value]) -> Value:
    good = _is_base64(arguments.get("input-data", ""))
    raise Failed(naming=(str(arguments["path"]), *(() if good else ("Base64",))))


def _exec_status(arguments: dict[str, Value]) -> Value:
    raise Failed(f"PID {_integer(arguments, 'pid')} does not exist")


@dataclass(frozen=True)
class Command:
    arguments: tuple[Argument, ...]
    run: Callable[[dict[str, Value]], Value]


_ID = Argument("id", "integer")
_HANDLE = Argument("handle", "integer")
COMMANDS = {
    "guest-sync": Command((_ID,), _sync),
    "guest-sync-delimited": Command((_ID,), _sync),
    "guest-ping": Command((), _ping),
    "guest-file-open": Command(
        (Argument("path", "string"), Argument("mode", "string", False)), _file_open
    ),
    "guest-file-close": Command((_HANDLE,), _with_handle),
    "guest-file-flush": Command((_HANDLE,), _with_handle),
    "guest-file-read": Command((_HANDLE, Argument("count", "integer", False)), _with_handle),
    "guest-file-write": Command(
        (_HANDLE, Argument("buf-b64", "string"), Argument("count", "integer", False)), _file_write
    ),
    "guest-file-seek": Command(
        (_HANDLE, Argument("offset", "integer"), Argument("whence", "whence")), _with_handle
    ),
    "guest-exec": Command(
        (
            Argument("path", "string"),
            Argument("arg", "strings", False),
            Argument("env", "strings", False),
            Argument("input-data", "string", False),
            Argument("capture-output", "capture", False),
        ),
        _exec,
    ),
    "guest-exec-status": Command((Argument("pid", "integer"),), _exec_status),
}


def check_envelope(request: dict[str, Value]) -> tuple[str, dict[str, Value]]:
    """The command's name and arguments, or Failed, which names the first faulty member."""
    name: str | None = None
    arguments: dict[str, Value] = {}
    for key, value in request.items():
        if key == "execute":
            if isinstance(value, Number) or not isinstance(value, str):
                raise Failed("QMP input member 'execute' must be a string")
            name = value
        elif key == "arguments":
            if not isinstance(value, dict):
                raise Failed("QMP input member 'arguments' must be an object")
            arguments = value
        elif key != "id":
            raise Failed(f"QMP input member '{key}' is unexpected")
    if name is None:
        raise Failed("QMP input lacks member 'execute'")
    return name, arguments


# ---- The tokenizer ---------------------------------------------------------------------------


class Mode(enum.Enum):
    VALUE = "reading a value"
    DROP_GRAMMAR = "after a grammar error: to where the open brackets close"
    DROP_LEXICAL = "after a lexical error: to there or to a newline"
    SEEK = "after that: to the next {"


class Expect(enum.Enum):
    """What may come next inside a bracket."""

    FIRST_KEY = "a key or }"
    KEY = "a key"
    COLON = ":"
    MEMBER = "a member's value"
    MEMBER_END = ", or }"
    FIRST_ELEMENT = "a value or ]"
    ELEMENT = "a value"
    ELEMENT_END = ", or ]"


WANTS_VALUE = (Expect.MEMBER, Expect.FIRST_ELEMENT, Expect.ELEMENT)


@dataclass
class Open:
    """An open bracket and what it holds so far."""

    container: list[Value] | dict[str, Value]
    expect: Expect
    key: str = ""


WHITE_SPACE = b" \t\r\n"
PUNCTUATION = b"{}[]:,"
DIGITS = b"0123456789"
LETTERS = b"abcdefghijklmnopqrstuvwxyz"
HEX_DIGITS = b"0123456789abcdefABCDEF"
ESCAPES = {
    ord('"'): '"', ord("'"): "'", ord("\\"): "\\", ord("/"): "/", ord("b"): "\b",
    ord("f"): "\f", ord("n"): "\n", ord("r"): "\r", ord("t"): "\t",
}
KEYWORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
NEWLINE = ord("\n")
BACKSLASH = ord("\\")

# The number's grammar: state → byte class → next state. A byte without an entry ends the number
# in the states of NUMBER_ENDS and is an error in the others; so is a digit after a leading zero.
_DIGIT, _ZERO, _POINT, _EXPONENT, _SIGN, _MINUS = "digit", "zero", "point", "e", "sign", "minus"
NUMBER_STATES: dict[str, dict[str, str]] = {
    "start": {_MINUS: "minus", _ZERO: "zero", _DIGIT: "integer"},
    "minus": {_ZERO: "zero", _DIGIT: "integer"},
    "zero": {_POINT: "point", _EXPONENT: "e"},
    "integer": {_ZERO: "integer", _DIGIT: "integer", _POINT: "point", _EXPONENT: "e"},
    "point": {_ZERO: "fraction", _DIGIT: "fraction"},
    "fraction": {_ZERO: "fraction", _DIGIT: "fraction", _EXPONENT: "e"},
    "e": {_ZERO: "exponent", _DIGIT: "exponent", _SIGN: "sign", _MINUS: "sign"},
    "sign": {_ZERO: "exponent", _DIGIT: "exponent"},
    "exponent": {_ZERO: "exponent", _DIGIT: "exponent"},
}
NUMBER_ENDS = ("zero", "integer", "fraction", "exponent")


def _number_class(byte: int) -> str | None:
    if byte == ord("0"):
        return _ZERO
    if byte in DIGITS:
        return _DIGIT
    return {ord("."): _POINT, ord("e"): _EXPONENT, ord("E"): _EXPONENT, ord("+"): _SIGN,
            ord("-"): _MINUS}.get(byte)


def _utf8_continuation_ranges(lead: int) -> list[tuple[int, int]] | None:
    """The ranges that the bytes after a lead byte must be in (RFC 3629), None for a bad lead."""
    tail = (0x80, 0xBF)
    if 0xC2 <= lead <= 0xDF:
        return [tail]
    if 0xE0 <= lead <= 0xEF:
        return [{0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F)}.get(lead, tail), tail]
    if 0xF0 <= lead <= 0xF4:
        return [{0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}.get(lead, tail), tail, tail]
    return None


@dataclass
class StringToken:
    """A string that is being read: its quote, its text so far, and what is half read."""

    quote: int
    text: list[str] = field(default_factory=list)
    escape: bytearray | None = None
    high: int | None = None
    utf8: bytearray = field(default_factory=bytearray)
    utf8_ranges: list[tuple[int, int]] = field(default_factory=list)

    def take(self, byte: int) -> bool | None:
        """True: the string ended. None: it goes on. False: the byte is an error."""
        if self.escape is not None:
            return self._take_escape(byte)
        if self.utf8_ranges:
            low, high = self.utf8_ranges.pop(0)
            if not low <= byte <= high:
                return False
            self.utf8.append(byte)
            if not self.utf8_ranges:
                self.text.append(self.utf8.decode())
                self.utf8.clear()
            return None
        if byte == BACKSLASH:
            self.escape = bytearray()
            return None
        if self.high is not None or byte < 0x20:
            return False
        if byte == self.quote:
            return True
        if byte < 0x80:
            self.text.append(chr(byte))
            return None
        ranges = _utf8_continuation_ranges(byte)
        if ranges is None:
            return False
        self.utf8.append(byte)
        self.utf8_ranges = ranges
        return None

    def _take_escape(self, byte: int) -> bool | None:
        """A byte after a backslash; escape holds those between the two."""
        assert self.escape is not None
        if not self.escape:
            if byte == ord("u"):
                self.escape.append(byte)
                return None
            if self.high is not None or byte not in ESCAPES:
                return False
            self.text.append(ESCAPES[byte])
            self.escape = None
            return None
        if byte not in HEX_DIGITS:
            return False
        self.escape.append(byte)
        digits = self.escape[1:].decode().lower()
        # A low surrogate is DC00 to DFFF: the first two digits tell whether this can be one.
        could_be_low = digits[0] == "d" and (len(digits) < 2 or digits[1] in "cdef")
        is_low = could_be_low and len(digits) >= 2
        if self.high is not None and not could_be_low or self.high is None and is_low:
            return False
        if len(digits) < 4:
            return None
        code = int(digits, 16)
        self.escape = None
        if self.high is not None:
            self.text.append(chr(0x10000 + ((self.high - 0xD800) << 10) + (code - 0xDC00)))
            self.high = None
        elif 0xD800 <= code <= 0xDBFF:
            self.high = code
        else:
            self.text.append(chr(code))
        return None


class Model:
    """An agent's half of one connection after another.

    served: the commands that it has; those that COMMANDS lacks must not be asked for.
    disabled: those of them that the administrator has blocked.
    offsets: for each reply so far, how many bytes of input had been fed when it was due.
    """

    def __init__(
        self, served: Iterable[str] = COMMANDS, disabled: Iterable[str] = ()
    ) -> None:
        self.served = frozenset(served)
        self.disabled = frozenset(disabled)
        self.replies: list[Expected] = []
        self.offsets: list[int] = []
        self.fed = 0
        self.reset()

    def reset(self) -> None:
        """The initial state: after 0xFF, or for a new client."""
        self.mode = Mode.VALUE
        self.stack: list[Open] = []
        self.string: StringToken | None = None
        self.number = ""
        self.number_state = ""
        self.keyword = ""
        # While dropping: brackets open, the quote of the string we are in, after a backslash.
        self.drop_depth = 0
        self.drop_quote: int | None = None
        self.drop_escape = False

    def feed(self, data: bytes) -> list[Expected]:
        """Take input. Returns the replies that it made due."""
        before = len(self.replies)
        for byte in data:
            self.fed += 1
            self._take(byte)
        return self.replies[before:]

    # ---- bytes → tokens

    def _take(self, byte: int) -> None:
        if byte == SENTINEL:
            self.reset()
        elif self.mode is Mode.SEEK:
            if byte == ord("{"):
                self.reset()
                self._lex(byte)
        elif self.mode is Mode.DROP_LEXICAL:
            self._drop_byte(byte)
        else:
            self._lex(byte)

    def _lex(self, byte: int) -> None:
        if self.string is not None:
            ended = self.string.take(byte)
            if ended is False:
                self._lexical_error(byte, self.string.quote)
            elif ended:
                text = "".join(self.string.text)
                self.string = None
                self._token('"', text)
        elif self.number:
            self._lex_number(byte)
        elif self.keyword:
            if byte in LETTERS:
                self.keyword += chr(byte)
                return
            word, self.keyword = self.keyword, ""
            self._token("word", word)
            self._take(byte)
        elif byte in PUNCTUATION:
            self._token(chr(byte))
        elif byte in b"\"'":
            self.string = StringToken(byte)
        elif byte == ord("-") or byte in DIGITS:
            self.number_state = "start"
            self._lex_number(byte)
        elif byte in LETTERS:
            self.keyword = chr(byte)
        elif byte not in WHITE_SPACE:
            self._lexical_error(byte)

    def _lex_number(self, byte: int) -> None:
        byte_class = _number_class(byte)
        following = NUMBER_STATES[self.number_state].get(byte_class) if byte_class else None
        if following is not None:
            self.number += chr(byte)
            self.number_state = following
            return
        leading_zero = self.number_state == "zero" and byte in DIGITS
        if self.number_state not in NUMBER_ENDS or leading_zero:
            self._lexical_error(byte)
            return
        text, self.number = self.number, ""
        self._token("number", Number(text))
        self._take(byte)

    # ---- errors and what is dropped after them

    def _lexical_error(self, byte: int, quote: int | None = None) -> None:
        """byte is faulty; quote is that of the string it is in. It may itself end the drop."""
        depth = self.drop_depth
        if self.mode is Mode.VALUE:
            depth = len(self.stack)
            self._reply(PARSE_ERROR)
        self.reset()
        self.mode = Mode.DROP_LEXICAL
        self.drop_depth = depth
        self.drop_quote = quote
        if depth == 0 and quote is None:
            self.mode = Mode.SEEK
        self._take(byte)

    def _drop_byte(self, byte: int) -> None:
        """A byte after a lexical error."""
        if byte == NEWLINE:
            self.mode = Mode.SEEK
        elif self.drop_escape:
            self.drop_escape = False
        elif self.drop_quote is not None:
            if byte == BACKSLASH:
                self.drop_escape = True
            elif byte == self.drop_quote:
                self.drop_quote = None
                self._drop_bracket("")
        elif byte in b"\"'":
            self.drop_quote = byte
        else:
            self._drop_bracket(chr(byte))

    def _drop_bracket(self, kind: str) -> None:
        if kind in ("{", "["):
            self.drop_depth += 1
        elif kind in ("}", "]"):
            self.drop_depth -= 1
        if self.drop_depth <= 0:
            self.mode = Mode.SEEK

    def _grammar_error(self, kind: str, reply: Expected = PARSE_ERROR) -> None:
        """The token that was just read is in the wrong place."""
        depth = len(self.stack)
        self._reply(reply)
        self.reset()
        self.mode = Mode.DROP_GRAMMAR
        self.drop_depth = depth
        self._drop_bracket(kind)

    # ---- tokens → values

    def _token(self, kind: str, value: Value = None) -> None:
        """kind: a punctuation character, '"' for a string, number, word."""
        if self.mode is Mode.DROP_GRAMMAR:
            self._drop_bracket(kind)
            return
        expect = self.stack[-1].expect if self.stack else Expect.ELEMENT
        if expect in WANTS_VALUE and kind not in ("]", "}", ":", ","):
            self._value_token(kind, value)
        elif expect in (Expect.FIRST_KEY, Expect.KEY) and kind == '"':
            assert isinstance(value, str)
            if value in self.stack[-1].container:
                self._grammar_error(kind)
                return
            self.stack[-1].key = value
            self.stack[-1].expect = Expect.COLON
        elif expect is Expect.COLON and kind == ":":
            self.stack[-1].expect = Expect.MEMBER
        elif expect is Expect.MEMBER_END and kind == ",":
            self.stack[-1].expect = Expect.KEY
        elif expect is Expect.ELEMENT_END and kind == ",":
            self.stack[-1].expect = Expect.ELEMENT
        elif expect in (Expect.FIRST_KEY, Expect.MEMBER_END) and kind == "}":
            self._value(self.stack.pop().container)
        elif expect in (Expect.FIRST_ELEMENT, Expect.ELEMENT_END) and kind == "]":
            self._value(self.stack.pop().container)
        else:
            self._grammar_error(kind)

    def _value_token(self, kind: str, value: Value) -> None:
        """A token where a value may be."""
        if kind in ("{", "["):
            if len(self.stack) == NESTING_MAX:
                failed = Failed("JSON nesting depth limit exceeded")
                self._grammar_error(kind, failure(failed, []))
            elif kind == "{":
                self.stack.append(Open({}, Expect.FIRST_KEY))
            else:
                self.stack.append(Open([], Expect.FIRST_ELEMENT))
        elif kind == "word":
            if value in KEYWORDS:
                self._value(KEYWORDS[str(value)])
            else:
                self._grammar_error(kind)
        else:
            self._value(value)

    def _value(self, value: Value) -> None:
        """A value is complete."""
        if not self.stack:
            self._request(value)
            return
        top = self.stack[-1]
        if isinstance(top.container, list):
            top.container.append(value)
            top.expect = Expect.ELEMENT_END
        else:
            top.container[top.key] = value
            top.expect = Expect.MEMBER_END

    # ---- requests → replies

    def _reply(self, reply: Expected) -> None:
        self.replies.append(reply)
        self.offsets.append(self.fed)

    def _request(self, request: Value) -> None:
        if not isinstance(request, dict):
            self._reply(failure(Failed("QMP input must be a JSON object"), []))
            return
        request_id = [request["id"]] if "id" in request else []
        try:
            name, arguments = check_envelope(request)
            result = self._run(name, arguments)
        except Failed as failed:
            self._reply(failure(failed, request_id))
            return
        prefix = bytes([SENTINEL]) if name == "guest-sync-delimited" else b""
        self._reply(success(result, request_id, prefix))

    def _run(self, name: str, arguments: dict[str, Value]) -> Value:
        if name not in self.served:
            raise Failed(
                f"The command {name} has not been found", error_class="CommandNotFound"
            )
        if name in self.disabled:
            raise Failed(
                f"Command {name} has been disabled: the command is not allowed",
                error_class="CommandNotFound",
            )
        command = COMMANDS[name]
        check_arguments(command.arguments, arguments)
        return command.run(arguments)
