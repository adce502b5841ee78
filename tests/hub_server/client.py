"""Lets the huggingface_hub client of this process talk to the server; it read HF_ENDPOINT and HF_HOME at import."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .server import HubServer

COPIES = {  # modules that took a constant over by value
    "huggingface_hub.cli.auth": {"ENDPOINT": "ENDPOINT"},
    "huggingface_hub.utils._git_credential": {"ENDPOINT": "ENDPOINT"},
    "huggingface_hub.utils._cache_manager": {"HF_HUB_CACHE": "HF_HUB_CACHE"},
    "huggingface_hub.utils._cache_assets": {"HF_ASSETS_CACHE": "HF_ASSETS_CACHE"},
}
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_OIDC_RESOURCE")


def use(hub: HubServer, patch: pytest.MonkeyPatch, home: Path) -> None:
    """Point the client at the server, without any login, with an empty cache in `home`; no Xet."""
    from huggingface_hub import constants, hf_api

    values = {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HUGGINGFACE_HUB_CACHE": str(home / "hub"),
        "HF_ASSETS_CACHE": str(home / "assets"),
        "HF_XET_CACHE": str(home / "xet"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_STORED_TOKENS_PATH": str(home / "stored_tokens"),
        "AGENT_HARNESSES_PATH": str(home / ".agent_harnesses.json"),
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_HUB_OFFLINE": False,
    }
    for name, value in values.items():
        patch.setattr(constants, name, value)
    for module, names in COPIES.items():
        for name, constant in names.items():
            if module in sys.modules:
                patch.setattr(sys.modules[module], name, values[constant])
    patch.setattr(hf_api.api, "endpoint", hub.url)
    for name in TOKENS:
        patch.delenv(name, raising=False)
    for name, value in {**hub.environment, "HF_HOME": str(home)}.items():
        patch.setenv(name, value)
