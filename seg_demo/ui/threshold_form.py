"""What the Threshold tab is made of: picture and model on the left, the laboratory and what is saved on the right."""

from __future__ import annotations

import gradio as gr

from seg_demo.ui.i18n import text
from seg_demo.ui.lab import ThresholdLab
from seg_demo.ui.save_panel import SavePanel
from seg_demo.ui.segment import ModelPicker, SegmentTab
from seg_demo.ui.status import StatusRow
from seg_demo.ui.uploads import PictureInput


class ThresholdForm:
    """Builds the components inside the `gr.Blocks` that is being built; nothing of it answers yet.

    segment: the tab whose picture can be taken over.
    """

    def __init__(self, segment: SegmentTab) -> None:
        self.segment = segment
        self.status = StatusRow("th")
        with gr.Row(elem_classes="threshold-tab"):
            with gr.Column(scale=1, min_width=280):
                self._build_subject()
            with gr.Column(scale=3, min_width=320):
                self.lab = ThresholdLab(elem_id="lab")
                self.saves = SavePanel(self.status)
        self.look = gr.State(None)  # Look | None
        self.value = gr.State(None)  # LabValue | None: what the laboratory holds

    def _build_subject(self) -> None:
        default = self.segment.default_model()
        self.model = ModelPicker(
            self.segment.model_choices(), value=default, label=text("model"), elem_id="th-model"
        )  # fmt: skip
        self.class_name = ModelPicker(
            [], label=text("th_class"), info=text("th_class_info"), visible=False, elem_id="th-class"
        )
        self.take = gr.Button(text("th_take"), size="sm", elem_id="th-take")
        self.picture = PictureInput(
            label=text("picture"), type="filepath", sources=["upload", "webcam", "clipboard"], height=180,
            buttons=[], elem_id="th-picture",
        )  # fmt: skip
        self.examples = gr.Gallery(
            self.segment.example_files(default), label=text("examples"), columns=3, height="auto",
            object_fit="cover", interactive=False, allow_preview=False, buttons=[], elem_id="th-examples",
            elem_classes="examples",
        )  # fmt: skip
        with gr.Accordion(text("th_labels"), open=False, elem_id="th-labels-box"):
            gr.Markdown(text("th_labels_about"))
            self.drawn_labels = gr.Button(text("th_drawn_labels"), size="sm", visible=False, elem_id="th-drawn-labels")
            self.labels = gr.File(
                label=text("th_label_map"), file_count="single", height=110, elem_id="th-labels"
            )  # fmt: skip
        with gr.Accordion(text("th_data"), open=False, elem_id="th-data-box"):
            gr.Markdown(text("th_data_about"))
            self.split = gr.Radio(["val", "test", "train"], value="val", label=text("th_split"), elem_id="th-split")
            self.of_bench = gr.Button(text("th_of_bench"), size="sm", elem_id="th-bench")
            self.of_example = gr.Button(text("th_of_example"), size="sm", elem_id="th-example-data")
            self.archive = gr.File(label=text("th_archive"), file_count="single", height=110, elem_id="th-archive")
