"""A folder that is there as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from seg_demo.errors import UserError

Own = TypeVar("Own", bound="NewFolder")


class NewFolder:
    """A context manager: what is written to `staging`, a hidden folder beside `out`, takes the name `out` at the end.

    After an error nothing is left. Raises `UserError` where `out` exists and is not empty, or where the disk refuses.
    """

    def __init__(self, out: Path) -> None:
        self.out = out

    def __enter__(self: Own) -> Own:
        must_be_free(self.out)
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.staging = Path(tempfile.mkdtemp(prefix=f".{self.out.name}.", dir=self.out.parent))
        except OSError as error:
            raise self.refused(error) from None
        return self

    def finish(self) -> None:
        """What is to be written last, if all went well."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
                self.staging.chmod(0o755)  # mkdtemp makes it private
                if self.out.is_dir():
                    self.out.rmdir()
                os.replace(self.staging, self.out)
        except OSError as failure:
            raise self.refused(failure) from None
        finally:
            shutil.rmtree(self.staging, ignore_errors=True)

    def refused(self, error: OSError) -> UserError:
        return UserError(
            "{folder} could not be written ({reason}). Free some space or name another folder.",
            folder=self.out, reason=error.strerror or error,
        )  # fmt: skip


def must_be_free(out: Path) -> None:
    """Raises `UserError` where `out` exists and is not an empty folder."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError("{folder} is there already and is not empty. Name a new folder.", folder=out)
