"""How long the page and the command line take to start: `python -m benchmarks.start_up [--runs N]`."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def page_ready(see: Callable[[str], None] | None = None) -> float:
    """Seconds from starting `python app.py` to its first HTTP 200, or until `see`, given its address, returns."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "0"}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "app.py"], env=environment, stdout=subprocess.DEVNULL)
    try:
        while time.perf_counter() - started < 60:
            try:
                if urlopen(f"http://127.0.0.1:{port}/", timeout=5).status == 200:
                    if see:
                        see(f"http://127.0.0.1:{port}/")
                    return time.perf_counter() - started
            except (URLError, ConnectionError):
                time.sleep(0.02)
        raise SystemExit("the page did not answer within a minute")
    finally:
        process.terminate()
        process.wait()


def first_overlay() -> float:
    """Seconds from starting `python app.py` to the first example's overlay in a browser that waits for the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page()

        def see(address: str) -> None:
            page.goto(address)
            page.wait_for_selector("#canvas [data-state=ready]")

        return page_ready(see)


def help_shown() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "seg_demo", "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    measures: tuple[tuple[str, Callable[[], float]], ...] = (
        ("python app.py to HTTP 200", page_ready),
        ("python app.py to the first overlay in a browser", first_overlay),
        ("python -m seg_demo --help", help_shown),
    )
    for name, measure in measures:
        seconds = [measure() for _ in range(runs)]
        print(
            f"{name}: median {statistics.median(seconds):.2f} s, {min(seconds):.2f}-{max(seconds):.2f} s, {runs} runs"
        )


if __name__ == "__main__":
    main()
