"""The figures of `benchmarks.accuracy` as a picture.

    python -m benchmarks.chart [benchmarks/accuracy.json] [docs/images/accuracy.png]

Draws what was measured before, and measures nothing.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from benchmarks.accuracy import KINDS, wilson

_PEER_MARKS = "osv^"
_THICK = 0.62  # of a bar; from one bar to the next is 1
_ASIDE = 0.2


def said(facts: dict[str, Any]) -> str:
    """What the chart of `facts`, the loaded JSON, shows, for the picture's own description: tells a stale one."""
    shares = [
        f"{kind} {found['right']} of {found['count']}, quoted {KINDS[kind][2]:g}, to reach {KINDS[kind][3]:g}"
        for kind, found in _measured(facts).items()
    ]
    for name, peer in facts.get("peers", {}).items():
        shares += [f"{name} {kind} {found['right']} of {found['count']}" for kind, found in peer["kinds"].items()]
    return "; ".join(shares)


def draw(facts: dict[str, Any], path: Path) -> None:
    """Writes the chart of `facts`, the loaded JSON with or without peers, to a PNG or SVG file.

    A bar for each kind of picture, with the interval that holds the true share with 95 %.
    """
    kinds = _measured(facts)
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)  # inches, as is the figure's size
    figure = Figure(figsize=(8.6, 1.7 + 0.55 * len(kinds)), layout=layout)
    axes = figure.subplots()
    rows = range(len(kinds))
    shares = [found["right"] / found["count"] for found in kinds.values()]
    between = [wilson(found["right"], found["count"]) for found in kinds.values()]
    apart = [  # by rounding alone, the interval of none or of all can miss its share, and no bar takes less than 0
        [max(share - low, 0) for share, (low, _) in zip(shares, between, strict=True)],
        [max(high - share, 0) for share, (_, high) in zip(shares, between, strict=True)],
    ]
    whiskers = {"ecolor": "#333333", "elinewidth": 1.2, "capsize": 3}
    axes.barh(rows, shares, _THICK, color="#7fb3d5", xerr=apart, error_kw=whiskers, label="digitd, with 95 % interval")
    for row, share in zip(rows, shares, strict=True):
        axes.text(1.025, row, f"{share:.1%}", va="center", fontsize=9.5, fontweight="bold")  # beside marks at 0 and 1
    quoted = [KINDS[kind][2] for kind in kinds]
    below, above = [row + _ASIDE for row in rows], [row - _ASIDE for row in rows]  # so that no mark hides the interval
    axes.plot(quoted, below, "D", color="#c0392b", markersize=6, label="PP-OCRv6, quoted")
    tops, bottoms = [row - _THICK / 2 for row in rows], [row + _THICK / 2 for row in rows]
    axes.vlines([KINDS[kind][3] for kind in kinds], tops, bottoms, "#1e8449", linewidth=2.5, label="to reach")
    for i, (name, peer) in enumerate(facts.get("peers", {}).items()):
        there = [(row, peer["kinds"][kind]) for row, kind in zip(above, kinds, strict=True) if kind in peer["kinds"]]
        axes.plot(
            [found["share"] for _, found in there],
            [row for row, _ in there],
            _PEER_MARKS[i % len(_PEER_MARKS)],
            markerfacecolor="white",
            markeredgecolor="black",
            clip_on=False,  # many stand at 0
            label=f"{name} {peer['version']}, first {max(found['count'] for _, found in there)}" if there else None,
        )
    axes.set_yticks(rows, [f"{KINDS[kind][0]} ({found['count']})" for kind, found in kinds.items()])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("number strings read exactly")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Description": said(facts)})


def _measured(facts: dict[str, Any]) -> dict[str, Any]:
    """The measured kinds, in the table's order."""
    return {kind: facts["kinds"][kind] for kind in KINDS if kind in facts["kinds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path, nargs="?", default=Path("benchmarks/accuracy.json"))
    parser.add_argument("picture", type=Path, nargs="?", default=Path("docs/images/accuracy.png"))
    arguments = parser.parse_args()
    draw(json.loads(arguments.json.read_text(encoding="utf-8")), arguments.picture)


if __name__ == "__main__":
    main()
