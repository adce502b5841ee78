"""The check of labelled pictures for programs."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.ui.finetune.bench import bring, report_of
from seg_demo.ui.i18n import explain, language_of, say


class CheckApi:
    """The endpoint `/check`, which has no widgets that are seen; built inside the `gr.Blocks` that is being built."""

    def __init__(self, at_once: int) -> None:
        archive = gr.File(label="archive", visible=False)
        names = gr.Textbox("", label="class_names", visible=False)
        report = gr.JSON(label="report", visible=False)
        gr.Button(visible=False).click(
            self.check_archive, [archive, names], report, api_name="check", concurrency_id="check",
            concurrency_limit=at_once,
        )  # fmt: skip

    def check_archive(self, archive: str, class_names: str, request: gr.Request) -> dict[str, Any]:
        """Check a zip or tar of labelled pictures.

        class_names: one a line in the order of the ids, or nothing. Returns the report: whether training may start,
        classes with their shares, splits, and what was found, with the files and the repair of each finding.
        """
        if not archive:
            raise gr.Error(say("nothing_brought", language_of(request)), print_exception=False)
        try:
            with tempfile.TemporaryDirectory(prefix="seg_demo-check-") as home:
                return report_of(bring([Path(archive)], Path(home), class_names or "", ""))
        except UserError as error:
            raise gr.Error(explain(error, language_of(request)), print_exception=False) from None
        except Exception:
            logging.getLogger(__name__).exception("A check failed.")
            raise gr.Error(say("check_failed", language_of(request)), print_exception=False) from None
