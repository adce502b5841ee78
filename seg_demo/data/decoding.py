"""From the pixel values of a whole set of label files to what each of them stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seg_demo.classes import IGNORE_INDEX, ClassMap
from seg_demo.data.colors import VOID_COLORS, color_table, packed_colors, read_colors
from seg_demo.data.masks import Decoding, Domain
from seg_demo.data.numbers import read_numbers
from seg_demo.data.strays import Totals, find_strays
from seg_demo.data.survey import LabelFacts
from seg_demo.errors import Sentence, UserError

DOMAINS: tuple[Domain, ...] = ("number", "color")


@dataclass(frozen=True)
class Reading:
    """How the label files of a data set are read. reasons: sentences for the user.

    strays: values that look like the traces of resampling, smoothing or compression, not like classes. guess: how far
    the order of the classes was made up here: "none", "likely" or "blind".
    """

    decoding: Decoding
    classes: ClassMap
    reasons: tuple[Sentence, ...]
    strays: Mapping[Domain, frozenset[int]] = field(default_factory=dict)
    guess: str = "none"


def find_reading(
    files: Sequence[LabelFacts],
    classes: ClassMap | None = None,
    *,
    colors_given: bool = False,
    numbers: Mapping[int, int] | None = None,
    colors: Mapping[int, int] | None = None,
) -> Reading:
    """Decide what the values of `files` stand for.

    classes: where they are known. colors_given: whether their colours are those of the label files. numbers, colors:
    what each number and each 0xRRGGBB stands for, where the layout says it. Otherwise the values of all files together
    decide, as `read_numbers` and `read_colors` say. Raises `UserError` where there are no label files.
    """
    if not files:
        raise UserError("There is no label file that can be read. Add a label map to each picture.")
    files = [facts for facts in files if not facts.is_photo] or files
    given = dict(colors or (color_table(classes) if classes and colors_given else {}))
    palettes, reasons = _palette_domain(files, given, packed_colors(classes) if classes and colors_given else [])
    rgb, why = _rgb_domain(files, given)
    reasons += why
    asked = Decoding({}, {}, palettes, rgb)
    totals = {domain: _totals(files, asked, domain) for domain in DOMAINS}
    known = _known(totals, classes, numbers, given)
    strays = {domain: find_strays(total, known[domain]) for domain, total in totals.items() if total.files}

    number_table: Mapping[int, int] = numbers or {}
    by_color: Mapping[int, int] = {}
    guess = "none"
    if "number" in strays and not (classes and numbers):
        sets = [held - strays["number"] for held in _number_sets(files, asked)]
        number_table, classes, why = read_numbers([held for held in sets if held], classes)
        reasons += why
    if "color" in strays:
        if not given and palettes == "number":  # an RGB file among palette files means what the palettes say
            given = {color: index for index, color in _palette(files).items() if color is not None}
        by_color, classes, why, guess = read_colors(totals["color"], strays["color"], classes, given)
        reasons += why
    assert classes is not None
    return Reading(Decoding(number_table, by_color, palettes, rgb), classes, tuple(reasons), strays, guess)


def _totals(files: Sequence[LabelFacts], asked: Decoding, domain: Domain) -> Totals:
    return Totals.of([facts.values(domain) for facts in files if asked.domain(facts.kind) == domain], domain)


def _number_sets(files: Sequence[LabelFacts], asked: Decoding) -> list[frozenset[int]]:
    """The numbers that each file holds; without 255 where palette files hold ids, as it can only mean ignored there."""
    held = {
        index: frozenset(facts.values("number").values.tolist())
        for index, facts in enumerate(files) if asked.domain(facts.kind) == "number"
    }  # fmt: skip
    palettes = {index for index in held if files[index].kind == "palette"}
    if any(held[index] - {0, IGNORE_INDEX} for index in palettes):
        held |= {index: held[index] - {IGNORE_INDEX} for index in palettes}
    return list(held.values())


def _known(
    totals: Mapping[Domain, Totals],
    classes: ClassMap | None,
    numbers: Mapping[int, int] | None,
    given: Mapping[int, int],
) -> dict[Domain, set[int]]:
    """Values that are no strays, however rare."""
    known: dict[Domain, set[int]] = {"number": {IGNORE_INDEX, *(numbers or ())}, "color": {*VOID_COLORS, *given}}
    if classes and not numbers:
        known["number"] |= set(range(len(classes)))
    if classes and not given:  # as many colours as there are names
        known["color"] |= set(totals["color"].values[: len(classes)])
    return known


def _palette(files: Sequence[LabelFacts]) -> dict[int, int | None]:
    """Palette index -> its colour in all files, None where they differ; ignored pixels are left aside.

    So are palettes of greys, which say nothing of classes, unless there are no others.
    """
    colored = [facts for facts in files if any(color != (color & 255) * 0x010101 for color in facts.palette.values())]
    seen: dict[int, int | None] = {}
    for facts in colored or files:
        for index, color in facts.palette.items():
            if index != IGNORE_INDEX:
                seen[index] = color if seen.get(index, color) == color else None
    return seen


def _palette_domain(
    files: Sequence[LabelFacts], given: Mapping[int, int], class_colors: Sequence[int]
) -> tuple[Domain, list[Sentence]]:
    """Whether palette files hold numbers or colours, and why. class_colors: of the classes in order, where given."""
    seen = _palette(files)
    if not seen:
        return "number", []
    pairs = {(index, color) for facts in files for index, color in facts.palette.items() if index != IGNORE_INDEX}
    colors = {color for _, color in pairs}
    all_given = bool(given) and colors <= {*given, *VOID_COLORS}
    # Of two classes that share a colour, either index is right.
    contradicted = any(
        given.get(color) not in (None, index) and list(class_colors[index : index + 1]) != [color]
        for index, color in pairs
    )
    if all_given and contradicted:
        return "color", [
            Sentence("The palette files use the given colours under other indices: they are read by colour.")
        ]
    if None in seen.values() and not all_given:
        return "color", [
            Sentence(
                "The palette files do not share one palette, so that an index means another colour in each: they are "
                "read by colour."
            )
        ]
    return "number", [Sentence("Palette files are read by their indices, not by their colours.")]


def _rgb_domain(files: Sequence[LabelFacts], given: Mapping[int, int]) -> tuple[Domain, list[Sentence]]:
    """Whether RGB files hold numbers or colours, and why."""
    colored = [facts for facts in files if facts.kind in ("rgb", "rgba")]
    found = {int(value) for facts in colored for value in facts.colors.values}
    if colored and all(facts.greys for facts in colored) and not (given and found <= set(given)):
        return "number", [Sentence("The RGB label files are grey throughout: their grey levels are read as numbers.")]
    return "color", []
