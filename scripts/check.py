#!/usr/bin/python3
"""Runs parts of the tests and says of each test whether it passed.

A part that fails does not keep the others from running. At the end stand the tests that failed,
by name, and as the very last line how many passed and failed. A skipped test counts as failed
unless docs/testing.md names it. The exit status is 0 if nothing failed. What every tool had to
say is kept in build/check.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "check"
SKIPS = ROOT / "docs" / "testing.md"
PROCESSORS = len(os.sched_getaffinity(0))
# What may end up in an initramfs: the families of commands (all, if none is named), and the bytes
# that the agent may have with them.
RELEASES = {
    "release": ("", 65536),
    "programs": ("session file exec system health", 45056),
    "health": ("session health", 24576),
}
FUZZ_S = 60
FUZZERS_AT_ONCE = 2  # by scripts/fuzz
# How much of what a failed test had to say is shown.
DETAIL_LINES = 60
FORBIDDEN = {
    "malloc", "calloc", "realloc", "free", "aligned_alloc", "memalign", "posix_memalign", "valloc",
    "brk", "sbrk", "mmap", "mmap64", "mremap",
}

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass
class Test:
    """One test: its name begins with its part, as in wire/test_exec.py::test_a_signal."""

    name: str
    outcome: str
    detail: str = ""


@dataclass
class Ended:
    """A program that has ended."""

    status: int
    output: str


def run(log: str, command: Sequence[str | Path], limit_s: float, **env: str) -> Ended:
    """Run a program in the tree; its output goes to a log. Past its time it and all that it
    started is killed."""
    path = WORK / f"{log}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        process = subprocess.Popen(
            [str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file,
            stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, **env},
        )
        try:
            status = process.wait(limit_s)
            late = ""
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
            late = f"\nkilled: it did not end in {limit_s:.0f} s"
    return Ended(status, path.read_text(errors="replace") + late)


def at_once(jobs: Sequence[Callable[[], list[Test]]]) -> list[Test]:
    """Run jobs side by side, as many as there are processors; their tests in the jobs' order."""
    with concurrent.futures.ThreadPoolExecutor(PROCESSORS) as pool:
        running = [pool.submit(job) for job in jobs]
        return [test for job in running for test in job.result()]


def judged(name: str, ended: Ended) -> Test:
    """A program that is a test by itself: it passes with exit status 0."""
    if ended.status == 0:
        return Test(name, PASSED)
    return Test(name, FAILED, f"{ended.output}\nexit status {ended.status}")


def checked(name: str, wrong: str) -> Test:
    """A test that passes if there is nothing wrong."""
    return Test(name, FAILED if wrong else PASSED, wrong)


# ---- Builds -----------------------------------------------------------------------------------


def copy_sources(name: str) -> Path:
    """The agent's sources in a folder of their own, so that a build there disturbs no other."""
    folder = WORK / "copies" / name
    for pattern in ("Makefile", "*.[ch]", "commands/*.c", "small/*"):
        for source in ROOT.glob(pattern):
            target = folder / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


def make(name: str, *words: str, folder: Path = ROOT) -> Test:
    command = ["make", "-s", "-C", str(folder), f"-j{PROCESSORS}", *words]
    return judged(f"build/{name}", run(f"build-{name}", command, 600))


def size_test(name: str, file: Path, most: int) -> Test:
    if not file.exists():
        return Test(name, FAILED, "it was not built")
    size = file.stat().st_size
    print(f"   {name}: {size} bytes, of {most} at most")
    return checked(name, f"{size} bytes, {size - most} too many" if size > most else "")


def check_builds() -> list[Test]:
    """Both compilers and the releases, in copies where a warning is an error; then what the tests
    need."""
    strict = "CPPFLAGS=-Werror"
    shutil.rmtree(WORK / "copies", ignore_errors=True)
    tests = [
        make("gcc", "CC=gcc", strict, folder=copy_sources("gcc")),
        make("clang", "CC=clang", strict, folder=copy_sources("clang")),
    ]
    for name, (families, most) in RELEASES.items():
        folder = copy_sources(name)
        words = ["static", strict] + ([f"COMMANDS={families}"] if families else [])
        tests.append(make(name, *words, folder=folder))
        tests.append(size_test(f"size/{name}", folder / "build" / "tinyqga", most))
    tests += [make(name, name) for name in ("static", "asan", "unit")]
    return tests


# ---- Analysers --------------------------------------------------------------------------------


def check_lint() -> list[Test]:
    """Each tool of scripts/lint is a test."""
    listed = run("lint-list", ["scripts/lint", "--list"], 10)
    if listed.status:
        return [judged("lint/list", listed)]

    def one(tool: str) -> list[Test]:
        return [judged(f"lint/{tool}", run(f"lint-{tool}", ["scripts/lint", "--here", tool], 600))]

    return at_once([functools.partial(one, tool) for tool in listed.output.split()])


# ---- Unit tests -------------------------------------------------------------------------------


