"""Repairs: a checked folder -> a new one, in this project's layout, in which the mistakes are mended."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.check.checking import Checked
from seg_demo.data.check.finding import KINDS, LABELS_LEFT_OUT, LEFT_OUT, Finding
from seg_demo.data.check.pictures import is_turned
from seg_demo.data.check.values import number_totals, smeared_ids
from seg_demo.data.folder import LabelledFolder, open_folder
from seg_demo.data.images import TURNS
from seg_demo.data.listing import Pair
from seg_demo.data.masks import Decoding, LabelFile, read_label_file, unpack_color
from seg_demo.data.survey import ImageFacts, LabelFacts, Look, Progress
from seg_demo.data.writer import DataSetWriter
from seg_demo.errors import UserError
from seg_demo.registry import look_up

_LEAVING_OUT = tuple(kind for kind, known in KINDS.items() if known.repair in (LEFT_OUT, LABELS_LEFT_OUT))


@dataclass(frozen=True)
class Repaired:
    """What was written. mended: how many files each kind of repair touched. left_out: files that were not taken."""

    out: Path
    written: int
    mended: Mapping[str, int]
    left_out: tuple[str, ...]


def repairs_of(findings: Iterable[Finding]) -> dict[str, str]:
    """The repairs that can be chosen: kind of finding -> what is done."""
    return {found.kind: found.repair for found in findings if found.repair}


def repair(
    checked: Checked, out: Path, chosen: Collection[str] | None = None, progress: Progress | None = None
) -> Repaired:
    """Write the data set to `out` with the repairs in `chosen`, kinds of findings; None for those that are made by
    default: all but the ones by which good label maps or pictures could be lost.

    The original stays as it is. Splits and classes are written down. A picture that cannot be used without a repair
    that was not chosen is left out. Raises `UserError` for a kind without a repair here, or where `out` is in use, lies
    in the data set, or nothing would be left.
    """
    root = checked.folder.listing.root
    for folder in (root, Path(checked.report.folder)):  # the second may be further out
        if out.resolve().is_relative_to(folder.resolve()):
            raise UserError("{out} lies in {folder} itself. Name a folder outside of it.", out=out, folder=folder)
    for found in checked.report.findings:
        if found.severity == "error" and not found.repair and not found.files:  # it concerns all pictures
            raise UserError("{folder} cannot be repaired: {why}", folder=checked.report.folder, why=found.sentence)
    possible = repairs_of(checked.report.findings)
    for kind in chosen or ():
        look_up("repair for this data set", possible, kind)
    wanted = {kind for kind in possible if KINDS[kind].by_default} if chosen is None else set(chosen)
    plan = _Plan(checked, wanted)
    mended: Counter[str] = Counter()
    left_out: list[str] = []
    with DataSetWriter(out, checked.report.classes) as writer:
        for done, look in enumerate(plan.looks, 1):
            label_map, touched = plan.mended(look) if plan.keeps(look) else (None, [])
            if label_map is None or look.pair.image is None:
                left_out += plan.names(look)[:1]
            else:
                writer.add(look.pair.split, look.pair.name, look.pair.image, label_map)
                mended.update(touched)
            if progress:
                progress(done, len(plan.looks))
        if not writer.count:
            raise UserError(
                "No picture of {folder} would be left after the repair. Mend its files first; the check names them.",
                folder=checked.report.folder,
            )
    return Repaired(out, writer.count, dict(mended), tuple(left_out))


class _Plan:
    """What happens to which picture."""

    def __init__(self, checked: Checked, wanted: set[str]) -> None:
        self.folder = checked.folder
        self.by_kind: dict[str, set[str]] = defaultdict(set)
        for found in checked.report.findings:
            if found.kind in wanted and found.repair:
                # Of equal pictures the first that is named stays.
                self.by_kind[found.kind] |= set(found.files[1:] if found.kind == "same-picture" else found.files)
        # What is wrong and not mended must not get into the copy.
        self.spoiled = {
            name for found in checked.report.findings if found.severity == "error" and found.kind not in self.by_kind
            for name in found.files
        }  # fmt: skip
        self.looks: tuple[Look, ...] = self.folder.looks
        if "swapped" in self.by_kind:
            self.folder = _swapped(self.folder)
            self.looks = self.folder.looks
        self.totals = number_totals(self.folder)

    def names(self, look: Look) -> list[str]:
        return [self.folder.listing.shown(path) for path in (look.pair.image, look.pair.label) if path]

    def keeps(self, look: Look) -> bool:
        going = self.spoiled | {name for kind in (*_LEAVING_OUT, "same-picture") for name in self.by_kind.get(kind, ())}
        if look.pair.split == "train":
            going |= self.by_kind["leak"]
        readable = isinstance(look.image, ImageFacts) and isinstance(look.label, LabelFacts)
        return readable and not going & set(self.names(look))

    def mended(self, look: Look) -> tuple[np.ndarray | None, list[str]]:
        """The label map (H, W) of a picture and the repairs it took; None where it still cannot be used."""
        image, label, path = look.image, look.label, look.pair.label
        assert isinstance(image, ImageFacts) and isinstance(label, LabelFacts) and path
        name = self.folder.listing.shown(path)
        mine = {kind for kind, names in self.by_kind.items() if name in names}
        file, decoding = read_label_file(path, name=name), self.folder.reading.decoding
        touched = mine & {"lossy-label", "ids-from-one", "stray-values", "smeared-values", "unknown-values"}
        if "ids-from-one" in mine:
            shifted = {value + 1: class_id for value, class_id in decoding.numbers.items() if class_id != IGNORE_INDEX}
            decoding = replace(decoding, numbers=shifted | {IGNORE_INDEX: IGNORE_INDEX})
        ids, unknown = decoding.look_up(file)
        if "lossy-label" in mine:
            ids, unknown = nearest_ids(file, decoding), np.zeros(ids.shape, bool)
        values = decoding.values(file)
        strays = self.folder.reading.strays.get(decoding.domain(file.kind), frozenset())
        if "stray-values" in mine:
            holes = unknown & np.isin(values, np.fromiter(strays, np.int64))
            ids, unknown = filled(ids, holes), unknown & ~holes
        if "smeared-values" in mine:
            ids = filled(ids, np.isin(ids, smeared_ids(self.folder, label, self.totals)))
        if "unknown-values" in mine:
            unknown = np.zeros(ids.shape, bool)  # they are the ignore index already
        if "rotated" in self.by_kind and is_turned(look, image, label):
            ids, unknown = (turned(each, image.orientation) for each in (ids, unknown))
            touched.add("rotated")
        if ids.shape != image.size and (touched | mine) & {"rotated", "size-scaled"}:
            ids, unknown = (resized(each, image.size) for each in (ids, unknown))
            touched |= mine & {"size-scaled"}
        usable = not unknown.any() and ids.shape == image.size
        return (ids, sorted(touched)) if usable else (None, [])


def _swapped(folder: LabelledFolder) -> LabelledFolder:
    """The same folder with images and label files in each other's place, looked at again."""
    pairs = tuple(Pair(pair.name, pair.label, pair.image, pair.split) for pair in (look.pair for look in folder.looks))
    return open_folder(folder.listing.root, listing=replace(folder.listing, pairs=pairs), labels_only=False)


