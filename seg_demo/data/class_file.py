"""Files that name classes: what is read as one, and how this project writes its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from seg_demo.classes import ClassMap, Color, distinct_colors
from seg_demo.errors import UserError

# What tools call such a file, in the order in which they are looked for.
NAMES = (
    "classes.txt", "classes.json", "labelmap.txt", "class_dict.csv", "labels.txt", "class_names.txt", "classes.names",
)  # fmt: skip
MAX_BYTES = 1 << 20

_HEX = re.compile(r"(?P<name>.+?)\s+#(?P<hex>[0-9a-fA-F]{6})")
_NUMBERS = re.compile(r"(?P<name>.+?)[\s,:]+(?P<r>\d{1,3})[\s,]+(?P<g>\d{1,3})[\s,]+(?P<b>\d{1,3})(?::.*)?")
_COUNTED = re.compile(r"(?P<id>\d{1,3})(?:\s*[:,;]\s*|\s+)(?P<rest>\D.*)")
_HEAD = re.compile(r"\w+\s*,\s*r\w*\s*,\s*g\w*\s*,\s*b\w*|(id|index|value)\s*[,;\t]\s*\w+", re.IGNORECASE)


class NamedClasses(NamedTuple):
    """Classes from a file, and whether their colours stood there too or were chosen here."""

    classes: ClassMap
    colors_given: bool


def find_class_file(folder: Path) -> Path | None:
    """The file that names the classes of a data set, where its folder has one."""
    there = {path.name.lower(): path for path in sorted(folder.iterdir(), reverse=True) if path.is_file()}
    return next((there[name] for name in NAMES if name in there), None)


def read_class_file(path: Path) -> NamedClasses:
    """Read classes in id order from 0.

    Text: one class a line, "name", "name #7f0000", "name 127 0 0" or CVAT's "name:127,0,0:parts:actions"; lines that
    begin with # and empty ones are passed over, and so is the head of a table ("name,r,g,b"); numbers from 0 on before
    the names count along; LabelMe's "__ignore__" is no class. JSON: a list of names, or
    {"0": "name", ...}, or an object with "id2label" and perhaps "palette", such as a checkpoint's config.json.
    Raises `UserError` naming file and line.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError("{path} is larger than 1 MB, which no list of classes is. Give another file.", path=path)
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("{path} is not text in UTF-8. Save it as UTF-8.", path=path) from None
    except OSError as error:
        raise UserError(
            "{path} cannot be read ({reason}). Give a file with one class name a line.",
            path=path, reason=error.strerror,
        ) from None  # fmt: skip
    names, colors = _from_json(text, path) if path.suffix.lower() == ".json" else _from_lines(text, path)
    if not names:
        raise UserError("{path} names no class. Write one class name a line, background first.", path=path)
    given = len(colors) == len(names)
    own = ((0, 0, 0), *distinct_colors(len(names) - 1))
    return NamedClasses(ClassMap(tuple(names), tuple(colors) if given else own), given)


def _from_lines(text: str, path: Path) -> tuple[list[str], list[Color]]:
    names: list[str] = []
    colors: list[Color] = []
    lines = [line.strip() for line in text.split("\n")]
    named = [line for line in lines if line and not _HEAD.fullmatch(line)]
    counted = [match for line in named if (match := _COUNTED.fullmatch(line))]
    ids = [int(match["id"]) for match in counted]
    if named and len(counted) == len(named):
        if ids == [*range(1, len(ids) + 1)]:
            raise UserError(
                "{path} numbers its classes from 1, but ids begin with 0. Put a line for 0, the background, first.",
                path=path,
            )
        if ids == [*range(len(ids))]:
            lines = [match["rest"] for match in counted]
    for number, line in enumerate(lines, 1):
        is_remark = line.startswith("#") and not _HEX.fullmatch(line)
        if not line or is_remark or line == "__ignore__" or _HEAD.fullmatch(line):
            continue
        color: Color | None = None
        if match := _HEX.fullmatch(line):
            red, green, blue = bytes.fromhex(match["hex"])
            color = (red, green, blue)
        elif match := _NUMBERS.fullmatch(line):
            color = (int(match["r"]), int(match["g"]), int(match["b"]))
            if max(color) > 255:
                raise UserError(
                    "{path}, line {line}: a colour has parts from 0 to 255, not {color}. Mend the line.",
                    path=path, line=number, color=color,
                )  # fmt: skip
        name = match["name"].strip() if match else line.split(":")[0].strip()
        names.append(name)
        if color:
            colors.append(color)
    if colors and len(colors) != len(names):
        raise UserError(
            "{path} gives a colour for {colors} of its {names} classes. Give one for each class, or for none.",
            path=path, colors=len(colors), names=len(names),
        )  # fmt: skip
    return names, colors


def _from_json(text: str, path: Path) -> tuple[list[str], list[Color]]:
    try:
        document = json.loads(text)
        table = document.get("id2label", document) if isinstance(document, dict) else document
        if not isinstance(table, dict | list):
            raise ValueError
        names = [table[str(key)] for key in range(len(table))] if isinstance(table, dict) else table
        palette = document.get("palette", []) if isinstance(document, dict) else []
        colors = [(int(red), int(green), int(blue)) for red, green, blue in palette]
        if not all(isinstance(name, str) for name in names) or len(colors) not in (0, len(names)):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        raise UserError(
            '{path} is not a list of class names in JSON. Write ["background", "cat"] or {{"0": "background"}}.',
            path=path,
        ) from None
    return names, colors


def class_lines(classes: ClassMap) -> str:
    """One line a class, "name #rrggbb", which `read_class_file` gives back."""
    names = (" ".join(name.split("\n")) for name in classes.names)
    return "\n".join(f"{name} #{bytes(color).hex()}" for name, color in zip(names, classes.colors, strict=True))


def write_class_file(path: Path, classes: ClassMap) -> None:
    """Write `class_lines` as a file."""
    path.write_text(class_lines(classes) + "\n", "utf-8")