def read_cases(file: Path) -> Iterator[tuple[ElementTree.Element, str, str]]:
    """The cases of a JUnit file: the case, its outcome, what it had to say."""
    for case in ElementTree.parse(file).iter("testcase"):
        bad = [part for part in case if part.tag in ("failure", "error")]
        skip = case.find("skipped")
        if bad:
            yield case, FAILED, "\n".join(part.text or str(part.attrib) for part in bad)
        elif skip is not None:
            yield case, SKIPPED, skip.get("message") or ""
        else:
            yield case, PASSED, ""


def unit_program(name: str) -> list[Test]:
    """One cmocka program. Its sanitizers speak through its exit status."""
    program = ROOT / "build" / "unit" / name
    if not program.exists():
        return [Test(f"unit/{name}", FAILED, "it was not built")]
    folder = WORK / "unit" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ended = run(
        f"unit-{name}", [program], 300, CMOCKA_MESSAGE_OUTPUT="xml",
        CMOCKA_XML_FILE=str(folder / "%g.xml"),
    )
    tests = []
    try:
        for file in sorted(folder.iterdir()):
            for case, outcome, detail in read_cases(file):
                tests.append(Test(f"unit/{name}:{case.get('name')}", outcome, detail))
    except ElementTree.ParseError as error:
        tests.append(Test(f"unit/{name}", FAILED, f"{error}\n{ended.output}"))
    if ended.status and not any(test.outcome == FAILED for test in tests) or not tests:
        tests.append(judged(f"unit/{name}", Ended(ended.status or 1, ended.output)))
    return tests


def check_unit() -> list[Test]:
    names = sorted(source.stem for source in (ROOT / "tests" / "unit").glob("test_*.c"))
    return at_once([functools.partial(unit_program, name) for name in names])


# ---- Tests over a channel ---------------------------------------------------------------------


def run_pytest(part: str, limit_s: float, *words: str) -> list[Test]:
    """The tests of one run of pytest, and one more if pytest itself came to grief."""
    report = WORK / f"{part}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [sys.executable, "-B", "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short",
               "-o", "junit_family=xunit1", f"--junitxml={report}", *words]
    ended = run(part, command, limit_s)
    tests: dict[str, Test] = {}
    if report.exists():
        for case, outcome, detail in read_cases(report):
            file = Path(case.get("file") or case.get("classname") or "").name
            name = f"{part}/{file}::{case.get('name')}"
            # A test may pass and yet fail in what ends it.
            known = tests.setdefault(name, Test(name, outcome))
            if outcome == FAILED or detail:
                known.outcome, known.detail = outcome, f"{known.detail}{detail}\n"
    failed = any(test.outcome == FAILED for test in tests.values())
    if ended.status not in (0, 1) or (ended.status == 1) != failed:
        name = f"{part}/pytest"
        tests[name] = judged(name, Ended(ended.status or 1, ended.output))
    return list(tests.values())


def check_wire() -> list[Test]:
    return run_pytest("wire", 900, "tests/wire")


def check_asan() -> list[Test]:
    return run_pytest("asan", 900, "tests/wire", "--agent=build/asan/tinyqga")


def check_vm() -> list[Test]:
    return run_pytest("vm", 1200, "tests/vm")


# ---- No heap ----------------------------------------------------------------------------------


def check_static() -> list[Test]:
    """The release has no allocator and needs nothing else. Asked of its twin, which has symbols."""
    twin = ROOT / "build" / "static" / "tinyqga"
    table = run("static-nm", ["nm", twin], 60)
    # _start and its like may carry underscores in front.
    symbols = {line.split()[-1].lstrip("_") for line in table.output.splitlines() if line}
    found = sorted(symbols & FORBIDDEN)
    members = re.findall(
        r"libc\.a\((\S+)\.l?o\)", (twin.parent / "tinyqga.map").read_text()
    ) if table.status == 0 else []
    pulled = sorted(set(members) & FORBIDDEN)
    tests = [
        checked("static/no-allocator-among-the-symbols",
                table.output if table.status else ", ".join(found)),
        checked("static/no-allocator-in-the-map", ", ".join(pulled)),
    ]
    for name, option, word in (
        ("static/needs-no-library", "-d", "NEEDED"),
        ("static/needs-no-interpreter", "-l", "INTERP"),
    ):
        told = run("static-readelf", ["readelf", "-W", option, twin], 60)
        bad = told.status or word in told.output
        tests.append(checked(name, told.output or "readelf says nothing" if bad else ""))
    # Its own start sets none up, as a library's function with a stack protector would need.
    code = run("static-objdump", ["objdump", "-d", "--no-show-raw-insn", twin], 60)
    uses = [line for line in code.output.splitlines() if "%fs:" in line]
    tests.append(checked("static/no-thread-local-storage",
                         code.output if code.status else "\n".join(uses)))
    return tests


# ---- Fuzzing ----------------------------------------------------------------------------------


