"""A checkpoint as one file to hand on: written as a zip, and read again whoever made it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from seg_demo.checkpoint.card import model_card
from seg_demo.checkpoint.config import read_config
from seg_demo.checkpoint.folder import (
    CARD_FILE,
    CONFIG_FILE,
    FILES,
    PICTURES,
    SAMPLES,
    WEIGHTS_FILE,
    load_checkpoint,
    sample_pictures,
    sync,
)
from seg_demo.checkpoint.header import header_of
from seg_demo.checkpoint.name import check_name, made_plain, places
from seg_demo.checkpoint.rename import LONGEST_CARD, rename_checkpoint
from seg_demo.checkpoint.unfinished import unfinished
from seg_demo.data.archive import Limits, is_archive, unpack
from seg_demo.errors import UserError
from seg_demo.models.whole_file import whole_file

LIMITS = Limits(entries=2000, total_bytes=2_100_000_000, file_bytes=2_000_000_000)
MAX_PICTURE_BYTES = 8 << 20
MOST_PICTURES = 16
STAGING = ".importing-"  # the beginning of the names of hidden folders beside the checkpoints
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip knows
_PIECE = 1 << 20
PICKLES = (".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt")

Progress = Callable[[int, int], None]


def write_package(folder: Path, target: Path, progress: Progress | None = None) -> Path:
    """Write a checkpoint folder as the zip `target`, replacing one that is there; returns it.

    It holds NAME/config.json, NAME/model.safetensors, NAME/README.md and the pictures of NAME/samples/, stored as they
    are, and nothing else that lies in the folder. The same checkpoint gives the same bytes. Whoever looks at `target`
    sees a whole file or none. progress: is told bytes done and in all; what it raises ends the work.

    Raises `UserError` where the folder is no checkpoint or the disk does not let us.
    """
    folder, target = Path(folder), Path(target)
    read_config(folder)
    header_of(folder / WEIGHTS_FILE)
    files = [*(folder / name for name in FILES if (folder / name).is_file()), *sample_pictures(folder)]
    with whole_file(target) as staging:
        total, done = sum(file.stat().st_size for file in files), 0
        with zipfile.ZipFile(staging, "w", zipfile.ZIP_STORED) as package:
            for file in files:
                entry = zipfile.ZipInfo(f"{folder.name}/{file.relative_to(folder).as_posix()}", _LONG_AGO)
                entry.create_system, entry.external_attr = 3, 0o100644 << 16  # Unix, wherever it is written
                entry.file_size = file.stat().st_size
                with package.open(entry, "w") as packed, file.open("rb") as content:
                    while piece := content.read(_PIECE):
                        packed.write(piece)
                        done += len(piece)
                        if progress:
                            progress(done, total)
    return target


def read_package(
    archive: Path, checkpoints: Path, name: str = "", limits: Limits = LIMITS, progress: Progress | None = None
) -> Path:
    """Take the checkpoint in a stranger's zip or tar into the folder `checkpoints`; returns its own folder.

    name: what it is to be called; else as in the archive, made plain, with a number where that is taken. It may lie at
    the top of the archive or in one folder; what does not belong to it is passed over. Before it gets its place, its
    config and the sizes and the header of its weights are checked, and it is loaded strictly. progress: is told bytes
    of the archive done and in all; what it raises ends the work.

    Raises `UserError` for what is no checkpoint, is damaged, too much, or could do harm; then nothing is left of it.
    """
    archive, checkpoints = Path(archive), Path(checkpoints)
    wanted = check_name(name) if name else ""
    if wanted and (checkpoints / wanted).exists():
        raise _taken(wanted)
    if not is_archive(archive):
        raise _no_archive(archive)
    try:
        checkpoints.mkdir(parents=True, exist_ok=True)
        with unfinished(STAGING, checkpoints) as staging:
            folder = _unpacked(archive, staging / "found", limits, progress)
            try:
                _check(folder)
            except UserError as error:
                raise _without(folder, error, archive.name) from None
            if progress:
                progress(archive.stat().st_size, archive.stat().st_size)
            _tidy(folder)
            return _placed(folder, checkpoints, wanted)
    except OSError as error:
        raise UserError(
            "The checkpoint in {archive} could not be written ({reason}). Free some space and try again.",
            archive=archive.name, reason=error.strerror or error,
        ) from None  # fmt: skip


def _unpacked(archive: Path, out: Path, limits: Limits, progress: Progress | None) -> Path:
    """The one folder in `archive` with a checkpoint, unpacked to `out` or into a folder there, named as it is to be."""
    pickles: list[str] = []

    def take(parts: tuple[str, ...]) -> bool:
        suffix = Path(parts[-1]).suffix.lower()
        if suffix in PICKLES:
            pickles.append("/".join(parts))
        if suffix in PICTURES:
            return parts[-2:-1] == (SAMPLES,) and len(parts) <= 3
        return parts[-1] in FILES and len(parts) <= 2

    try:
        unpack(archive, out, limits, progress, take)
    except UserError as error:
        raise _without(out, error, out.parent.parent.name) from None
    found = [
        path
        for path in (out, *sorted(out.iterdir()))
        if all((path / name).is_file() for name in (CONFIG_FILE, WEIGHTS_FILE))
    ]
    if len(found) > 1:
        raise UserError(
            "{archive} holds {count} checkpoints. Pack one of them alone.", archive=archive.name, count=len(found)
        )
    if not found and pickles:
        raise _pickle(f"{archive.name}/{min(pickles)}")
    if not found:
        raise UserError(
            "{archive} holds no checkpoint: config.json and model.safetensors must lie together, at its top or in one "
            "folder. Pack them again.",
            archive=archive.name,
        )  # fmt: skip
    (folder,) = found
    title = archive.stem.removesuffix(".tar") if folder == out else folder.name
    # Away from what else the archive may hold.
    alone = out.with_name("alone")
    alone.mkdir()
    return folder.rename(alone / made_plain(title))


def _check(folder: Path) -> None:
    """Raises `UserError` unless it is a whole checkpoint, which costs the memory of its weights once."""
    read_config(folder)
    header_of(folder / WEIGHTS_FILE)
    load_checkpoint(folder)


def _without(folder: Path, error: UserError, shown: str) -> UserError:
    """The same sentence with `shown` for a hidden folder, which is gone when somebody reads it."""

    def told(value: object) -> object:
        if isinstance(value, UserError):
            return _without(folder, value, shown)
        return str(value).replace(str(folder), shown) if isinstance(value, str | Path) else value

    return type(error)(error.template, **{field: told(value) for field, value in error.fields.items()})


def _tidy(folder: Path) -> None:
    """A card where there is none, and no more pictures than a card shows."""
    for picture in sample_pictures(folder)[MOST_PICTURES:]:
        picture.unlink()
    for picture in sample_pictures(folder):
        if picture.stat().st_size > MAX_PICTURE_BYTES:
            picture.unlink()
    card = folder / CARD_FILE
    if not card.is_file() or card.stat().st_size > LONGEST_CARD:
        card.write_text(model_card(folder.name, read_config(folder)), "utf-8")
    for path in (*folder.rglob("*"), folder):
        sync(path)


def _placed(folder: Path, checkpoints: Path, wanted: str) -> Path:
    for place in places(checkpoints, wanted or folder.name):
        if wanted and place.name != wanted:
            raise _taken(wanted)
        try:
            rename_checkpoint(folder, place)
            break
        except FileExistsError:  # somebody was quicker
            continue
    sync(checkpoints)
    return place


def _taken(name: str) -> UserError:
    return UserError("There is a checkpoint {name} already. Choose another name.", name=name)


def _no_archive(archive: Path) -> UserError:
    try:
        with archive.open("rb") as file:
            head = file.read(2)
    except FileNotFoundError:
        return UserError("{file} does not exist. Check the path.", file=archive)
    except OSError as error:
        return UserError("{file} cannot be read ({reason}).", file=archive.name, reason=error.strerror or error)
    if head[:1] == b"\x80" and head[1:] <= b"\x05":  # the mark of pickle, and its version
        return _pickle(archive.name)
    return UserError(
        "{archive} is no zip or tar file. Choose one that holds config.json and model.safetensors.",
        archive=archive.name,
    )


def _pickle(file: str) -> UserError:
    return UserError(
        "{file} is a pickle file, which could run any program when it is opened. Save the weights as safetensors and "
        "pack them with their config.json.",
        file=file,
    )  # fmt: skip
