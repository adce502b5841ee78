"""Findings about the values in label files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.check.finding import Finding, finding
from seg_demo.data.check.pictures import label_name
from seg_demo.data.folder import LabelledFolder
from seg_demo.data.masks import Domain, shown_value
from seg_demo.data.strays import BETWEEN_SHARE, INNER_SHARE, Totals
from seg_demo.data.survey import LabelFacts, Look, decoded_values

LOSSY_FORMATS = ("JPEG", "MPO", "WEBP")
SHOWN_VALUES = 3
WIDE = 0.6  # share of inner pixels in classes that are no lines
SMEARED_AT_LEAST = 1e-3  # of a file's pixels; a smaller class may really be a line
FULL = 255
CLOSE_VALUES = 32  # grey levels that JPEG still keeps apart


def labels_of(folder: LabelledFolder) -> Iterator[tuple[Look, LabelFacts, str]]:
    """Each look with a label file that could be read, and the file's name."""
    for look in folder.looks:
        if isinstance(look.label, LabelFacts):
            yield look, look.label, label_name(folder, look.pair)


def is_lossy(facts: LabelFacts) -> bool:
    return facts.file_format in LOSSY_FORMATS


def _too_close(folder: LabelledFolder, domain: Domain) -> bool:
    """Whether the values of the classes are so close together that a lossy format mixes them up."""
    table = folder.reading.decoding.table(domain)
    values = sorted(value for value, class_id in table.items() if class_id != IGNORE_INDEX)
    return domain == "number" and bool(min(np.diff(values), default=CLOSE_VALUES) < CLOSE_VALUES)


def check_values(folder: LabelledFolder) -> Iterator[Finding]:
    """Values that stand for no class, file by file, and label files that are no label maps."""
    if is_off_by_one(folder):
        yield finding(
            "ids-from-one",
            "The label maps hold the ids 1 to {highest}, but the {classes} classes are numbered from 0. Make each id "
            "one smaller, or put a class for 0 at the head of the list.",
            tuple(name for _, _, name in labels_of(folder)),
            highest=len(folder.classes), classes=len(folder.classes),
        )  # fmt: skip
        return
    totals = number_totals(folder)
    masks = masks_among_ids(folder)
    for _, facts, name in labels_of(folder):
        domain = folder.reading.decoding.domain(facts.kind)
        unknown = [
            (value, count)
            for value, count, class_id in decoded_values(facts, folder.reading.decoding)
            if class_id is None
        ]
        if facts.is_photo:
            yield finding(
                "label-is-photo",
                "{file} holds {values} different values and hardly an area of one: it is a photo, not a label map. Put "
                "the label map in its place, or leave the picture out.",
                (name,), file=name, values=len(facts.colors.values),
            )  # fmt: skip
        elif is_lossy(facts) and _too_close(folder, domain):
            yield finding(
                "lossy-label",
                "{file} was saved as {format}, which changes class ids that are close together beyond repair. Export "
                "it as PNG.",
                (name,), repairable=False, file=name, format=facts.file_format,
            )  # fmt: skip
        elif is_lossy(facts) and unknown:
            yield finding(
                "lossy-label",
                "{file} was saved as {format}, which changed {pixels} of its pixels. Export it as PNG, or take the "
                "nearest class for each pixel.",
                (name,), file=name, format=facts.file_format, pixels=sum(count for _, count in unknown),
            )  # fmt: skip
        elif name in masks:
            yield finding(
                "mask-among-ids",
                "{file} holds nothing but 0 and 255 where other label maps hold class ids, so that its object would be "
                "ignored. Save it with the id of its class, or leave the picture out.",
                (name,), file=name,
            )  # fmt: skip
        elif unknown:
            strays = folder.reading.strays.get(domain, frozenset())
            yield from _unknown(folder, name, domain, [pair for pair in unknown if pair[0] not in strays], False)
            yield from _unknown(folder, name, domain, [pair for pair in unknown if pair[0] in strays], True)
        elif smeared := smeared_ids(folder, facts, totals):
            yield finding(
                "smeared-values",
                "{file} has {classes} only as thin lines between two other classes, as resizing a label map smoothly "
                "makes it. Resize label maps by nearest, or give these pixels the class next to them.",
                (name,), file=name, classes=", ".join(folder.classes.names[class_id] for class_id in smeared),
            )  # fmt: skip