def nearest_ids(file: LabelFile, decoding: Decoding) -> np.ndarray:
    """(H, W) uint8: the id of the known value nearest to each pixel's, for what a lossy format has changed."""
    domain = decoding.domain(file.kind)
    pixels, table = decoding.values(file), decoding.table(domain)
    values, places = np.unique(pixels, return_inverse=True)
    # Ignored values are left aside: a white object must not become ignored by being nearly white.
    known = [value for value, class_id in table.items() if class_id != IGNORE_INDEX]
    if domain == "number":
        distances = np.abs(values[:, None].astype(np.int64) - np.array(known)[None])
        nearest = distances.argmin(1)
    else:
        ends = np.array([unpack_color(value) for value in known], np.float32)  # (M, 3)
        nearest = np.empty(len(values), np.int64)
        for start in range(0, len(values), 4096):
            points = np.array([unpack_color(int(value)) for value in values[start : start + 4096]], np.float32)
            nearest[start : start + 4096] = np.linalg.norm(points[:, None] - ends[None], axis=-1).argmin(1)
    ids = np.array([table[value] for value in known], np.uint8)
    return ids[nearest][places.reshape(pixels.shape)]


def filled(ids: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """(H, W) uint8 with the pixels of `holes`, (H, W) bool, filled from their borders inwards; 255 if all are holes."""
    if holes.all():
        return np.full_like(ids, IGNORE_INDEX)
    if not holes.any():
        return ids
    rows, columns = np.flatnonzero(holes.any(1)), np.flatnonzero(holes.any(0))
    # What is around the holes is all that is needed.
    part = np.s_[max(rows[0] - 1, 0) : rows[-1] + 2, max(columns[0] - 1, 0) : columns[-1] + 2]
    ids = ids.copy()
    ids[part] = _grown(ids[part], holes[part].copy())
    return ids


def _grown(ids: np.ndarray, holes: np.ndarray) -> np.ndarray:
    ids = ids.copy()
    down, up = (np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])
    right, left = (np.s_[:, 1:], np.s_[:, :-1]), (np.s_[:, :-1], np.s_[:, 1:])
    while holes.any():
        known, before = ~holes, ids.copy()
        for to, source in (down, up, right, left):
            reached = holes[to] & known[source]
            ids[to][reached] = before[source][reached]
            holes[to][reached] = False
    return ids


def turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W) as stored -> upright, by an EXIF orientation of 2 to 8."""
    return np.asarray(Image.fromarray(array).transpose(TURNS[orientation]))


def resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) -> `size`, height and width, by nearest."""
    return np.asarray(Image.fromarray(array).resize((size[1], size[0]), Image.Resampling.NEAREST))
