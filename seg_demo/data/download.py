"""Fetching the data sets that may be fetched: a folder is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from seg_demo.data.new_folder import NewFolder
from seg_demo.data.survey import Progress
from seg_demo.errors import UserError
from seg_demo.registry import look_up

NEWTS_URL = "https://raw.githubusercontent.com/yoyoyo-yo/DeepLearningMugenKnock/master/Dataset"
NEWTS_PHOTOS = {"train": range(1, 9), "test": range(9, 12)}
NEWTS_FOLDERS = {"images": ".jpg", "seg_images": ".png"}
NEWTS_FILES = tuple(
    f"{split}/{folder}/{species}/{species}_{number:04}{suffix}"
    for split, numbers in NEWTS_PHOTOS.items()
    for folder, suffix in NEWTS_FOLDERS.items()
    for species in ("akahara", "madara")
    for number in numbers
)

TIMEOUT = 30  # seconds without a byte
MAX_BYTES = 1 << 25  # of one picture
_SIGNATURES = {".jpg": b"\xff\xd8", ".png": b"\x89PNG"}


def download(name: str, out: Path, progress: Progress | None = None) -> Path:
    """Fetch the data set "newts" (44 files, MIT) or "voc2012" (2 GB) into the folder `out`, which is returned.

    Everything goes into a hidden folder beside `out`, which takes the name at the end; after an error nothing is left.
    progress is called with (files done, files in all). Raises `UserError` where `out` exists and is not empty, where
    the network or the server fails, and where the disk refuses.
    """
    fetch = look_up("data set to download", DOWNLOADS, name)
    folder = NewFolder(out)
    try:
        with folder:
            fetch(folder.staging, progress or (lambda done, total: None))
    except OSError as error:
        raise folder.refused(error) from None
    return out


def _fetch_newts(folder: Path, progress: Progress) -> None:
    for done, name in enumerate(NEWTS_FILES):
        progress(done, len(NEWTS_FILES))
        url = f"{NEWTS_URL}/{name}"
        with _network(url), urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            data = answer.read(MAX_BYTES + 1)
            if len(data) < int(answer.headers.get("Content-Length") or 0) <= MAX_BYTES:
                raise ConnectionError("the answer broke off")
        if not data.startswith(_SIGNATURES[Path(name).suffix]) or len(data) > MAX_BYTES:
            raise UserError("{url} is not the picture it should be. Check whether a proxy answers instead.", url=url)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    progress(len(NEWTS_FILES), len(NEWTS_FILES))


def _fetch_voc(folder: Path, progress: Progress) -> None:
    from torchvision.datasets import VOCSegmentation

    progress(0, 1)
    with _network("PASCAL VOC 2012"), _default_timeout():
        VOCSegmentation(str(folder), year="2012", image_set="trainval", download=True)
    for archive in folder.glob("*.tar"):  # 2 GB that nobody needs once it is unpacked
        archive.unlink()
    progress(1, 1)


@contextlib.contextmanager
def _network(what: str) -> Iterator[None]:
    """Whatever goes wrong between here and the server becomes a sentence; trouble with the disk passes."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise UserError(
            "The server answers {code} for {what}. Try again later, or fetch the data set by hand.",
            code=error.code, what=what,
        ) from None  # fmt: skip
    except (urllib.error.URLError, TimeoutError, http.client.HTTPException, ConnectionError) as error:
        raise UserError(
            "{what} could not be fetched ({reason}). Check the network and try again.",
            what=what, reason=getattr(error, "reason", None) or error or type(error).__name__,
        ) from None  # fmt: skip
    except RuntimeError:  # torchvision, after comparing checksums
        raise UserError("{what} arrived damaged. Try again.", what=what) from None


@contextlib.contextmanager
def _default_timeout() -> Iterator[None]:
    """torchvision's download waits for ever, unless sockets are told not to."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


DOWNLOADS: dict[str, Callable[[Path, Progress], None]] = {"newts": _fetch_newts, "voc2012": _fetch_voc}
