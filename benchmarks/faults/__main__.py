"""The table of planted faults."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import benchmarks.faults
from benchmarks.faults import FAULTS, run
from benchmarks.markdown import table, write_table


def rows() -> list[tuple[str, str, str]]:
    found = []
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            outcome = run(fault, Path(folder))
            said = outcome.said.replace(folder, "").replace("|", "\\|")
            severity = "passes" if outcome.checked.report.may_train else "refused"
            found.append((fault.planted, f"{severity}: {said}", outcome.repair))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=benchmarks.faults.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", action="store_true", help="write the table into docs/data.md")
    text = table(("planted", "what the check says", "repair"), rows())
    if parser.parse_args().docs:
        write_table("faults", text, "data.md")
    print(text, end="")


if __name__ == "__main__":
    main()
