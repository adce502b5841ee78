"""A Space with ZeroGPU on this machine: `python tests/zero_gpu.py HOME DURATION RESERVE` serves a page that trains.

`spaces` is the real one, in its ZeroGPU mode: it patches torch, asks for a GPU, forks a daemon process for each call,
pickles what goes in and out, and hears of killed processes. Others are:

- the service that lends GPUs, and ends the processes that have them: `Lender`, over HTTP, as `spaces` speaks to it;
- `init` and `move` of spaces.zero.torch, which bring a forked process and tensors to a GPU: there is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Lender(ThreadingHTTPServer):
    """Lends one GPU for the time that is asked for; kills the process that has it when that is over.

    What is asked is kept as JSON lines in `log`. A visitor whose token is "spent" gets nothing, "late" the GPU after
    four seconds, "again" only when asked for the second time.

    keeps: the process that gives the GPU back is not ended, and has it again the next time, as on a Space with many
    visitors.
    """

    daemon_threads = True

    def __init__(self, log: Path, keeps: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.log, self.keeps, self.count, self.sent_away = log, keeps, 0, False
        self.timers: dict[str, threading.Timer] = {}
        self.having: dict[str, int] = {}
        log.touch()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def note(self, what: str, asked: dict[str, str]) -> None:
        with self.log.open("a") as lines:
            lines.write(json.dumps({"what": what, **asked}) + "\n")

    def schedule(self, asked: dict[str, str]) -> tuple[int, dict[str, Any] | str]:
        if asked.get("token") == "spent":
            return 429, {"left": 0, "wait": 3600}
        if asked.get("token") == "late":
            time.sleep(4)
        if asked.get("token") == "again" and not self.sent_away:
            self.sent_away = True
            return 200, "event: failed\n\n"
        self.count += 1
        token = f"allowed-{self.count}"
        self.timers[token] = threading.Timer(float(asked["durationSeconds"]), self.end, [token])
        return 200, {"idle": self.keeps, "nvidiaIndex": 0, "nvidiaUUID": "", "allowToken": token}

    def allow(self, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.having[asked["allowToken"]] = int(asked["pid"])
        self.timers[asked["allowToken"]].start()
        return 200, {}

    def release(self, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.keeps:
            self.timers[asked["allowToken"]].cancel()
            return 200, {}
        return (200, {}) if self.end(asked["allowToken"]) else (404, {})

    def end(self, token: str) -> bool:
        process = self.having.pop(token, None)
        self.timers[token].cancel()
        if process:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        return process is not None


class Conversation(BaseHTTPRequestHandler):
    server: Lender

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        what = url.path.strip("/")
        self.server.note(what, asked)
        code, answer = (200, {}) if what == "startup-report" else getattr(self.server, what)(asked)
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/event-stream" if isinstance(answer, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def pretend(home: Path, keeps: bool = False) -> None:
    """From now on this is a Space with ZeroGPU; to be called before `spaces` is imported."""
    lender = Lender(home / "lender.jsonl", keeps)
    os.environ |= {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": lender.url}


def compute_on_the_cpu() -> None:
    """What is lent is this machine's CPU."""
    import torch
    from spaces.zero import torch as zero_torch

    zero_torch.init = lambda uuid: None  # type: ignore[assignment]
    zero_torch.move = lambda callback=None: None  # type: ignore[assignment]
    # As a page that has computed already: torch has threads, which forks do not have.
    torch.ones(512, 512).matmul(torch.ones(512, 512)).sum()
    assert torch.cuda.is_available() and not torch.cuda.is_initialized()


def main(home: Path, duration: int, reserve: int) -> None:
    pretend(home)
    from seg_demo.infer.lent import zero_gpu
    from seg_demo.jobs.job import Job
    from seg_demo.jobs.queue import Queue
    from seg_demo.jobs.slices import SliceRunner

    assert zero_gpu()
    queue = Queue(home, ["cpu"], runner := SliceRunner(duration, reserve))

    import gradio as gr

    compute_on_the_cpu()

    def submit(folder: str, flags: list[str]) -> None:
        queue.submit(Job(folder), flags)

    def look(folder: str) -> None:
        runner.visited(Job(folder))

    with gr.Blocks() as page:
        gr.api(submit)
        gr.api(look)
    page.launch(prevent_thread_lock=True, quiet=True)
    queue.open()
    print(page.local_url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
