"""Text files that name the pictures of a split, one a line."""

from __future__ import annotations

from pathlib import Path

from seg_demo.errors import UserError

MAX_BYTES = 1 << 24


def read_list(path: Path) -> list[str]:
    """The names, without empty lines and repetitions. Raises `UserError` for what is no such text."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError("{path} is larger than 16 MB, which no list of pictures is. Check the file.", path=path)
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError("{path} is not text in UTF-8. Save it as UTF-8.", path=path) from None
    except OSError as error:
        raise UserError(
            "{path} cannot be read ({reason}). Check its permissions.", path=path, reason=error.strerror
        ) from None
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))
