"""What a visitor has brought, noted on the disk: neither a reload of the page nor a restart of the server loses it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.errors import UserError, document_of, sentence_of
from seg_demo.ui.finetune.bench import RECORD, Bench, Mended, as_brought, check_again, download_of

if TYPE_CHECKING:
    from seg_demo.data.survey import Progress

DAY = 24 * 3600


def recorded(bench: Bench) -> Bench:
    """Note on the disk what the bench is made of, so that `last_brought` can lay it out again."""
    mended = bench.mended and {
        "out": bench.mended.done.out.name, "written": bench.mended.done.written,
        "mended": dict(bench.mended.done.mended), "left_out": bench.mended.done.left_out,
    }  # fmt: skip
    document = {
        "name": bench.name, "folder": str(bench.folder), "names": bench.names, "painted": bench.painted,
        "reasons": [document_of(each) for each in bench.reasons],
        "mended": mended or None,
    }  # fmt: skip
    part = bench.home / f".{RECORD}.part"
    part.write_text(json.dumps(document, ensure_ascii=False, default=str), "utf-8", "surrogatepass")
    os.replace(part, bench.home / RECORD)
    return bench


def last_brought(brought: Path) -> Path | None:
    """The home of the data set that was worked with last; homes of others that are a day old are removed."""
    records = sorted(brought.glob(f"*/{RECORD}"), key=lambda record: record.stat().st_mtime, reverse=True)
    last = records[0].parent if records else None
    for home in brought.glob("*"):
        with contextlib.suppress(OSError):  # removed meanwhile
            if home != last and time.time() - home.stat().st_mtime > DAY:
                shutil.rmtree(home, ignore_errors=True)
    return last


def laid_out(home: Path, downloads: Path, progress: Progress | None = None) -> Bench | None:
    """The bench of a home that a server before this one has made; None where its files are gone."""
    from seg_demo.data.check import check
    from seg_demo.data.check.repair import Repaired

    try:
        document = json.loads((home / RECORD).read_text("utf-8", "surrogatepass"))
        name, folder = document["name"], Path(document["folder"])
        reasons = tuple(told for each in document["reasons"] if (told := sentence_of(each)))
        names, painted, done = document["names"], document["painted"], document["mended"]
        with as_brought(home, name):
            checked = check_again(folder, home, names, painted, progress)
            bench = Bench(home, name, folder, reasons, checked, None, names, painted)
            if not done:
                return bench
            out = home / done["out"]
            repaired = Repaired(out, done["written"], done["mended"], tuple(done["left_out"]))
            return replace(
                bench, mended=Mended(repaired, check(out, progress=progress), download_of(out, name, downloads))
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, UserError):
        return None
