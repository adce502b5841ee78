"""The README is true: its commands exist, its Python runs, its pictures are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_front_matter_is_what_a_space_needs() -> None:
    front = yaml.safe_load(README.split("---")[1])
    assert front["sdk"] == "gradio"
    assert (ROOT / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60
    assert isinstance(front["python_version"], str)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE))
    assert {"demo", "test", "check"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_commands_exist() -> None:
    from seg_demo.cli.main import COMMANDS

    commands = re.findall(r"python -m seg_demo (\w+)", README)
    assert set(commands) == set(COMMANDS)


def test_the_python_runs() -> None:
    (code,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "'newt'" in done.stdout


def test_pictures_and_links_are_there() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert len(links) >= 4
    for link in links:
        assert (ROOT / link).is_file(), link


def test_ci_runs_the_readmes_test_command() -> None:
    assert re.search(r"^make check test$", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
