"""The table and the plot of what the bench has measured."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.figures import BY_NAME, FIGURES, FLOOR, OURS, PEER, Figure, Results

# What the plot shows, from the top, in groups that have a colour each.
PLOTTED = (
    ("Start and memory", "#8250df",
     ("start", "memory.idle", "memory.idle-after", "memory.peak-read", "memory.peak-write")),
    ("Answers", "#0969da", ("ping.p50", "info.p50", "osinfo.p50", "interfaces.p50", "fsinfo.p50",
                            "disks.p50", "exec.p50", "output")),
    ("Files", "#1a7f37",
     ("read.4K", "read.64K", "read.1M", "read.16M",
      "write.3K", "write.48K", "write.768K", "write.3M")),
    ("Over a real virtio port, in a VM", "#bc4c00",
     ("vm-wakeups.disconnected", "vm-ping.p50", "vm-read.4K", "vm-read.64K", "vm-read.1M",
      "vm-write.3K", "vm-write.48K", "vm-write.768K", "vm-write.3M")),
)
CARD, INK, FAINT, GRID = "#f6f8fa", "#1f2328", "#59636e", "#d1d9e0"
TITLE = f"How many times better {OURS} is than QEMU’s agent"
SUBTITLE = f"longer is better, log scale; beside each bar: QEMU’s agent → {OURS}"
ROW_PX = 25
WIDTH_PX = 960
BAR = 0.36  # half of a bar's height, in rows


def plain(number: float) -> str:
    """Three digits that count, thousands separated."""
    if number >= 100 or number == int(number):
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def table(results: Results) -> str:
    """A line for each figure: the medians, our ratio to the others, and the targets."""
    rows = [("", "", OURS, PEER, FLOOR, f"× {PEER}", "× floor", "target")]
    for figure in FIGURES:
        if figure.name not in results.numbers:
            continue
        cells = [figure.title, figure.unit]
        for subject in (OURS, PEER, FLOOR):
            median = results.median(figure, subject)
            cells.append("" if median is None else plain(median))
        for other in (PEER, FLOOR):
            ratio = results.ratio(figure, other)
            cells.append("" if ratio is None else f"{ratio:.2f}")
        verdicts = [
            text + {True: " met", False: " MISSED", None: ""}[met]
            for text, met in results.verdicts(figure)
        ]
        rows.append((*cells[:7], ", ".join(verdicts)))  # type: ignore[arg-type]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
        cells += [cell.rjust(width) for cell, width in zip(row[2:7], widths[2:7])]
        lines.append("  ".join([*cells, row[7]]).rstrip())
    return "\n".join(lines)


# What the README's table shows.
PUBLISHED = (
    "size.file", "size.libraries", "start", "memory.idle", "memory.idle-after", "ping.p50",
    "exec.p50", "output", "read.64K", "read.1M", "write.48K", "write.768K",
    "vm-wakeups.disconnected", "vm-ping.p50", "vm-read.1M", "vm-write.768K",
)  # fmt: skip
MARKS = re.compile(r"(<!-- bench: [^\n]*-->\n).*?(?=<!-- bench end -->)", re.DOTALL)


def markdown(results: Results) -> str:
    """The table of the README, and on what machine it was measured."""
    versions = f"{results.versions.get(OURS)} | {results.versions.get(PEER)}"
    lines = [f"| | {versions} | {FLOOR} |", "|---|---:|---:|---:|"]
    for figure in (BY_NAME[name] for name in PUBLISHED if name in results.numbers):
        cells = []
        for subject in (OURS, PEER, FLOOR):
            median = results.median(figure, subject)
            cells.append("" if median is None else plain(median))
        title = figure.title.lstrip("… ")
        if figure.name == "memory.idle-after":
            title = f"private memory, {title}"
        lines.append(f"| {title} ({figure.unit}) | {' | '.join(cells)} |")
    machine = results.machine
    return "\n".join([
        *lines,
        "",
        f"Medians on {machine.get('processors')} processors of the kind "
        f"{machine.get('processor')}, Linux {machine.get('kernel')}; the {FLOOR} is a server, "
        "or a program, that does nothing else. VM: over a real virtio port.",
        "All figures, with each run, are in [docs/bench.json](docs/bench.json).",
        "",
        "![How many times better each figure is](docs/bench.svg)",
        "",
    ])


def write_readme(results: Results, readme: Path) -> None:
    """Put the table between the README's two marks."""
    table_text = markdown(results)
    text, found = MARKS.subn(lambda match: match.group(1) + table_text, readme.read_text())
    if not found:
        raise ValueError(f"{readme} has no marks for the bench")
    readme.write_text(text)


