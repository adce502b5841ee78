"""What a data check finds: the kinds of findings, and a report of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from seg_demo.classes import ClassMap
from seg_demo.errors import Sentence
from seg_demo.registry import look_up

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
FILES_IN_SENTENCE = 3


@dataclass(frozen=True)
class Kind:
    """A kind of finding: how grave it is, and what its repair does, if there is one.

    error: training must not start. warning: it may, but the user should look. note: for information. by_default:
    whether the repair is made without being asked for; not where good label maps could be lost.
    """

    severity: Severity
    repair: str | None = None
    by_default: bool = True


LEFT_OUT = "the pictures are left out"
LABELS_LEFT_OUT = "the label maps are left out"

KINDS: dict[str, Kind] = {
    # files
    "image-unreadable": Kind("error", LEFT_OUT),
    "label-unreadable": Kind("error", LEFT_OUT),
    "nothing-paired": Kind("error"),
    "too-few": Kind("error"),
    "swapped": Kind("error", "images and label maps change places"),
    "missing-label": Kind("warning", LEFT_OUT),
    "missing-image": Kind("warning", LABELS_LEFT_OUT),
    "passed-over": Kind("note"),
    # sizes
    "rotated": Kind("error", "the label maps are turned as the images say"),
    "size-scaled": Kind("error", "the label maps are resized by nearest"),
    "size-other": Kind("error", LEFT_OUT),
    "too-small": Kind("warning"),
    # values
    "unknown-values": Kind("error", "these pixels are ignored"),
    "stray-values": Kind("error", "these pixels take the class next to them"),
    "mask-among-ids": Kind("error", LEFT_OUT),
    "smeared-values": Kind("warning", "these pixels take the class next to them", by_default=False),
    "lossy-label": Kind("error", "each pixel takes the nearest value that is a class"),
    "ids-from-one": Kind("error", "every class id is made one smaller"),
    "label-is-photo": Kind("error", LEFT_OUT),
    "mixed-kinds": Kind("note"),
    "unassigned-colors": Kind("error"),
    "odd-palette": Kind("error"),
    "guessed-classes": Kind("warning"),
    "classes-unnamed": Kind("note"),
    # the set as a whole
    "one-class": Kind("error"),
    "absent-class": Kind("warning"),
    "class-not-in-train": Kind("warning"),
    "mostly-background": Kind("warning"),
    "mostly-object": Kind("warning"),
    "mostly-ignored": Kind("warning"),
    "all-ignored": Kind("warning", LEFT_OUT),
    "no-class": Kind("note"),
    "same-label": Kind("warning"),
    "same-picture": Kind("warning", "one of each is kept", by_default=False),
    "leak": Kind("warning", "those in train are left out", by_default=False),
}
"""In the order in which they are shown and repaired within one severity."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    kind: name in `KINDS`. template, fields: the sentence, as `UserError` keeps it, so that the page can translate it.
    files: which files it is about, relative to the data set. severity, repair: the kind's, unless this one differs.
    """

    kind: str
    template: str
    fields: Mapping[str, object]
    files: tuple[str, ...] = ()
    severity: Severity = "note"
    repair: str | None = None

    @property
    def sentence(self) -> Sentence:
        return Sentence(self.template, **self.fields)


def finding(
    kind: str, template: str, files: tuple[str, ...] = (), *, repairable: bool = True, **fields: object
) -> Finding:
    """A finding with the kind's severity and repair; `{files}` in the template stands for the first few of `files`."""
    known = look_up("kind of finding", KINDS, kind)
    shown = ", ".join(files[:FILES_IN_SENTENCE])
    if len(files) > FILES_IN_SENTENCE:
        shown += f" (+{len(files) - FILES_IN_SENTENCE})"
    fields = {"files": shown, "count": len(files), **fields}
    return Finding(kind, template, fields, files, known.severity, known.repair if repairable else None)


@dataclass(frozen=True)
class Report:
    """What a data check says. findings: gravest first.

    splits: complete pairs in each split. histogram: share of the labelled pixels of each class name, and
    pictures_with: in how many label maps each occurs. ignored: share of all pixels that are ignored.
    """

    folder: str
    layout: str
    reasons: tuple[Sentence, ...]
    classes: ClassMap
    splits: Mapping[str, int]
    findings: tuple[Finding, ...]
    histogram: Mapping[str, float]
    pictures_with: Mapping[str, int]
    ignored: float

    @property
    def may_train(self) -> bool:
        return not any(found.severity == "error" for found in self.findings)

    def count(self, severity: Severity) -> int:
        return sum(found.severity == severity for found in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": self.folder,
            "may_train": self.may_train,
            "layout": self.layout,
            "reasons": list(self.reasons),
            "classes": [
                {
                    "id": class_id, "name": name, "color": list(color),
                    "share": self.histogram[name], "pictures": self.pictures_with[name],
                }
                for class_id, (name, color) in enumerate(zip(self.classes.names, self.classes.colors, strict=True))
            ],
            "ignored": self.ignored,
            "splits": dict(self.splits),
            "findings": [
                {
                    "kind": found.kind, "severity": found.severity, "sentence": found.sentence,
                    "repair": found.repair, "files": list(found.files),
                }
                for found in self.findings
            ],
        }  # fmt: skip
