"""The data-set layouts by name, how the one of a folder is recognised, and data sets that need no folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seg_demo.data.dataset import DataSet
from seg_demo.data.layouts import ade20k, camvid, cityscapes, folders, newts, sbd, voc
from seg_demo.data.listing import SPLITS, Listing, Tree, is_picture
from seg_demo.errors import Sentence, UserError
from seg_demo.registry import look_up


@dataclass(frozen=True)
class Layout:
    """A way of laying out images and label files in a folder.

    title: for people. shape: what the folder looks like. find: the listing of a tree that has this layout, else None.
    """

    title: str
    shape: str
    find: Callable[[Tree], Listing | None]


# The particular ones first: the last takes nearly everything.
LAYOUTS: dict[str, Layout] = {
    "newts": Layout(Sentence("newts of the Deep Learning Mugen Knock"), newts.SHAPE, newts.find),
    "voc": Layout("PASCAL VOC 2012", voc.SHAPE, voc.find),
    "sbd": Layout("Semantic Boundaries Dataset", sbd.SHAPE, sbd.find),
    "cityscapes": Layout("Cityscapes", cityscapes.SHAPE, cityscapes.find),
    "camvid": Layout("CamVid (SegNet)", camvid.SHAPE, camvid.find),
    "ade20k": Layout(Sentence("ADE20K scene parsing"), ade20k.SHAPE, ade20k.find),
    "folders": Layout(Sentence("images and label maps in folders"), folders.SHAPE, folders.find),
}


def find_listing(root: Path, layout: str = "auto") -> Listing:
    """What the folder `root` holds, by the first layout that recognises it, or by the one that is named.

    Where all pictures lie in one folder inside `root`, as archives have it, that folder is tried as well. Raises
    `UserError` where nothing is recognised, telling what was looked for.
    """
    chosen = LAYOUTS if layout == "auto" else {layout: look_up("data-set layout", LAYOUTS, layout)}
    trees = [Tree(root)]
    while inner := _only_folder(trees[-1]):
        trees.append(Tree(inner))
    for entry in chosen.values():
        for tree in trees:
            if listing := entry.find(tree):
                return listing
    if layout != "auto":
        raise UserError(
            "{folder} does not have the layout {layout}, which looks like this: {shape}. Leave the layout out to have "
            "it recognised.",
            folder=root, layout=layout, shape=LAYOUTS[layout].shape,
        )  # fmt: skip
    count = sum(map(is_picture, trees[0].files))
    if not count:
        raise UserError("{folder} holds no pictures. Give the folder of the images and their label maps.", folder=root)
    raise UserError(
        "{folder} holds {count} pictures, but no label maps that belong to them. Put label maps of the same names "
        "beside them, such as images/ and masks/, or polygons.",
        folder=root, count=count,
    )  # fmt: skip


def _only_folder(tree: Tree) -> Path | None:
    """The folder directly in a tree that holds all of its pictures."""
    inner = {path.parts[0] if len(path.parts) > 1 else None for path in tree.files if is_picture(path)}
    only = inner.pop() if len(inner) == 1 else None
    return tree.path(only) if only else None


def _drawn(rest: str) -> Callable[[str], DataSet]:
    from seg_demo.data.procedural import ProceduralNewts

    if not (rest.isascii() and rest.isdigit() and 1 <= int(rest[:9]) <= MAX_DRAWN):
        raise UserError(
            'A drawn data set is named "procedural:COUNT" with 1 to {limit} pictures, not "procedural:{rest}". '
            "Give a number.",
            limit=MAX_DRAWN, rest=rest,
        )  # fmt: skip
    seeds = {name: seed for seed, name in enumerate(SPLITS)}
    return lambda split: ProceduralNewts(int(rest), seed=look_up("split", seeds, split))


def _from_hub(rest: str) -> Callable[[str], DataSet]:
    from seg_demo.data.hub import load_hub

    return load_hub(rest).split


MAX_DRAWN = 100_000

SOURCES: dict[str, Callable[[str], Callable[[str], DataSet]]] = {"procedural": _drawn, "hub": _from_hub}
"""Data sets that are no folders, by what stands before the colon: what opens what stands behind it."""


def named_splits(source: str) -> Callable[[str], DataSet] | None:
    """What gives each split of "procedural:200" or "hub:OWNER/NAME"; None for what is the name of a folder.

    The splits of drawn pictures are drawn with different seeds. Raises `UserError` where the source cannot be opened,
    and so does the call for a split that it has not.

    >>> len(named_splits("procedural:3")("train"))
    3
    """
    kind, colon, rest = source.partition(":")
    return SOURCES[kind](rest) if colon and kind in SOURCES else None
