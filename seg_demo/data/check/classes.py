"""Findings about the classes of a set as a whole: what occurs, how often, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.check.finding import Finding, finding
from seg_demo.data.check.values import labels_of
from seg_demo.data.folder import LabelledFolder
from seg_demo.data.survey import decoded_values

MUCH_BACKGROUND = 0.98
MUCH_OBJECT = 0.85
MUCH_IGNORED = 0.5


@dataclass
class Histogram:
    """Pixels of each class id, overall and by split, and what each label file holds, without what is no class."""

    pixels: Counter[int] = field(default_factory=Counter)
    pictures: Counter[int] = field(default_factory=Counter)
    splits: dict[str, Counter[int]] = field(default_factory=dict)
    ignored: int = 0
    files: dict[str, dict[int, int]] = field(default_factory=dict)

    @property
    def labelled(self) -> int:
        return sum(self.pixels.values())


def histogram_of(folder: LabelledFolder) -> Histogram:
    histogram = Histogram()
    for look, facts, name in labels_of(folder):
        counts: Counter[int] = Counter()
        for _, count, class_id in decoded_values(facts, folder.reading.decoding):
            if class_id is not None:
                counts[class_id] += count
        histogram.files[name] = dict(counts)
        if not look.pair.image:
            continue
        histogram.ignored += counts.pop(IGNORE_INDEX, 0)
        histogram.pixels += counts
        histogram.pictures.update(counts.keys())
        histogram.splits.setdefault(look.pair.split or "train", Counter()).update(counts)
    return histogram


def check_classes(folder: LabelledFolder, histogram: Histogram) -> Iterator[Finding]:
    """Classes that are missing, rare or everywhere, and pictures that teach nothing."""
    if not histogram.labelled + histogram.ignored:
        return  # nothing is paired, which is told elsewhere
    classes = folder.classes
    used = set(histogram.pixels)
    yield from _naming(folder)
    if len(classes) == 1:
        yield finding(
            "one-class",
            "Only one class is named, {only}. Name the background first, and then {only}.",
            only=classes.names[0],
        )
        return
    if histogram.files and len(used) <= 1:
        only = classes.names[next(iter(used))] if used else "ignored"
        if histogram.ignored and used <= {0} and len(classes) > 2:
            yield finding(
                "one-class",
                "The label maps hold nothing but 0 and 255, and 255 is ignored where {classes} classes are named. If "
                "they are masks, name two classes.",
                classes=len(classes),
            )
            return
        yield finding(
            "one-class",
            "All label maps hold nothing but {only}, so there is nothing to learn. Check that the right files were "
            "exported.",
            only=only,
        )
        return
    if 0 not in used:
        yield finding(
            "absent-class",
            "No label map holds {absent}, the class of id 0. If the ids begin with 1, put a class for 0 at the head of "
            "the list of names.",
            absent=classes.names[0],
        )
    if absent := [name for class_id, name in enumerate(classes.names) if class_id and class_id not in used]:
        yield finding(
            "absent-class",
            "No label map holds {absent}. Label some, or take the class from the list.",
            absent=_names(absent),
        )
    train = histogram.splits.get("train", Counter())
    if train and (unseen := [classes.names[class_id] for class_id in sorted(used - set(train))]):
        yield finding(
            "class-not-in-train",
            "{unseen} is in no training picture, so it cannot be learned. Move a picture that has it to train.",
            unseen=_names(unseen),
        )
    background = histogram.pixels[0] / histogram.labelled
    ignored = histogram.ignored / (histogram.ignored + histogram.labelled)
    if background > MUCH_BACKGROUND:
        yield finding(
            "mostly-background",
            "{share} of the labelled pixels are {name}. Crop the pictures, or weight the classes in training.",
            share=f"{background:.1%}", name=classes.names[0],
        )  # fmt: skip
    elif len(classes) == 2 and 1 - background > MUCH_OBJECT:
        yield finding(
            "mostly-object",
            "{share} of the labelled pixels are {name}. Look whether the masks are inverted.",
            share=f"{1 - background:.1%}", name=classes.names[1],
        )  # fmt: skip
    if ignored > MUCH_IGNORED:
        yield finding(
            "mostly-ignored",
            "{share} of all pixels are ignored (255). That is right for scribbles; otherwise look at the label maps.",
            share=f"{ignored:.1%}",
        )
    if empty := tuple(name for name, counts in histogram.files.items() if counts and set(counts) == {IGNORE_INDEX}):
        yield finding(
            "all-ignored",
            "Label maps that are ignored in all their pixels and teach nothing ({count}): {files}. Label them, or "
            "leave them out.",
            empty,
        )
    if without := tuple(name for name, counts in histogram.files.items() if set(counts) - {IGNORE_INDEX} == {0}):
        yield finding(
            "no-class",
            "Pictures of nothing but {name} ({count}): {files}. That is good where there is really nothing to find.",
            without, name=classes.names[0],
        )  # fmt: skip


def _naming(folder: LabelledFolder) -> Iterator[Finding]:
    if folder.reading.guess == "blind":
        yield finding(
            "unassigned-colors",
            "Nothing tells which colour is which class; a guess would be {guess}. Write the colours into classes.txt, "
            "such as {example}.",
            guess=_guess(folder), example=_example(folder),
        )  # fmt: skip
    elif folder.reading.guess == "likely":
        yield finding(
            "guessed-classes",
            "Which colour means which class was guessed: {guess}. Look at the preview, or give the colours in a file "
            "of classes.",
            guess=_guess(folder),
        )
    elif not folder.classes_named:
        yield finding(
            "classes-unnamed",
            "The classes have no names and are called {names}. Write a classes.txt with one name a line, in the order "
            "of the ids.",
            names=_names(list(folder.classes.names)),
        )
    palettes = {facts.palette.get(0) for _, facts, _ in labels_of(folder) if facts.palette}
    blacks = {index for _, facts, _ in labels_of(folder) for index, color in facts.palette.items() if color == 0}
    by_index = folder.reading.decoding.palettes == "number" and not folder.listing.colors_fixed
    if by_index and blacks and 0 not in blacks and len(palettes - {None}) == 1:
        (shown,) = palettes - {None}
        yield finding(
            "odd-palette",
            "In the palette of the label maps black is {index}, and 0 is #{color}; black is mostly the background, "
            "which should be 0. Export the label maps with other ids, or write names and colours into classes.txt.",
            index=min(blacks), color=f"{shown:06x}",
        )  # fmt: skip
    kinds = Counter(facts.kind for _, facts, _ in labels_of(folder))
    if len(kinds) > 1:
        yield finding(
            "mixed-kinds",
            "The label files are of different kinds ({kinds}); each is read as what it is.",
            kinds=", ".join(f"{count} {kind}" for kind, count in kinds.most_common()),
        )


def _guess(folder: LabelledFolder) -> str:
    colors = sorted(folder.reading.decoding.colors.items(), key=lambda entry: entry[1])
    return ", ".join(
        f"#{color:06x} {folder.classes.names[class_id]}" for color, class_id in colors if class_id < len(folder.classes)
    )


def _example(folder: LabelledFolder) -> str:
    """The line that the class file should have for the last class that was guessed."""
    color, class_id = max(
        folder.reading.decoding.colors.items(), key=lambda entry: (entry[1] != IGNORE_INDEX, entry[1])
    )
    return f'"{folder.classes.names[class_id]} #{color:06x}"'


def _names(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" (+{len(names) - 5})" if len(names) > 5 else "")
