"""The endpoint /threshold for programs: what the Threshold tab does with a picture, in one call."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.mask import chosen_threshold, mask_figures
from seg_demo.infer.planes import Planes
from seg_demo.infer.segmentation import threshold_level
from seg_demo.ui.i18n import explain, language_of, say
from seg_demo.ui.looking import Look, predicted, state_of, subject_of
from seg_demo.ui.save_panel import cached
from seg_demo.ui.saving import Order, saved
from seg_demo.ui.uploads import FileInput
from seg_demo.viz.figure import Captions


class ThresholdApi:
    """Builds the endpoint inside the `gr.Blocks` that is being built. It has no widgets of its own."""

    def __init__(self, planes: Planes, model: str) -> None:
        """model: the name of the one that is taken where none is given."""
        self.planes = planes
        picture = FileInput(label="picture", visible=False)
        inputs = [
            picture,
            gr.Textbox(model, label="model", visible=False),
            gr.Textbox("", label="class_name", visible=False),
            gr.Textbox("", label="method", visible=False),
            gr.Number(0, label="smallest_object", precision=0, visible=False),
            gr.Number(0, label="smallest_hole", precision=0, visible=False),
            gr.Number(None, label="threshold", visible=False),
            gr.Number(None, label="low", visible=False),
            FileInput(label="labels", visible=False),
        ]
        self.mask = gr.File(label="mask", visible=False)
        figures = gr.JSON(label="figures", visible=False)
        gr.Button(visible=False).click(
            self.threshold, inputs, [self.mask, figures], api_name="threshold", concurrency_id="predict"
        )

    def threshold(
        self,
        picture: str,
        model: str,
        class_name: str,
        method: str,
        smallest_object: int,
        smallest_hole: int,
        # Gradio's clients may leave out what is None here.
        threshold: float | None = None,
        low: float | None = None,
        labels: str | None = None,
        request: gr.Request = None,  # type: ignore[assignment]  # Gradio gives it
    ) -> tuple[str, dict[str, Any]]:
        """Make a mask of a picture by a threshold.

        class_name: of a multiclass model; "" for the largest one besides the background. method: how the threshold is
        chosen: half, otsu, li, triangle, keep:10, and with labels best-f1, best-iou, best-mean-iou, best-accuracy,
        precision:0.9, recall:0.95. threshold: instead of a method; with neither, the checkpoint's own. low: the lower
        one of two thresholds. smallest_object, smallest_hole: in pixels. labels: a label file of the picture.
        Returns the mask as PNG (0 and 255) and its figures: threshold, level, pixels, share, objects, largest, and with
        labels precision, recall, f1 and iou.
        """
        language = language_of(request)
        try:
            if not picture:
                raise UserError("There is no picture here any more. Bring one first.")
            look, prediction = predicted(self.planes, Look(picture, model, class_name, labels or None))
            subject = subject_of(look, prediction)
            if method and threshold is not None:
                raise UserError("A method chooses a threshold, and one is given as well. Leave out either.")
            sizes = {"smallest_object": smallest_object, "smallest_hole": smallest_hole}
            filters = state_of({"threshold": 1.0, "low": low, **sizes})
            if method:
                chosen = chosen_threshold(Choice.parse(method), subject.plane, subject.label_map, filters)
            else:
                chosen = state_of({"threshold": subject.threshold if threshold is None else threshold}).threshold
            binarisation = replace(filters, threshold=chosen)
            told = {"model": model, "class": look.class_name, "threshold": chosen, "level": threshold_level(chosen)}
            figures = mask_figures(binarisation.mask(subject.plane), subject.label_map)
            with tempfile.TemporaryDirectory() as folder:
                file = saved("mask", Order(look, binarisation, Captions()), self.planes, Path(folder))
                return cached(file), told | figures
        except UserError as error:
            raise gr.Error(explain(error, language), print_exception=False) from None
        except Exception:
            logging.getLogger(__name__).exception("A threshold failed.")
            raise gr.Error(say("failed", language), print_exception=False) from None
