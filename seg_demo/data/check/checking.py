"""The data check: a folder -> everything that is wrong with it, and what can be done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from seg_demo.data.check.classes import check_classes, histogram_of
from seg_demo.data.check.finding import KINDS, SEVERITIES, Report
from seg_demo.data.check.pictures import check_doubles, check_files, check_sizes
from seg_demo.data.check.swapped import check_swapped
from seg_demo.data.check.values import check_values
from seg_demo.data.folder import LabelledFolder, open_folder
from seg_demo.data.listing import SPLITS
from seg_demo.data.survey import Progress


@dataclass(frozen=True)
class Checked:
    """A folder that was looked at, and the report."""

    folder: LabelledFolder
    report: Report


def check(
    root: Path | str,
    *,
    layout: str = "auto",
    class_file: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Checked:
    """Look at every file under `root` and report what would go wrong in training.

    Arguments and errors as `open_folder`.
    """
    folder = open_folder(root, layout=layout, class_file=class_file, seed=seed, progress=progress, labels_only=False)
    histogram = histogram_of(folder)
    swapped = list(check_swapped(folder))
    found = [*check_files(folder), *swapped]
    if not swapped:  # else everything else would be wrong as well
        found += [
            *check_sizes(folder),
            *check_values(folder),
            *check_classes(folder, histogram),
            *check_doubles(folder),
        ]
    rank = {kind: place for place, kind in enumerate(KINDS)}
    found.sort(key=lambda each: (SEVERITIES.index(each.severity), rank[each.kind]))
    names = folder.classes.names
    total = max(1, histogram.labelled)
    complete = Counter(look.pair.split for look in folder.looks if look.pair.image and look.pair.label)
    report = Report(
        folder=str(root),
        layout=folder.listing.layout,
        reasons=folder.reasons,
        classes=folder.classes,
        splits={split: complete[split] for split in SPLITS if complete[split]},
        findings=tuple(found),
        histogram={name: histogram.pixels[class_id] / total for class_id, name in enumerate(names)},
        pictures_with={name: histogram.pictures[class_id] for class_id, name in enumerate(names)},
        ignored=histogram.ignored / max(1, histogram.ignored + histogram.labelled),
    )
    return Checked(folder, report)
