"""What a model card says, section by section, as Markdown."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from seg_demo.checkpoint.card import network
from seg_demo.checkpoint.card.figures import FOLDED, measured
from seg_demo.checkpoint.card.markdown import code_block, code_span, escaped, folded, one_line, table, told, words
from seg_demo.checkpoint.card.swatches import swatch
from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.licences import LICENCES
from seg_demo.models.registry import ARCHITECTURES

MOST_NAMED = 6  # classes in a sentence
FEW = 100  # pictures on which another choice of them would change the figures
LEGEND = "classes.png"  # the picture of the classes, where there is none of what the model does
DRAWN = "drawn.jpg"  # a picture that was drawn, not taken
SEEN = {
    "longest": "It sees a picture with its longest side at {size} pixels.",
    "shortest": "It sees a picture with its shortest side at {size} pixels.",
    "exact": "It sees a picture at {size} x {size} pixels.",
}
DATA = ("data", "split", "data_fingerprint", "pictures")  # entries that tell what was learned from


def summary(config: CheckpointConfig) -> str:
    """What it segments, in a sentence or two, and the network."""
    names = [f"**{escaped(name)}**" for name in config.classes.names]
    if config.task == "binary":
        does = f"It marks the class {names[1]} in photos, pixel by pixel."
    elif len(names) <= MOST_NAMED:
        does = f"It gives every pixel of a photo one of {len(names)} classes: {', '.join(names)}."
    else:
        does = f"It gives every pixel of a photo one of {len(names)} classes."
    about = config.training.get("about")
    return " ".join([does, *([told(about)] if about else [])])


def shown(pictures: Sequence[str]) -> str:
    """The pictures one below another, with what is to be seen in them."""
    if not pictures:
        return ""
    lines = []
    for path in pictures:
        if path.endswith(LEGEND):
            about = "The classes and their colours"
        else:
            kind = "drawn picture" if path.endswith(DRAWN) else "photo"
            about = f"A {kind}, and beside it the same with what the model finds in it"
        lines.append(f"![{about}]({quote(one_line(path))})")
    if any(path.endswith(DRAWN) for path in pictures):
        lines.append("*Left a drawn picture, right what the model finds in it.*")
    elif not any(path.endswith(LEGEND) for path in pictures):
        lines.append("*Left a photo, right what the model finds in it.*")
    return "\n\n".join(lines)


def classes(config: CheckpointConfig) -> str:
    """Ids, names and colours, and where the threshold lies."""
    rows = [
        [str(class_id), escaped(label), swatch(color)]
        for class_id, (label, color) in enumerate(zip(config.classes.names, config.classes.colors, strict=True))
    ]
    text = table(["id", "name", "colour"], rows)
    if len(rows) > FOLDED:
        text = folded(f"All {len(rows)} classes", text)
    if config.task == "binary":
        name = escaped(config.classes.names[1])
        text += f"\n\nA pixel is *{name}* from a probability of {config.threshold:g} on. "
        text += "Any other threshold can be given when it is used."
    return text


def usage(name: str, config: CheckpointConfig, repo: str) -> str:
    """In Python and on the command line; repo: "OWNER/NAME", or "" for the folder checkpoints/`name`."""
    folder = f"checkpoints/{repo.rpartition('/')[2] if repo else name}"
    source = f"seg_demo.pull({_literal(repo)})" if repo else _literal(folder)
    python = [
        "import seg_demo",
        "",
        f"predict = seg_demo.Predictor(seg_demo.load_checkpoint({source}))",
        'segmentation = predict(seg_demo.read_image("photo.jpg"))',
        "print(segmentation.shares)  # share of the pixels of each class, from 0 to 1",
    ]
    shell = [f"python -m seg_demo predict {_word(folder)} photo.jpg --out results"]
    if repo:
        shell.insert(0, f"python -m seg_demo hub pull {_word(repo)}")
    needed = f" with its extra {code_span(network.extra(config))}" if network.extra(config) else ""
    return "\n\n".join(
        [
            f"In Python, where seg_demo is installed{needed}:",
            code_block("python", python),
            "`segmentation.label_map` holds the class id of every pixel. On the command line:",
            code_block("bash", shell),
            "Pictures may have any size, and the masks have the size of the picture.",
        ]
    )


def data(training: dict[str, Any]) -> str:
    """The data set, its fingerprint, and how many pictures it has."""
    lines = [f"- **{words(key)}**: {told(training[key])}" for key in DATA if key in training]
    if not lines:
        return "Not recorded."
    if "data_fingerprint" in training:
        lines.append("\nThe same pictures with the same label maps have the same fingerprint.")
    return "\n".join(lines)


def recipe(config: CheckpointConfig) -> str:
    """The network, everything else that training has noted, and the command."""
    architecture = ARCHITECTURES.get(config.architecture)
    title = f"{architecture.title}, " if architecture else ""
    arguments = network.arguments(config)
    given = f" with {told(arguments)}" if arguments else ""
    lines = [f"- **network**: {title}{code_span(config.architecture)}{given}"]
    left = {key: value for key, value in config.training.items() if key not in (*DATA, "about", "command")}
    lines += [f"- **{escaped(words(key))}**: {told(value)}" for key, value in left.items()]
    text = "\n".join(lines)
    if command := config.training.get("command"):
        text += f"\n\nThe command:\n\n{code_block('bash', [one_line(command)])}"
    return text


def limits(config: CheckpointConfig) -> str:
    """What cannot be expected, as far as the config tells."""
    count = len(config.classes)
    lines = [
        f"It knows these {count} classes and no others. Whatever else is in a picture becomes one of them; "
        "the model cannot say that it does not know.",
        _learned(config.training),
    ]
    sizes = config.preprocessing
    if sizes.resize != "none":
        lines.append(
            f"{SEEN[sizes.resize].format(size=sizes.size)} What is only a few pixels wide in that can be lost."
        )
    return "\n".join(f"- {line}" for line in [*lines, *_trust(config.metrics)])


def _learned(training: dict[str, Any]) -> str:
    counts = training.get("pictures")
    counts = counts if isinstance(counts, dict) else {}
    kinds = {"photos": "labelled picture", "drawn": "picture drawn by a program"}
    told_counts = [
        f"{counts[key]} {kind}".replace(" picture", " pictures" if counts[key] != 1 else " picture")
        for key, kind in kinds.items()
        if type(counts.get(key)) is int and counts[key] > 0
    ]
    if not told_counts:
        return "How many pictures it learned from is not recorded."
    return (
        f"It learned from {' and '.join(told_counts)}. How it does on pictures that differ from these in subject, "
        "camera, light or scale is not known."
    )


def _trust(metrics: dict[str, Any]) -> list[str]:
    splits = [split for split, values in metrics.items() if isinstance(values, dict)]
    if not splits:
        return ["Its figures are not known: measure it on pictures of your own before you rely on it."]
    lines = []
    counts = {split: measured(split) for split in splits}
    few = {split: number for split, number in counts.items() if number is not None and number < FEW}
    if few:
        smallest = min(few.values())
        pictures = "1 picture" if smallest == 1 else f"as few as {smallest} pictures"
        lines.append(f"It was measured on {pictures}: on others the figures will differ.")
    if any(split.startswith("validation") for split in splits):
        lines.append(
            "Validation pictures may have decided which step of the training was kept, so their figures are rather "
            "too good."
        )
    if any("drawn" in split for split in splits):
        lines.append("Figures of drawn pictures say little about photos.")
    lines.append("Look at what it finds in pictures of your own before you rely on it.")
    return lines


def terms(licence: str) -> str:
    """licence: a name in `LICENCES`, or ""."""
    if not licence:
        return "None has been chosen: ask whoever made this model before you pass it on."
    title = LICENCES[licence]
    return f"{title[0].upper()}{title[1:]} (`{licence}`). The pictures it learned from have terms of their own."


def _literal(text: str) -> str:
    """A string of Python in one line."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)


def _word(text: str) -> str:
    """A word of a shell in one line."""
    return shlex.quote("".join(character if character.isprintable() else "?" for character in text))
