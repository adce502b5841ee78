"""What the first step is made of: what is brought on the left, what the check says of it on the right."""

from __future__ import annotations

import gradio as gr

from seg_demo.ui.finetune.folder_picker import FolderPicker
from seg_demo.ui.fragment import Fragment
from seg_demo.ui.i18n import text
from seg_demo.ui.status import StatusRow
from seg_demo.ui.visitors import Visitors


class PicturesForm:
    """Builds the components inside the `gr.Blocks` that is being built; nothing of it answers yet.

    visitors: whose data set it is. status: the line that tells how it goes.
    """

    def __init__(self, visitors: Visitors, status: StatusRow) -> None:
        self.visitors, self.status = visitors, status
        with gr.Row(elem_classes="finetune-tab"):
            with gr.Column(scale=1, min_width=280):
                self._build_bring()
            with gr.Column(scale=3, min_width=320):
                self.welcome = gr.Markdown(text("bring_about"), elem_id="ft-welcome")
                with gr.Column(elem_id="ft-results"):
                    self._build_results()
        self.brought = gr.State([])  # files that were uploaded last, also if they could not be checked
        self.bench = gr.State(None)

    def _build_bring(self) -> None:
        self.files = gr.File(label=text("bring_files"), file_count="multiple", height=170, elem_id="ft-files")
        self.folder = FolderPicker(elem_id="ft-folder")
        self.example = gr.Button(text("bring_example"), size="sm", elem_id="ft-example")
        with gr.Accordion(text("bring_otherwise"), open=False, elem_id="ft-otherwise"):
            self.count = gr.Slider(6, 200, 40, step=2, label=text("draw_count"), elem_id="ft-count")
            self.draw = gr.Button(text("draw_newts"), size="sm", elem_id="ft-draw")
            self.fetch = gr.Button(text("fetch_newts"), size="sm", elem_id="ft-fetch")
            # Whoever may name a folder may read it.
            local = not self.visitors.public
            self.path = gr.Textbox(
                label=text("server_path"), info=text("server_path_info"), visible=local, elem_id="ft-path"
            )
            self.take = gr.Button(text("take_path"), size="sm", visible=local, elem_id="ft-take")
        with gr.Accordion(text("bring_more"), open=False, elem_id="ft-more"):
            self.names = gr.Textbox(
                label=text("class_names"), info=text("class_names_info"), lines=4, max_lines=12, elem_id="ft-names"
            )
            self.order = gr.Textbox(
                label=text("painting_order"), info=text("painting_order_info"), lines=2, elem_id="ft-order"
            )
            self.again = gr.Button(text("check_again"), size="sm", elem_id="ft-again")

    def _build_results(self) -> None:
        # The style sheet hides what is empty.
        self.verdict = Fragment(elem_id="ft-verdict")
        self.next = gr.Button(text("to_start"), variant="primary", visible=False, elem_id="ft-to-start")
        with gr.Column(elem_id="ft-mended-box"):
            self.mended = Fragment(elem_id="ft-mended")
            with gr.Row(elem_classes="ft-buttons"):
                self.download = gr.DownloadButton(
                    text("download_copy"), variant="primary", size="sm", elem_id="ft-download"
                )
                self.back = gr.Button(text("back"), size="sm", elem_id="ft-back")
        with gr.Row():
            with gr.Column(scale=3, min_width=300, elem_id="ft-findings"):
                with gr.Column(elem_id="ft-repair-box"):
                    self.choices = gr.CheckboxGroup([], label=text("repairs"), elem_id="ft-choices")
                    self.repair = gr.Button(text("repair"), variant="primary", size="sm", elem_id="ft-repair")
                self.cards = Fragment(elem_id="ft-cards")
            with gr.Column(scale=2, min_width=300):
                self.gallery = gr.Gallery(
                    label=text("look"), height="auto", object_fit="contain", interactive=False,
                    buttons=["fullscreen"], elem_id="ft-gallery",
                )  # fmt: skip
                self.classes = Fragment(elem_id="ft-classes")
                with gr.Accordion(text("edit_classes"), open=False, elem_id="ft-edit"):
                    self.edit = gr.Textbox(
                        label=text("class_names"), info=text("edit_classes_info"), lines=4, max_lines=16,
                        elem_id="ft-edit-names",
                    )  # fmt: skip
                    self.rename = gr.Button(text("use_names"), size="sm", elem_id="ft-use-names")
                with gr.Accordion(text("why"), open=False, elem_id="ft-why"):
                    self.reasons = Fragment(elem_id="ft-reasons")
