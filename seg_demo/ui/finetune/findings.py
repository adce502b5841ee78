"""What a data check says, as pieces of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from seg_demo.ui.finetune.bench import Bench, without_paths
from seg_demo.ui.fragment import Node, element
from seg_demo.ui.i18n import explain, say, translated

if TYPE_CHECKING:
    from seg_demo.data.check import Finding, Report
    from seg_demo.data.check.repair import Repaired

ICONS = {"error": "✕", "warning": "!", "note": "i", "good": "✓"}
SHOWN_OF_A_KIND = 5
NAMED_FILES = 3  # that a sentence names itself
MOST = 200  # of anything in a list; the JSON of the check has them all


def verdict(bench: Bench, language: str) -> list[Node]:
    """Whether training may start, by a word, an icon and a colour, and how much there is of what."""
    report = bench.shown.report
    errors, warnings = report.count("error"), report.count("warning")
    state = "error" if errors else "warning" if warnings else "good"
    splits = [say(f"split_{split}", language, count=count) for split, count in report.splits.items()]
    lines = [
        say("check_counts", language, errors=errors, warnings=warnings, notes=report.count("note")),
        say("check_pictures", language, pictures=say("comma", language).join(splits) or "0"),
    ]
    name = bench.name if bench.mended is None else say("check_copy", language, name=bench.name)
    return [
        element(
            "section",
            element("span", ICONS[state], class_="mark", aria_hidden="true"),
            element(
                "div",
                element("h2", say("may_train" if not errors else "must_not_train", language)),
                element("p", name, class_="file"),
                element("p", " ".join(lines)),
                *([element("p", hint)] if (hint := _hint(bench, language)) else []),
            ),
            class_=f"verdict {state}",
            role="status",
        )
    ]


def _hint(bench: Bench, language: str) -> str:
    """What comes next, or nothing."""
    grave = [found for found in bench.shown.report.findings if found.severity == "error"]
    if grave:
        repairable = all(found.repair for found in grave) and not bench.mended
        return say("errors_repairable" if repairable else "errors_yours", language)
    if bench.mended:
        return say("copy_ready", language)
    return "" if bench.shown.report.findings else say("nothing_found", language)


def cards(bench: Bench, language: str) -> list[Node]:
    """One card for each kind of finding, gravest first."""
    ranks = groupby(bench.shown.report.findings, key=lambda found: (found.severity, found.kind, found.repair))
    return [_card(list(group), bench, language) for _, group in ranks]


def _card(findings: Sequence[Finding], bench: Bench, language: str) -> Node:
    first = findings[0]
    items = [element("li", *_told(found, bench, language)) for found in findings[:MOST]]
    more = len(findings) - SHOWN_OF_A_KIND
    rest = [_folded(say("more", language, count=more), items[SHOWN_OF_A_KIND:], len(findings) - MOST)]
    repair = say("repair_is", language, repair=translated(first.repair, language)) if first.repair else ""
    return element(
        "section",
        element(
            "h3",
            element("span", ICONS[first.severity], class_="mark", aria_hidden="true"),
            element("span", say(first.severity, language), class_="severity"),
            element("span", kind_title(first.kind, language)),
            *([element("span", str(len(findings)), class_="count")] if len(findings) > 1 else []),
        ),
        element("ul", *items[:SHOWN_OF_A_KIND]),
        *(rest if more > 0 else []),
        *([element("p", repair, class_="repair")] if repair else []),
        class_=f"card {first.severity}",
        data_kind=first.kind,
    )


def _told(found: Finding, bench: Bench, language: str) -> list[Node]:
    told: list[Node] = [explain(without_paths(found.sentence, bench.home, bench.name), language)]
    if len(found.files) > NAMED_FILES:
        told.append(_files(say("files", language, count=len(found.files)), found.files))
    return told


def _files(summary: str, files: Sequence[str]) -> Node:
    return _folded(summary, [element("li", file) for file in files[:MOST]], len(files) - MOST)


def _folded(summary: str, items: Sequence[Node], left: int) -> Node:
    dots = [element("li", f"… (+{left})")] if left > 0 else []
    return element("details", element("summary", summary), element("ul", *items, *dots))


def kind_title(kind: str, language: str) -> str:
    return say("kind_" + kind.replace("-", "_"), language)


def class_table(report: Report, language: str) -> list[Node]:
    """Every class with its colour, its share of the labelled pixels, and in how many label maps it occurs."""
    head = element(
        "tr",
        *(element("th", text, scope="col") for text in ("id", *say("class_columns", language).split("|"))),
    )
    rows = [
        element(
            "tr",
            element("td", str(class_id)),
            element("td", element("span", color=color, class_="swatch", aria_hidden="true"), element("span", name)),
            element("td", f"{report.histogram[name]:.2%}"),
            element("td", str(report.pictures_with[name])),
        )
        for class_id, (name, color) in enumerate(zip(report.classes.names, report.classes.colors, strict=True))
    ]
    table = element("table", element("thead", head), element("tbody", *rows))
    return [
        element("div", table, class_="scroll", tabindex="0"),
        element("p", say("ignored", language, share=f"{report.ignored:.2%}"), class_="quiet"),
    ]


def reasons(bench: Bench, language: str) -> list[Node]:
    """What was recognised, and by what."""
    from seg_demo.data.registry import LAYOUTS

    layout = bench.shown.report.layout
    title = f"{translated(LAYOUTS[layout].title, language)} ({layout})"
    told = [*bench.reasons, title, *bench.shown.report.reasons]
    shown = (translated(without_paths(each, bench.home, bench.name), language) for each in told)
    return [element("ul", *(element("li", each) for each in shown))]


def repair_choices(findings: Iterable[Finding], language: str) -> list[tuple[str, str]]:
    """(label, kind) of each repair that is possible, with the number of files it is about."""
    counts: Counter[str] = Counter()
    repairs: dict[str, str] = {}
    for found in findings:
        if found.repair:
            counts[found.kind] += len(found.files)
            repairs[found.kind] = found.repair
    return [
        (f"{kind_title(kind, language)} ({counts[kind]}): {translated(repairs[kind], language)}", kind)
        for kind in repairs
    ]


def by_default(kind: str) -> bool:
    """Whether the repair of a kind of finding is ticked at first: nothing good can be lost by it."""
    from seg_demo.data.check import KINDS

    return KINDS[kind].by_default


def mended(done: Repaired, language: str) -> list[Node]:
    """What a repair did."""
    what = ", ".join(f"{kind_title(kind, language)} {count}" for kind, count in done.mended.items())
    told = [element("p", say("written", language, count=done.written))]
    if what:
        told.append(element("p", say("mended", language, what=what)))
    if done.left_out:
        told.append(_files(say("left_out", language, count=len(done.left_out)), done.left_out))
    return [element("section", *told, class_="card mended")]
