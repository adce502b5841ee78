"""Finding: the folders of images and of label maps have changed places."""

from __future__ import annotations

from collections.abc import Iterator

from seg_demo.data.check.finding import Finding, finding
from seg_demo.data.check.pictures import image_name, readable
from seg_demo.data.folder import LabelledFolder
from seg_demo.data.survey import look_at_label

LOOKED_AT = 5


def check_swapped(folder: LabelledFolder) -> Iterator[Finding]:
    """When nearly all label files are photos and the images are not."""
    rows = list(readable(folder.looks))
    photos = [look for look, _, label in rows if label.is_photo]
    if len(photos) < max(1, 0.8 * len(rows)):
        return
    if any(look_at_label(look.pair.image).is_photo for look in photos[:LOOKED_AT] if look.pair.image):
        return
    yield finding(
        "swapped",
        "The files that should be label maps are photos, and the images are label maps: {files}. Let the two folders "
        "change places.",
        tuple(image_name(folder, look.pair) for look, _, _ in rows),
    )
