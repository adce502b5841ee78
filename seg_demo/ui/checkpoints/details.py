"""What is known of one checkpoint, as pieces of the page."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.folder import CARD_FILE
from seg_demo.checkpoint.link import read_link
from seg_demo.errors import UserError
from seg_demo.ui.checkpoints import markdown
from seg_demo.ui.checkpoints.rows import Held, address_of, files_of
from seg_demo.ui.fragment import Node, element
from seg_demo.ui.i18n import TEXTS, explain, say

if TYPE_CHECKING:
    from seg_demo.hub.sync import Sync

LONGEST_CARD = 200_000  # bytes of a card that are read
LONGEST_VALUE = 400  # characters of what a config says of its training
MOST_CLASSES, MOST_SPLITS, MOST_ROWS = 160, 8, 40


def of_local(one: Held, language: str) -> list[Node]:
    """A checkpoint that is here: what it is, how well it does, where it comes from, its files and its card."""
    files = files_of(one.folder)
    try:
        config = one.config()
    except UserError as error:
        problem = element("p", explain(error, language), class_="cp-problem", role="alert")
        return [element("article", _title(one.name, ""), problem, _files(files, language), class_="cp-details")]
    about = config.training.get("about")
    parts = [
        _title(one.name, about[:LONGEST_VALUE] if isinstance(about, str) else ""),
        _facts(config, sum(size for _, size, _ in files), language),
        *_metrics(config, language),
        _history(one, config, language),
        _files(files, language),
        *_card(one.folder, language),
    ]
    return [element("article", *parts, class_="cp-details")]


def of_remote(sync: Sync, language: str) -> list[Node]:
    """A checkpoint that only the Hub has."""
    remote = sync.remote
    facts: list[tuple[str, Node]] = [(say("cp_repo", language), _repo(sync.repo))]
    if remote is not None:
        facts += [
            (say("cp_changed", language), moment(remote.modified)),
            (say("cp_layout", language), layout_name(remote.layout, language)),
            (say("cp_downloads", language), f"{remote.downloads:,}"),
            (say("cp_likes", language), f"{remote.likes:,}"),
        ]
    files = [(file.name, file.size, 0.0) for file in getattr(remote, "files", {}).values()]
    parts = [
        _title(sync.repo, say("cp_only_there", language)),
        _list(facts),
        *([_files(files, language)] if files else []),
    ]
    return [element("article", *parts, class_="cp-details")]


def nothing(language: str) -> list[Node]:
    return [element("p", say("cp_none_chosen", language), class_="cp-nothing")]


def layout_name(layout: str | None, language: str) -> str:
    """A layout of files as people call it; libraries keep their names."""
    names = {"seg_demo": "seg_demo", "torchvision": "torchvision", "smp": "segmentation-models-pytorch"}
    return names.get(layout or "", layout or say("cp_unknown", language))


def megabytes(size: int) -> str:
    """Bytes as people read them.

    >>> megabytes(4_234_567)
    '4.2 MB'
    """
    for unit, one in (("GB", 10**9), ("MB", 10**6)):
        if size >= one:
            return f"{size / one:.1f} {unit}" if size < 10 * one else f"{size / one:.0f} {unit}"
    return f"{size / 1000:.1f} kB"


def moment(seconds: float) -> str:
    """Seconds since 1970 as a date and a time; "" for a number that is none."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return ""


def _repo(repo: str) -> Node:
    """A repository, whose page it leads to. repo: OWNER/NAME."""
    return element("a", repo, href=address_of(repo), target="_blank", rel="noopener noreferrer")


def _title(name: str, about: str) -> Node:
    return element("header", element("h2", name), *([element("p", about, class_="quiet")] if about else []))


def _list(facts: list[tuple[str, Node]]) -> Node:
    return element("dl", *(element("div", element("dt", term), element("dd", value)) for term, value in facts if value))


def _facts(config: CheckpointConfig, size: int, language: str) -> Node:
    arguments = ", ".join(f"{key} {value}" for key, value in config.arguments.items())
    facts: list[tuple[str, Node]] = [
        (say("cp_network", language), f"{config.architecture} ({arguments})"[:LONGEST_VALUE]),
        (say("cp_task", language), say(f"cp_task_{config.task}", language)),
        (say("cp_size", language), megabytes(size)),
    ]
    if config.task == "binary":
        facts.append((say("cp_threshold", language), f"{config.threshold:g}"))
    return _list(facts)


