"""README.md of a checkpoint: the model card, written from its config."""

from __future__ import annotations

from collections.abc import Sequence

from seg_demo.checkpoint.card import figures, sections
from seg_demo.checkpoint.card.markdown import escaped
from seg_demo.checkpoint.card.metadata import front_matter
from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.licences import LICENCES
from seg_demo.registry import look_up


def model_card(
    name: str, config: CheckpointConfig, *, repo: str = "", licence: str = "", pictures: Sequence[str] = ()
) -> str:
    """Markdown with Hub metadata: what the model segments, how to use it, how it was made, how it scores, its limits.

    repo: "OWNER/NAME" on the Hub, or "" for a checkpoint that is used from its folder. licence: a name in `LICENCES`,
    or "" where none was chosen. pictures: files to show, as paths relative to the card. Raises `UserError` for an
    unknown licence.

    Class names and whatever training wrote into the config are shown as they are: they cannot become HTML, links,
    pictures or metadata.
    """
    if licence:
        look_up("licence", LICENCES, licence)
    parts = [
        front_matter(name, config, licence),
        f"# {escaped(name)}",
        sections.summary(config),
        sections.shown(pictures),
        "## Classes",
        sections.classes(config),
        "## How to use it",
        sections.usage(name, config, repo),
        "## What it learned from",
        sections.data(config.training),
        "## How it was trained",
        sections.recipe(config),
        "## How well it does",
        figures.figures(config),
        "## What it does not know",
        sections.limits(config),
        "## Licence",
        sections.terms(licence),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"
