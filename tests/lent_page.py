"""The page on a Space with ZeroGPU, on this machine: `python tests/lent_page.py HOME`; see zero_gpu.py.

The models are those of HOME/checkpoints. Beside the page's own events there are those that a test cannot reach through
one request: a data set is measured, two models are compared, and work goes wrong in a lent process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from zero_gpu import compute_on_the_cpu, pretend


def refuse(predictor: Any, image: np.ndarray) -> None:
    from seg_demo.errors import UserError

    raise UserError("{name} is empty. Choose another file.", name=os.getpid())


def break_down(predictor: Any, image: np.ndarray) -> None:
    raise KeyError("what nobody has thought of")


def die_of_the_second(predictor: Any, image: np.ndarray, mark: str) -> int:
    """The process that has this done a second time is killed, unless `mark` is there."""
    global _done
    if _done and not os.path.exists(mark):
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    _done = True
    return os.getpid()


def die(predictor: Any, image: np.ndarray) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_done = False
IMAGE = np.zeros((8, 8, 3), np.uint8)


def main(home: Path) -> None:
    pretend(home, keeps=True)
    import spaces  # noqa: F401  # first, as app.py has it

    compute_on_the_cpu()
    import gradio as gr

    from seg_demo.errors import UserError
    from seg_demo.infer.lent import each
    from seg_demo.infer.library import Library
    from seg_demo.jobs.job import Job
    from seg_demo.jobs.workspace import Workspaces
    from seg_demo.ui import page
    from seg_demo.ui.background import Progress, followed
    from seg_demo.ui.finetune.comparing import compared
    from seg_demo.ui.measuring import measured

    library = Library(home / "checkpoints")

    def measure(model: str, class_name: str, folder: str) -> Iterator[list[list[int]]]:
        def work(progress: Progress) -> list[list[int]]:
            return measured(library, model, class_name, Path(folder), "val", progress)[0]

        with closing(followed(work)) as steps:
            yield (yield from steps)  # type: ignore[misc]

    def compare(folder: str) -> Iterator[list[list[float]]]:
        def work(progress: Progress) -> list[list[float]]:
            found = compared(Job(folder), progress).comparison
            assert found.base
            return [[*side.ious, side.figures["loss"]] for side in (found.base, found.new)]

        with closing(followed(work)) as steps:
            yield (yield from steps)  # type: ignore[misc]

    def wrong(name: str, pictures: int, *given: str) -> list[Any]:
        predictor = library.predictor("newts-binary")
        try:
            return list(each(globals()[name], [(IMAGE, *given)] * pictures, predictor))
        except UserError as error:
            return [error.template, str(error)]
        except RuntimeError as error:
            return [str(error)]

    def die_once(mark: str) -> list[int]:
        return wrong("die_of_the_second", 4, mark)

    def all_of(name: str) -> list[Any]:
        return wrong(name, 2)

    build_page = page.build_page

    def with_more(*given: Any) -> gr.Blocks:
        demo = build_page(*given)
        with demo:
            for event in (measure, compare, die_once, all_of):
                gr.api(event)
        return demo

    page.build_page = with_more
    demo = page.serve(library, public=True, workspaces=Workspaces(home / "visitors", True), block=False)
    print("READY", demo.local_url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