def _metrics(config: CheckpointConfig, language: str) -> Iterator[Node]:
    """Classes with their IoU as bars, of the first split; the other splits folded away."""
    tables = [
        (str(split)[:80], figures)
        for split, figures in list(config.metrics.items())[:MOST_SPLITS]
        if isinstance(figures, dict)
    ]
    if not tables:
        yield _section(say("cp_classes", language), _classes(config, {}, language))
        yield element("p", say("cp_not_measured", language), class_="quiet")
        return
    (split, figures), *others = tables
    heading = say("cp_measured", language, split=split)
    yield _section(heading, _figures(figures, language), _classes(config, figures, language))
    for split, figures in others:
        inside = [_figures(figures, language), _classes(config, figures, language)]
        summary = say("cp_measured", language, split=split)
        yield element("details", element("summary", summary), *inside)


def _figures(figures: Mapping[str, Any], language: str) -> Node:
    told: list[tuple[str, Node]] = []
    for name, value in list(figures.items())[:MOST_ROWS]:
        if name.startswith("iou_") or not _is_number(value):
            continue
        known = f"figure_{name}"
        label = say(known, language) if known in TEXTS["en"] else str(name).replace("_", " ")[:60]
        told.append((label, f"{value:.3f}"))
    return _list(told)


def _classes(config: CheckpointConfig, figures: Mapping[str, Any], language: str) -> Node:
    rows = []
    pairs = zip(config.classes.names, config.classes.colors, strict=True)
    for name, color in list(pairs)[:MOST_CLASSES]:
        value = figures.get(f"iou_{name}")
        share = float(value) if _is_number(value) else -1.0  # type: ignore[arg-type]
        known = 0 <= share <= 1
        bar = element("progress", max="1", value=f"{share:.4f}", aria_label=name) if known else ""
        title = element("th", element("i", color=color, class_="swatch"), name, scope="row")
        cells = [element("td", bar, class_="bars"), element("td", f"{share:.3f}" if known else "–")] if figures else []
        rows.append(element("tr", title, *cells))
    rest = len(config.classes) - len(rows)
    if rest > 0:
        rows.append(element("tr", element("td", say("more", language, count=rest), colspan="3")))
    return element("div", element("table", element("tbody", *rows), class_="cp-classes"), class_="scroll")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _history(one: Held, config: CheckpointConfig, language: str) -> Node:
    facts: list[tuple[str, Node]] = []
    for key, value in list(config.training.items())[:MOST_ROWS]:
        if key == "about":
            continue
        known = f"cp_training_{key}"
        label = say(known, language) if known in TEXTS["en"] else str(key).replace("_", " ")[:60]
        facts.append((label, plain(value)))
    if link := read_link(one.folder):
        when = say(f"cp_{link.action}", language, when=moment(link.when), commit=link.commit[:10])
        facts += [(say("cp_repo", language), _repo(link.repo)), (say("cp_last", language), when)]
    return _section(say("cp_history", language), _list(facts) if facts else say("cp_not_recorded", language))


def plain(value: object, depth: int = 3) -> str:
    """A value of a config in one line."""
    if isinstance(value, dict) and depth:
        text = ", ".join(f"{str(key).replace('_', ' ')} {plain(part, depth - 1)}" for key, part in value.items())
    elif isinstance(value, list) and depth:
        text = ", ".join(plain(part, depth - 1) for part in value[:MOST_ROWS])
    else:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text[:LONGEST_VALUE] + ("…" if len(text) > LONGEST_VALUE else "")


def _files(files: list[tuple[str, int, float]], language: str) -> Node:
    rows = [element("tr", element("th", name, scope="row"), element("td", megabytes(size))) for name, size, _ in files]
    table = element("table", element("tbody", *rows[:MOST_ROWS]), class_="cp-files")
    return _section(say("cp_files", language), element("div", table, class_="scroll"))


def _card(folder: Path, language: str) -> list[Node]:
    try:
        with (folder / CARD_FILE).open("rb") as file:
            card = file.read(LONGEST_CARD).decode("utf-8", "replace")
    except OSError:
        return []
    body = element("div", *markdown.rendered(card), class_="cp-card")
    return [element("details", element("summary", say("cp_card", language)), body)]


def _section(heading: str, *parts: Node) -> Node:
    return element("section", element("h3", heading), *parts)
