"""`digitd doctor`: the report of `edge.doctor` on paper."""

import json
import sys
from pathlib import Path

from edge.commands.console import libraries_muted
from edge.doctor import Report, examine
from edge.text import printable

MARKS = {"ok": "ok", "note": "note", "warning": "WARNING", "problem": "PROBLEM"}


def run(model: Path | None, row_model: Path | None, provider: str, as_json: bool) -> int:
    """Prints the report; returns the exit code."""
    with libraries_muted():
        report = examine(model, provider, row_model)
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(lines(report)) + "\n")
    return 0 if report.can_read else 78


def lines(report: Report) -> list[str]:
    """The findings in columns, each mend on a line of its own, and the sum of it."""
    out = []
    for finding in report.findings:
        out.append(f"{MARKS[finding.level]:<8} {finding.topic:<10} {printable(finding.what)}")
        if finding.mend:
            out.append(f"{'':<8} {'':<10} -> {printable(finding.mend)}")
    if not report.can_read:
        out.append("digitd cannot read on this machine: see PROBLEM above.")
    elif any(finding.level == "warning" for finding in report.findings):
        out.append("digitd can read; see WARNING above.")
    else:
        out.append("All is well.")
    return out