def check_fuzz() -> list[Test]:
    """Each fuzzer for its share of a minute; so short, what they reach is only told."""
    listed = run("fuzz-list", ["scripts/fuzz", "--list"], 10)
    names = listed.output.split()
    built = make("fuzzers", "fuzzers")
    if listed.status or built.outcome != PASSED:
        return [built, *(Test(f"fuzz/{name}", FAILED, "it was not built") for name in names)]
    minutes = FUZZ_S / 60 * FUZZERS_AT_ONCE / len(names)
    ended = run("fuzz", ["scripts/fuzz", "--any-coverage", f"{minutes:.3f}"], FUZZ_S + 300)
    tests = [built]
    for name in names:
        line = re.search(rf"^(ok|FAILED) +{name}: .*$", ended.output, re.MULTILINE)
        if line and line.group(1) == "ok":
            print(f"   fuzz/{line.group()[7:]}")
            tests.append(Test(f"fuzz/{name}", PASSED))
        else:
            log = ROOT / "build" / "fuzz" / f"{name}.log"
            said = log.read_text(errors="replace") if log.exists() else ""
            tests.append(Test(f"fuzz/{name}", FAILED, f"{said}\n{ended.output}"))
    return tests


# ---- All of it --------------------------------------------------------------------------------

PARTS: dict[str, tuple[str, Callable[[], list[Test]]]] = {
    "build": ("gcc and clang, the release, the smallest agent", check_builds),
    "lint": ("formatting and static analysis", check_lint),
    "unit": ("functions, with sanitizers", check_unit),
    "wire": ("the release over unix sockets", check_wire),
    "asan": ("the same tests with sanitizers", check_asan),
    "vm": ("the release in virtual machines", check_vm),
    "static": ("no allocator, no library", check_static),
    "fuzz": ("a minute of fuzzing", check_fuzz),
}


def permitted_skips() -> list[re.Pattern[str]]:
    """The tests that docs/testing.md lets be skipped: rows `| pattern | reason |` of its table
    with the head `| skipped | …`; a star in a pattern is any text."""
    patterns = []
    inside = False
    for line in SKIPS.read_text().splitlines() if SKIPS.exists() else []:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == "skipped":
            inside = True
        elif inside and cells[0].startswith("`") and len(cells) > 1 and cells[1]:
            pattern = re.escape(cells[0].strip("`")).replace(r"\*", ".*")
            patterns.append(re.compile(pattern, re.DOTALL))
    return patterns


def judge_skips(tests: list[Test]) -> None:
    """A test that is skipped without leave has failed."""
    permitted = permitted_skips()
    for test in tests:
        if test.outcome == SKIPPED and not any(p.fullmatch(test.name) for p in permitted):
            test.outcome = FAILED
            test.detail = f"skipped, and docs/testing.md does not name it: {test.detail}"


def count(tests: list[Test]) -> str:
    """12 passed, 0 failed; the skipped ones only if there are any."""
    numbers = {
        outcome: sum(test.outcome == outcome for test in tests)
        for outcome in (PASSED, FAILED, SKIPPED)
    }
    text = f"{numbers[PASSED]} passed, {numbers[FAILED]} failed"
    return text + (f", {numbers[SKIPPED]} skipped" if numbers[SKIPPED] else "")


def shown(detail: str) -> str:
    """The end of a text, indented."""
    lines = detail.strip().splitlines()
    kept = lines[-DETAIL_LINES:]
    if len(kept) < len(lines):
        kept.insert(0, f"… {len(lines) - len(kept)} lines in build/check …")
    return "".join(f"      {line}\n" for line in kept)


def run_part(part: str) -> list[Test]:
    """A part, its time and its failures. A mistake of its own is a failure of it."""
    started_s = time.monotonic()
    try:
        tests = PARTS[part][1]()
    except Exception as error:
        tests = [Test(f"{part}/itself", FAILED, f"{type(error).__name__}: {error}")]
    judge_skips(tests)
    text = f"   {part}: {count(tests)}, in {time.monotonic() - started_s:.0f} s\n"
    for test in tests:
        if test.outcome == FAILED:
            text += f"   FAILED {test.name}\n{shown(test.detail)}"
    print(text, end="", flush=True)
    return tests


def groups(parts: Sequence[str]) -> Iterator[list[str]]:
    """The parts one by one, but the two wire suites together: they mostly wait."""
    together = {"wire", "asan"} if {"wire", "asan"} <= set(parts) else set()
    for part in parts:
        if part not in together:
            yield [part]
        elif part == "wire":
            yield ["wire", "asan"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:6}  {title}" for name, (title, _) in PARTS.items()),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="default: all, in this order:")
    chosen = parser.parse_args().parts
    for part in chosen:
        if part not in PARTS:
            parser.error(f"there is no part {part}")
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
    started_s = time.monotonic()
    tests: list[Test] = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for group in groups([part for part in PARTS if part in chosen or not chosen]):
            for part in group:
                print(f"== {part}: {PARTS[part][0]}", flush=True)
            for found in pool.map(run_part, group):
                tests += found
    failed = [test for test in tests if test.outcome == FAILED]
    print(f"== all: in {time.monotonic() - started_s:.0f} s")
    for test in failed:
        print(f"   FAILED {test.name}")
    print(count(tests), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
