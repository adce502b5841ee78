"""Which library's checkpoint a repository holds, and what is needed of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg_demo.checkpoint.config import CheckpointConfig, ConfigError, parse_config
from seg_demo.checkpoint.folder import CONFIG_FILE, WEIGHTS_FILE
from seg_demo.checkpoint.header import Tensors
from seg_demo.errors import UserError
from seg_demo.hub.remote import Remote


@dataclass(frozen=True)
class Layout:
    """name: of the library. needed: the files of its checkpoints, the weights among them, of all that are there.
    describe: repository, documents by the name of their file, and tensors -> our config; raises `UserError`. convert:
    the weights as they were fetched, the config, and where to write ours; None where they are ours already.
    """

    name: str
    needed: Callable[[Sequence[str]], Sequence[str]]
    describe: Callable[[str, Mapping[str, bytes], Tensors], CheckpointConfig]
    convert: Callable[[Path, CheckpointConfig, Path], None] | None = None

    @property
    def ours(self) -> bool:
        return self.convert is None


def layout_of(remote: Remote, config: bytes | None) -> Layout:
    """config: the file config.json, where there is one. Raises `UserError` where nothing is understood."""
    document = _document(f"{remote.repo}/{CONFIG_FILE}", config) if config is not None else None
    if document is not None and "seg_demo_version" in document and WEIGHTS_FILE in remote.files:
        return Layout("seg_demo", lambda files: (CONFIG_FILE, WEIGHTS_FILE), _describe_ours)
    return _foreign(remote, document)


def _foreign(remote: Remote, document: dict[str, Any] | None) -> Layout:
    from seg_demo.hub import foreign

    files = sorted(remote.files)
    name = foreign.recognise(files, document)
    if name is None or WEIGHTS_FILE not in remote.files:
        raise foreign.conversion_hint(remote.repo, files) or UserError(
            "{repo} holds no model that is understood: it needs a {file} beside a config.json. Choose another "
            "repository.",
            repo=remote.repo, file=WEIGHTS_FILE,
        )  # fmt: skip
    layout = foreign.LAYOUTS[name]

    def describe(repo: str, documents: Mapping[str, bytes], tensors: Tensors) -> CheckpointConfig:
        read = {name: _document(f"{repo}/{name}", content) for name, content in documents.items()}
        return layout.describe(read, tensors)

    return Layout(name, layout.needed_files, describe, layout.convert)


def _describe_ours(repo: str, documents: Mapping[str, bytes], tensors: Tensors) -> CheckpointConfig:
    from seg_demo.checkpoint.weights import check_tensors  # torch

    config = parse_config(documents[CONFIG_FILE], f"{repo}/{CONFIG_FILE}")
    check_tensors(f"{repo}/{WEIGHTS_FILE}", config, tensors)
    return config


def _document(where: str, content: bytes) -> dict[str, Any]:
    def refuse(name: str) -> float:
        raise ValueError(name)

    try:
        document = json.loads(content.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ConfigError("{path} is not a JSON object. Choose another repository.", path=where)
    return document
