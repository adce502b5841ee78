"""What a Space needs to serve the page: a clean folder with just these files."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seg_demo.checkpoint.config import read_config
from seg_demo.checkpoint.folder import CONFIG_FILE, FILES, WEIGHTS_FILE
from seg_demo.errors import UserError
from seg_demo.hub.files import LocalFile, local_file
from seg_demo.infer.library import BUNDLED

PROJECT = Path(__file__).resolve().parents[2]
APP, REQUIREMENTS, README, CHECKPOINTS = "app.py", "requirements.txt", "README.md", "checkpoints"
FOLDERS = {"seg_demo": (".py", ".js", ".css", ".html", ".json"), "examples": (".jpg", ".png", ".txt")}
"""Folders that are the project's own in a Space, and the endings of their files."""
ZERO = "zero-a10g"
TORCH_OF_ZERO = "torch>=2.8,<2.12"  # what ZeroGPU offers
MORE_OF_ZERO = "spaces>=0.51"
BODY = """
# {title}

Semantic segmentation in a browser page: bring photos and see what is in them, pixel by pixel; move a threshold over the
probabilities; teach a model your own classes from a few labelled pictures; fetch checkpoints from the Hub and push your
own with your own account.

What you bring is seen by nobody else, and is removed some days after you were last here.
"""


@contextlib.contextmanager
def staged_space(
    title: str,
    hardware: str,
    *,
    checkpoints: Sequence[Path] = (),
    licence: str = "",
    models: Sequence[str] = (),
    readme: str = "",
    project: Path = PROJECT,
) -> Iterator[Mapping[str, LocalFile]]:
    """The files by their names in the Space, in a folder that is gone afterwards.

    title, hardware, licence, models: for the front matter. checkpoints: folders of further ones that everybody may use.
    readme: the README.md that the Space has so far. project: where app.py is. Raises `UserError`, also for a symbolic
    link, behind which could be anything.
    """
    staging = Path(tempfile.mkdtemp(prefix="seg_demo-space-"))
    try:
        for name, source in _sources(project, checkpoints).items():
            target = staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target, follow_symlinks=False)
        wanted = (staging / REQUIREMENTS).read_text("utf-8")
        (staging / REQUIREMENTS).write_text(requirements(wanted, hardware), "utf-8")
        (staging / README).write_text(card(title, hardware, licence, models, readme), "utf-8")
        names = sorted(path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file())
        yield {name: local_file(staging / name, name) for name in names}
    except OSError as error:
        raise UserError(
            "The files of the Space could not be prepared ({reason}). Free some space and try again.",
            reason=error.strerror or error,
        ) from None  # fmt: skip
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _sources(project: Path, checkpoints: Sequence[Path]) -> dict[str, Path]:
    """The files that are copied: name in the Space -> where they lie."""
    found = {name: project / name for name in (APP, REQUIREMENTS)}
    for top, endings in FOLDERS.items():
        for path in _walked(project / top):
            if path.suffix in endings:
                found[path.relative_to(project).as_posix()] = path
    bundled = {name: project / CHECKPOINTS / name for name in BUNDLED}
    for name, folder in (bundled | {_name(path): path for path in checkpoints}).items():
        for file in FILES:
            if file in (CONFIG_FILE, WEIGHTS_FILE) or (folder / file).is_file():
                found[f"{CHECKPOINTS}/{name}/{file}"] = folder / file
    for name, path in found.items():
        if path.is_symlink():
            raise UserError(
                "{file} is a symbolic link, which is not uploaded. Put the file itself in its place.", file=path
            )
        if not path.is_file():
            raise UserError(
                "{folder} has no {file}, which a Space needs. Deploy from the project's folder as it was cloned.",
                folder=project, file=name,
            )  # fmt: skip
    return found


def _walked(folder: Path) -> Iterator[Path]:
    """The files of a folder and those below it, without what is hidden or made by Python."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in folders:
            if (path := Path(place) / name).is_symlink():
                raise UserError(
                    "{folder} is a symbolic link, which is not uploaded. Put the folder itself in its place.",
                    folder=path,
                )
        yield from (Path(place) / name for name in sorted(files) if not name.startswith("."))


def _name(folder: Path) -> str:
    """What a checkpoint is called in the Space. Raises `UserError` for what is none."""
    read_config(folder)
    return folder.resolve().name


def requirements(text: str, hardware: str) -> str:
    """requirements.txt for a Space: with what signing in needs, and on ZeroGPU with a torch that it offers."""
    lines = []
    for line in text.splitlines():
        name = re.match(r"[\w-]*", line)
        if name and name[0] == "gradio":
            line = line.replace("gradio", "gradio[oauth]", 1)
        elif name and name[0] == "torch" and hardware == ZERO:
            line = TORCH_OF_ZERO
        lines.append(line)
    return "\n".join([*lines, *([MORE_OF_ZERO] if hardware == ZERO else [])]) + "\n"


def card(title: str, hardware: str, licence: str = "", models: Sequence[str] = (), before: str = "") -> str:
    """README.md of a Space. before: what it is now, of which the owner may have changed what visitors see."""
    import yaml

    front, body = parted(before)
    ours: dict[str, Any] = {
        "title": title,
        "emoji": "🦎",
        "colorFrom": "green",
        "colorTo": "blue",
        "short_description": "See what is in your photos, pixel by pixel",
        "pinned": False,
        "tags": ["image-segmentation", "semantic-segmentation"],
    } | front
    ours |= {
        "sdk": "gradio",
        "sdk_version": version("gradio"),
        "python_version": "3.12",
        "app_file": APP,
        "suggested_hardware": hardware,
        "startup_duration_timeout": "1h",
        "hf_oauth": True,
        "hf_oauth_scopes": ["contribute-repos"],
    }
    if licence:
        ours["license"] = licence
    if models:
        ours["models"] = sorted({*models, *map(str, ours.get("models") or ())})
    written = yaml.safe_dump(ours, allow_unicode=True, sort_keys=False)
    return f"---\n{written}---\n{body or BODY.format(title=ours['title'])}"


def parted(readme: str) -> tuple[dict[str, Any], str]:
    """Front matter and body; the former is empty where there is none that can be read."""
    import yaml

    match = re.match(r"---\r?\n(.*?)\r?\n---[ \t]*\r?\n?(.*)", readme, re.DOTALL)
    if not match:
        return {}, readme
    with contextlib.suppress(yaml.YAMLError, ValueError, RecursionError):
        front = yaml.safe_load(match[1])
        if isinstance(front, dict):
            return {str(key): value for key, value in front.items()}, match[2]
    return {}, match[2]
