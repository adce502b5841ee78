"""What of a checkpoint goes to the Hub: a clean folder with just these files."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from seg_demo.checkpoint import Checkpoint
from seg_demo.checkpoint.card import model_card
from seg_demo.checkpoint.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from seg_demo.checkpoint.unfinished import unfinished
from seg_demo.errors import UserError
from seg_demo.hub.files import LocalFile, local_file
from seg_demo.hub.pictures import sample_pictures


@contextlib.contextmanager
def staged(
    folder: Path, checkpoint: Checkpoint, repo: str, licence: str, pictures: Sequence[Path]
) -> Iterator[Mapping[str, LocalFile]]:
    """The files to push by their names there, in a folder that is gone afterwards.

    Config and weights are copies: what changes meanwhile is not pushed half. pictures: photos for the card. Raises
    `UserError`.
    """
    try:
        with unfinished("seg_demo-push-", Path(tempfile.gettempdir())) as staging:
            for name in (CONFIG_FILE, WEIGHTS_FILE):
                shutil.copyfile(folder / name, staging / name)
            samples = sample_pictures(checkpoint, pictures, staging)
            card = model_card(checkpoint.name, checkpoint.config, repo=repo, licence=licence, pictures=samples)
            (staging / CARD_FILE).write_text(card, "utf-8")
            names = (CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, *samples)
            yield {name: local_file(staging / name, name) for name in names}
    except OSError as error:
        raise UserError(
            "The files to push could not be prepared ({reason}). Free some space and try again.",
            reason=error.strerror or error,
        ) from None  # fmt: skip
