"""What a comparison says, as pieces of the page."""

from __future__ import annotations

from seg_demo.evaluate.compared import ComparedPicture
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
        element("div", _figures(found, language), _classes(found, language), class_="compared"),
    ]


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
    key = "better_by" if difference > 0 else "worse_by"
    state = ("good" if difference > 0 else "error") if sure else "note"
    before = after - difference
    return state, say(key, language, before=f"{before:.3f}", after=f"{after:.3f}", difference=f"{difference:+.3f}")


def _figures(found: Compared, language: str) -> Node:
    comparison = found.comparison
    before = comparison.base.figures if comparison.base else {}
    rows = [
        element(
            "tr",
            element("th", say(f"figure_{name}", language), scope="row"),
            element("td", _number(before.get(name))),
            element("td", _number(comparison.new.figures.get(name))),
            element("td", _signed(comparison.differences.get(name))),
        )
        for name in FIGURES
        if name in comparison.new.figures
    ]
    return element("table", _head(language, "figure"), element("tbody", *rows), class_="figures")


def _classes(found: Compared, language: str) -> Node:
    comparison = found.comparison
    classes, after = comparison.classes, comparison.new.ious
    before = comparison.base.ious if comparison.base else (None,) * len(after)
    rows = []
    for class_id in range(min(len(classes), MOST_CLASSES)):
        name, color = classes.names[class_id], classes.colors[class_id]
        rows.append(
            element(
                "tr",
                element("th", element("span", color=color, class_="swatch", aria_hidden="true"), name, scope="row"),
                element("td", _bar(before[class_id], "before"), _bar(after[class_id], "after"), class_="bars"),
                element("td", f"{_number(before[class_id])} → {_number(after[class_id])}"),
                element("td", _signed(comparison.iou_differences[class_id])),
            )
        )
    return element("table", _head(language, "class", bars=True), element("tbody", *rows), class_="classes")


def _bar(value: float | None, which: str) -> Node:
    return element("progress", max="1", value=f"{value or 0:.4f}", class_=which, aria_hidden="true")


def _head(language: str, first: str, bars: bool = False) -> Node:
    names = say("compared_columns", language).split("|")  # figure, class, base, new, difference, IoU
    figure, class_, base, new, difference, iou = names
    columns = [class_, iou, f"{base} → {new}", difference] if bars else [figure, base, new, difference]
    return element("thead", element("tr", *(element("th", name, scope="col") for name in columns)))


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
