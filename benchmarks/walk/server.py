"""The page as a process of its own, on a root folder of its own, which can be killed at any moment and started again.

`python -m benchmarks.walk.server ROOT PORT [--public]`
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from seg_demo.jobs.job import Job
from seg_demo.ui.page import CHECKPOINTS

WAIT = 120.0  # seconds for the page to answer


class Server:
    """root: gets checkpoints/, which are copies of the project's, and in local mode runs/; home: as $SEG_DEMO_HOME."""

    def __init__(self, place: Path, public: bool = False) -> None:
        self.root, self.home, self.public = place / "root", place / "home", public
        self.checkpoints = self.root / "checkpoints"
        shutil.copytree(CHECKPOINTS, self.checkpoints)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        self.log = place / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds until the page answers."""
        words = [str(self.root), str(self.port), *(["--public"] if self.public else [])]
        settings = {**os.environ, "SEG_DEMO_HOME": str(self.home), "GRADIO_TEMP_DIR": str(self.home / "cache")}
        begun = time.perf_counter()
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, *words], stdout=log, stderr=log, env=settings
            )
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - begun > WAIT:
                raise SystemExit(f"The page did not start: {self.log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.05)
        return time.perf_counter() - begun

    def kill(self) -> None:
        """SIGKILL, for which nothing can prepare."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def end_runs(self) -> None:
        """End what still trains below the root or the home, where something went wrong."""
        for file in (*self.root.glob("runs/*/job.json"), *self.home.glob("workspaces/*/runs/*/job.json")):
            process = Job(file.parent).process
            if process and process.lives:
                os.killpg(process.number, signal.SIGKILL)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.address, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def main() -> None:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as app.py
    from seg_demo.infer.library import Library
    from seg_demo.jobs.workspace import Workspaces
    from seg_demo.ui.page import serve

    root, port = Path(sys.argv[1]), int(sys.argv[2])
    serve(
        Library(root / "checkpoints"), "127.0.0.1", port, workspaces=Workspaces(root, "--public" in sys.argv)
    )  # fmt: skip


if __name__ == "__main__":
    main()
