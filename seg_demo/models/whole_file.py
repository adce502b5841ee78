"""A file that is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from seg_demo.errors import UserError


@contextlib.contextmanager
def whole_file(target: Path, suffix: str = "") -> Iterator[Path]:
    """Where to write what takes the place of `target` at the end: a hidden file beside it.

    suffix: of that one, by default that of `target`. After an error nothing is left of it, and what was at `target` is
    still there. Raises `UserError` where the disk does not let us.
    """
    # Of a long name only the beginning, as names end at 255 bytes.
    staging = target.parent / (f".{target.stem[:40]}.{secrets.token_hex(4)}{suffix or target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield staging
        with staging.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(staging, target)
    except OSError as error:
        raise UserError(
            "{file} could not be written ({reason}). Free some space or choose another folder.",
            file=target, reason=error.strerror or error,
        ) from None  # fmt: skip
    finally:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)