def _unknown(
    folder: LabelledFolder, name: str, domain: Domain, found: list[tuple[int, int]], stray: bool
) -> Iterator[Finding]:
    if not found:
        return
    values = ", ".join(shown_value(domain, value) for value, _ in found[:SHOWN_VALUES])
    if len(found) > SHOWN_VALUES:
        values += f" (+{len(found) - SHOWN_VALUES})"
    fields: dict[str, Any] = {
        "file": name,
        "values": values,
        "pixels": sum(count for _, count in found),
        "classes": len(folder.classes),
    }
    if stray:
        yield finding(
            "stray-values",
            "{file} holds {values} in {pixels} pixels, which looks like a slip, or a trace of resizing, smoothing or "
            "compression. Give these pixels the class next to them; if it is a class, name all classes.",
            (name,), **fields,
        )  # fmt: skip
    elif domain == "number":
        yield finding(
            "unknown-values",
            "{file} holds {values} in {pixels} pixels, but there are {classes} classes (0 to {highest}). Add the "
            "class, or ignore these pixels.",
            (name,), highest=len(folder.classes) - 1, **fields,
        )  # fmt: skip
    else:
        yield finding(
            "unknown-values",
            "{file} holds the colour {values} in {pixels} pixels, which none of the {classes} classes has. Add a class "
            "of this colour, or ignore these pixels.",
            (name,), **fields,
        )  # fmt: skip


def is_off_by_one(folder: LabelledFolder) -> bool:
    """Whether the label files hold 1 to N, where N named classes are numbered 0 to N - 1."""
    found: set[int] = set()
    for _, facts, _ in labels_of(folder):
        if facts.numbers is None or folder.reading.decoding.domain(facts.kind) == "color":
            return False
        found |= {int(value) for value in facts.numbers.values}
    found -= {IGNORE_INDEX, *folder.reading.strays.get("number", ())}
    count = len(folder.classes)
    return folder.classes_named and 0 not in found and max(found, default=0) == count and count > 1


def masks_among_ids(folder: LabelledFolder) -> set[str]:
    """Names of the 0/255 masks in a set of ids; none where other files ignore (255) pixels beside classes."""
    table = folder.reading.decoding.numbers
    held = [
        (name, facts.kind, {table.get(int(value)) for value in facts.numbers.values} - {None})
        for _, facts, name in labels_of(folder)
        if facts.numbers is not None
    ]
    with_classes = [ids for _, _, ids in held if ids - {0, IGNORE_INDEX}]
    ignoring = any(IGNORE_INDEX in ids for ids in with_classes)
    if ignoring or not with_classes or table.get(FULL) != IGNORE_INDEX:
        return set()
    # A palette with 255 was made for ids.
    return {name for name, kind, ids in held if kind != "palette" and ids == {0, IGNORE_INDEX}}


def smeared_ids(folder: LabelledFolder, facts: LabelFacts, totals: Totals) -> list[int]:
    """Class ids that a file has only as thin lines between a smaller and a larger value.

    totals: of the numbers in all files. A class of middling width there, as poles have, is left alone; one that is thin
    in all files may be a contour, which is why the repair is made only when it is asked for.
    """
    if facts.numbers is None or folder.reading.decoding.domain(facts.kind) == "color":
        return []
    values, table = facts.numbers, folder.reading.decoding.numbers
    return [
        table[value]
        for value, count, inner, between in values.rows()
        if count >= SMEARED_AT_LEAST * facts.size[0] * facts.size[1]
        and inner <= INNER_SHARE * count
        and between >= BETWEEN_SHARE * count
        and not INNER_SHARE < totals.inner[value] / totals.counts[value] < WIDE
        and table.get(value, IGNORE_INDEX) != IGNORE_INDEX
    ]


def number_totals(folder: LabelledFolder) -> Totals:
    """Of all label files that are read as numbers."""
    decoding = folder.reading.decoding
    files = [facts.numbers for _, facts, _ in labels_of(folder) if decoding.domain(facts.kind) == "number"]
    return Totals.of([values for values in files if values is not None], "number")