@dataclass(frozen=True)
class Bar:
    """How many times better we are, and the two numbers that say so."""

    title: str
    factor: float
    label: str


def bar_of(results: Results, figure: Figure) -> Bar | None:
    """Nothing at all is not some number of times better than something: that bar has no length."""
    mine, theirs = results.median(figure, OURS), results.median(figure, PEER)
    if mine is None or not theirs:
        return None
    factor = 1.0
    label = f"{plain(theirs)} → {plain(mine)} {figure.unit}"
    if mine:
        factor = mine / theirs if figure.more_is_better else theirs / mine
        digits = f"{factor:.0f}" if factor >= 9.95 else f"{factor:.1f}"
        label = f"{digits} ×    {label}"
    title = figure.title.lstrip("… ").removeprefix("VM: ").removesuffix(", median")
    if figure.name.startswith("memory.") and figure.name != "memory.idle":
        title = f"private memory, {title}"
    return Bar(title, factor, label)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def gnuplot_script(results: Results, output: Path) -> str:
    """Horizontal bars from 1 on a logarithmic axis: to the right is better."""
    shapes: list[str] = []
    factors: list[float] = [1.0]
    row = 0.0
    for title, colour, names in PLOTTED:
        bars = [bar_of(results, BY_NAME[name]) for name in names]
        present = [bar for bar in bars if bar]
        if not present:
            continue
        row -= 1.15
        shapes.append(
            f"set label {quoted(title)} at graph 0, first {row:g} right offset -1.2,0 "
            f"font ',16' textcolor rgb '{colour}'"
        )
        for bar in present:
            row -= 1
            factors.append(bar.factor)
            shapes += [
                f"set object rectangle from 1,{row - BAR:g} to {bar.factor:g},{row + BAR:g} "
                f"fillcolor rgb '{colour}' fillstyle solid 1 noborder front",
                f"set label {quoted(bar.title)} at graph 0, first {row:g} right offset -1.2,0 "
                f"textcolor rgb '{INK}'",
                f"set label {quoted(bar.label)} at {max(bar.factor, 1):g},{row:g} left "
                f"offset 0.8,0 textcolor rgb '{INK}' front",
            ]
        row -= 0.25
    # A label at the end of the longest bar needs nearly half of the width.
    least, most = min(factors) * 0.95, max(*factors, 4.0) ** 1.9
    height = int(-row * ROW_PX) + 110
    return "\n".join([
        f"set terminal svg size {WIDTH_PX},{height} font 'Helvetica,14' "
        f"background rgb '{CARD}'",
        f"set output {quoted(str(output))}",
        "set encoding utf8",
        "unset key",
        "unset ytics",
        f"set label {quoted(TITLE)} at screen 0.5, screen 1 center offset 0,-1.6 "
        f"font ',20' textcolor rgb '{INK}'",
        f"set label {quoted(SUBTITLE)} at screen 0.5, screen 1 center offset 0,-3.1 "
        f"textcolor rgb '{FAINT}'",
        "set tmargin 4.5",
        "set logscale x",
        f"set xrange [{least:g}:{most:g}]",
        f"set yrange [{row - 0.6:g}:-0.4]",
        "set lmargin 41",
        "set rmargin 3",
        f"set border 1 linecolor rgb '{FAINT}'",
        f"set xtics nomirror textcolor rgb '{FAINT}' "
        "('1' 1, '2' 2, '5' 5, '10' 10, '20' 20, '50' 50, '100' 100, '200' 200, '500' 500)",
        f"set grid xtics back linetype 1 linecolor rgb '{GRID}'",
        f"set arrow from 1, graph 0 to 1, graph 1 nohead front linecolor rgb '{INK}'",
        *shapes,
        "plot NaN notitle",
        "",
    ])


def plot(results: Results, output: Path) -> None:
    """Write the bars as SVG."""
    script = gnuplot_script(results, output)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    # gnuplot takes one family only, and not every browser has it.
    text = output.read_text().replace('="Helvetica"', '="Helvetica, Arial, sans-serif"')
    output.write_text(text)
