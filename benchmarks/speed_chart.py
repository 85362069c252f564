"""The figures of `benchmarks.speed` and `benchmarks.growth` as pictures.

    python -m benchmarks.speed_chart [benchmarks/speed.json] [docs/images]

Draws what was measured before into speed.png and growth.png, and measures nothing.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from benchmarks import growth
from benchmarks.speed import LINES, cells


def said(lines: Mapping[str, Any]) -> str:
    """What the chart shows, for the picture's own description: tells a stale one."""
    return "; ".join(f"{name} {found['ratio'][1]:g}" for name, found in lines.items())


def draw(lines: Mapping[str, Any], path: Path) -> None:
    """Writes a bar for each line, its ratio as a share of its goal, with quartiles, to a PNG: left of 1 it is met."""
    rows = range(len(lines))
    of_goal = [[ratio / LINES[name].goal for ratio in found["ratio"]] for name, found in lines.items()]
    middles = [middle for _, middle, _ in of_goal]
    apart = [[middle - low for low, middle, _ in of_goal], [high - middle for _, middle, high in of_goal]]
    figure = Figure(figsize=(9.5, 1.2 + 0.5 * len(lines)), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
    axes = figure.subplots()
    colours = ["#7fb3d5" if middle <= 1 else "#e59866" for middle in middles]
    axes.barh(rows, middles, 0.6, color=colours, xerr=apart, error_kw={"ecolor": "#333333", "capsize": 3})
    axes.axvline(1, color="#1e8449", linewidth=2)
    axes.set_xscale("log")
    low, high = min(0.1, *(one[0] for one in of_goal)), max(2.0, *(one[2] for one in of_goal))
    axes.set_xlim(low / 1.5, high * 6)
    for row, (name, found) in enumerate(lines.items()):
        axes.text(of_goal[row][2] * 1.12, row, cells(name, found)[4].partition(" (")[0], va="center", fontsize=9)
    axes.set_yticks(rows, [f"{LINES[name].what}\nbeside {LINES[name].beside}" for name in lines], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("time, or memory, as a share of what is allowed: the green line is the goal")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Description": said(lines)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path, nargs="?", default=Path("benchmarks/speed.json"))
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/images"))
    arguments = parser.parse_args()
    facts = json.loads(arguments.json.read_text(encoding="utf-8"))
    draw({name: facts["lines"][name] for name in LINES if name in facts["lines"]}, arguments.folder / "speed.png")
    growth.draw(facts["growth"], arguments.folder / "growth.png")


if __name__ == "__main__":
    main()
