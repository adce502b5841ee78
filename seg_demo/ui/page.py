"""The page: its frame, its tabs, and how it is served."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from seg_demo.errors import UserError
from seg_demo.infer.lent import begin_lending, zero_gpu
from seg_demo.infer.library import Library
from seg_demo.jobs.queue import Queue
from seg_demo.jobs.slices import SliceRunner
from seg_demo.jobs.workspace import Workspaces
from seg_demo.ui.checkpoints.tab import CheckpointsTab
from seg_demo.ui.finetune import limits
from seg_demo.ui.finetune.tab import FineTuneTab
from seg_demo.ui.i18n import I18N, text
from seg_demo.ui.segment import EVERYDAY_EXAMPLES, SegmentTab
from seg_demo.ui.theme import CSS, THEME
from seg_demo.ui.threshold import ThresholdTab
from seg_demo.ui.visitors import VisitorCookie, Visitors

CLEAN_EVERY = 3600  # seconds
CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"


def build_page(library: Library, workspaces: Workspaces, queue: Queue) -> gr.Blocks:
    """All of the page; it is served with `serve`."""
    visitors = Visitors(workspaces)
    with gr.Blocks(title="seg_demo · semantic segmentation", delete_cache=(3600, 86400)) as demo:
        with gr.Column(elem_classes="page-head"):
            gr.Markdown(text("headline"))
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab(text("segment"), id="segment") as segment_tab:
                segment = SegmentTab(demo, library)
            with gr.Tab(text("threshold_tab"), id="threshold") as threshold_tab:
                threshold = ThresholdTab(library, segment)
            with gr.Tab(text("finetune"), id="finetune") as finetune_tab:
                finetune = FineTuneTab(visitors, library, queue)
            with gr.Tab(text("checkpoints_tab"), id="checkpoints") as checkpoints_tab:
                checkpoints = CheckpointsTab(visitors, library)
        threshold.wire(demo, tabs, threshold_tab, [segment_tab, finetune_tab, checkpoints_tab], finetune.bench)
        finetune.wire(demo, tabs, segment, [threshold.model])
        checkpoints.wire(demo, tabs, checkpoints_tab, segment, threshold, finetune)
    _end_before_starting(demo)
    return demo


def _end_before_starting(demo: gr.Blocks) -> None:
    """Let what ends runs (`cancels`) come before what starts them.

    The page goes through the listeners of an event in this order and awaits each to its end: afterwards, it would end
    what the visitor has started meanwhile.
    """
    listeners = sorted(demo.fns.items(), key=lambda item: not item[1].is_cancel_function)
    demo.fns.clear()
    demo.fns.update(listeners)


def _warm_up(library: Library) -> None:
    first = next(iter(library.entries().values()))
    if first.folder:  # nothing is downloaded before somebody asks for it
        with contextlib.suppress(UserError):  # whoever uses it will be told
            library.predictor(first.name)


def _keep_clean(workspaces: Workspaces) -> None:
    while True:
        workspaces.clean_up()
        time.sleep(CLEAN_EVERY)


def serve(
    library: Library | None = None,
    host: str | None = None,
    port: int | None = None,
    *,
    public: bool = False,
    workspaces: Workspaces | None = None,
    block: bool = True,
) -> gr.Blocks:
    """Serve the page; host and port default to Gradio's, 127.0.0.1 and the first free one from 7860 on.

    public: whether visitors are strangers, each with a workspace of their own. workspaces: those of `public`, in the
    folder that the checkpoints lie in, unless said otherwise. The first model is loaded after the page answers, so that
    neither waits for the other; with ZeroGPU before, so that whatever is lent a GPU has it.
    """
    library = library or Library(CHECKPOINTS)
    workspaces = workspaces or Workspaces(library.folder.parent, public)
    library.shared = workspaces.public
    if workspaces.public:
        threading.Thread(target=_keep_clean, args=(workspaces,), daemon=True).start()
    for workspace in workspaces.all():
        library.entries(workspace.checkpoints)  # so that links find them
    longest = limits.LONGEST if workspaces.public else math.inf
    lent = zero_gpu()
    if lent:
        begin_lending()
        _warm_up(library)
    queue = Queue(workspaces.folder, runner=SliceRunner() if lent else None, longest=longest)
    demo = build_page(library, workspaces, queue)
    demo.queue(max_size=64)
    demo.launch(
        server_name=host, server_port=port, prevent_thread_lock=True, theme=THEME, css=CSS, i18n=I18N,
        max_file_size="1gb", enable_monitoring=False, run_history=False, footer_links=["api"],
        allowed_paths=[str(EVERYDAY_EXAMPLES[0].parent)],  # of Gradio, which need not lie below the current folder
        app_kwargs={"middleware": [Middleware(VisitorCookie)] if workspaces.public else []},
    )  # fmt: skip
    queue.open()
    if not lent:
        threading.Thread(target=_warm_up, args=(library,), daemon=True).start()
    if block:
        demo.block_thread()
    return demo
