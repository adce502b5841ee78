"""What a comparison says, as pieces of the page."""

from __future__ import annotations

from collections.abc import Sequence

from seg_demo.evaluate.compared import ComparedPicture, Comparison
from seg_demo.jobs.job import Job
from seg_demo.ui.finetune.comparing import Compared, base_is_gone
from seg_demo.ui.fragment import Node, element
from seg_demo.ui.i18n import explain, say

FIGURES = ("mean_iou", "accuracy", "mean_dice", "boundary_iou", "loss")
MOST_CLASSES = 60


def card(found: Compared, job: Job, language: str) -> list[Node]:
    """Which of the two is better and how sure that is, figures, and the classes as bars."""
    comparison = found.comparison
    counts = comparison.counts
    lines = [say("compared_on", language, count=counts["pictures"])]
    if comparison.base:
        lines.append(say("better_worse", language, **counts))
    notes = [explain(told, language) for told in (comparison.certainty, comparison.why, *comparison.warnings) if told]
    if comparison.base is None and comparison.why is None:
        gone = base_is_gone(job)
        notes.append(explain(gone, language) if gone else say("no_base", language))
    if found.kind == "best":
        notes.append(say("best_is_chosen", language))
    state, headline = _headline(found, language)
    return [
        element(
            "section",
            element(
                "div",
                element("h2", headline),
                element("p", " ".join(lines)),
                *(element("p", note, class_="quiet") for note in notes),
            ),
            class_=f"verdict {state}",
            role="status",
        ),
        element("div", *_tables(comparison, language), class_="compared"),
        *([element("div", *_tables(found.alone, language), class_="compared")] if found.alone else []),
    ]


def _tables(comparison: Comparison, language: str) -> list[Node]:
    return [_figures(comparison, language), _classes(comparison, language)]


def _headline(found: Compared, language: str) -> tuple[str, str]:
    comparison = found.comparison
    after = comparison.new.figures.get("mean_iou")
    difference = comparison.differences.get("mean_iou")
    if after is None:
        return "note", say("nothing_measured", language)
    if difference is None:
        return "note", say("new_alone", language, iou=f"{after:.3f}")
    interval = comparison.interval
    sure = interval is not None and (interval.low > 0 or interval.high < 0)
    if f"{difference:.3f}".strip("-") == "0.000":
        return "note", say("as_good", language, iou=f"{after:.3f}")
    key = "better_by" if difference > 0 else "worse_by"
    state = ("good" if difference > 0 else "error") if sure else "note"
    before = after - difference
    return state, say(key, language, before=f"{before:.3f}", after=f"{after:.3f}", difference=f"{difference:+.3f}")


def _figures(comparison: Comparison, language: str) -> Node:
    before = comparison.base.figures if comparison.base else None
    rows = []
    for name in FIGURES:
        if name in comparison.new.figures:
            after = comparison.new.figures[name]
            cells = [_number(after)]
            if before is not None:
                cells = [_number(before.get(name)), *cells, _signed(comparison.differences.get(name))]
            rows.append(_row(say(f"figure_{name}", language), cells))
    figure, _, base, new, difference, _ = say("compared_columns", language).split("|")
    columns = (figure, base, new, difference) if before is not None else (figure, new)
    return element("table", _head(columns), element("tbody", *rows), class_="figures")


def _classes(comparison: Comparison, language: str) -> Node:
    classes, after = comparison.classes, comparison.new.ious
    before = comparison.base.ious if comparison.base else None
    rows = []
    for class_id in range(min(len(classes), MOST_CLASSES)):
        swatch = element("span", color=classes.colors[class_id], class_="swatch", aria_hidden="true")
        title = element("span", swatch, classes.names[class_id])
        bars = [_bar(after[class_id], "after")]
        cells = [_number(after[class_id])]
        if before is not None:
            bars.insert(0, _bar(before[class_id], "before"))
            cells = [_number(before[class_id]), *cells, _signed(comparison.iou_differences[class_id])]
        rows.append(_row(title, cells, bars))
    _, class_, base, new, difference, iou = say("compared_columns", language).split("|")
    columns = (class_, iou, base, new, difference) if before is not None else (class_, iou, new)
    return element("table", _head(columns), element("tbody", *rows), class_="classes")


def _row(title: Node, cells: Sequence[str], bars: Sequence[Node] = ()) -> Node:
    middle = [element("td", *bars, class_="bars")] if bars else []
    return element("tr", element("th", title, scope="row"), *middle, *(element("td", cell) for cell in cells))


def _head(columns: Sequence[str]) -> Node:
    return element("thead", element("tr", *(element("th", name, scope="col") for name in columns)))


def _bar(value: float | None, which: str) -> Node:
    return element("progress", max="1", value=f"{value or 0:.4f}", class_=which, aria_hidden="true")


def pictures(found: Compared, language: str) -> list[tuple[str, str]]:
    """(label, index) of those that can be looked at, the most improved first and the most worsened last."""
    there = [picture for picture in found.comparison.pictures if picture.index in found.shown]
    there.sort(key=lambda picture: -(picture.difference if picture.difference is not None else 0))
    return [(_label(picture, language), str(picture.index)) for picture in there]


def _label(picture: ComparedPicture, language: str) -> str:
    if picture.difference is None:
        return f"{picture.name} · {_number(picture.new.mean_iou)}"
    return f"{_signed(picture.difference)} · {picture.name}"


def kept(sentence: str) -> list[Node]:
    return [element("p", sentence, role="status", class_="status good")]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")
