"""What the Hub tells about a repository, derived from its files: the front matter of README.md, tags, config."""

from __future__ import annotations

import json
from typing import Any

import yaml

from .answers import Refused
from .storage import Blob, Commit, Repo


def front_matter(text: str) -> Any:
    """The YAML between the first two lines of dashes; {} where there is none; raises yaml.YAMLError."""
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != "---" or "---" not in (line.rstrip() for line in lines[1:]):
        return {}
    end = next(number for number, line in enumerate(lines[1:], 1) if line.rstrip() == "---")
    return yaml.safe_load("\n".join(lines[1:end])) or {}


def card(repo: Repo, commit: Commit) -> dict[str, Any]:
    if "README.md" not in commit.files:
        return {}
    try:
        found = front_matter(repo.read(commit.files["README.md"]).decode())
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def config(repo: Repo, commit: Commit) -> dict[str, Any]:
    """What the Hub keeps of config.json."""
    try:
        found = json.loads(repo.read(commit.files["config.json"]))
        return {name: found[name] for name in ("architectures", "model_type") if name in found}
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}


def many(value: Any) -> list[str]:
    return [] if value is None else [str(item) for item in (value if isinstance(value, list) else [value])]


def tags(repo: Repo, commit: Commit, about: dict[str, Any]) -> list[str]:
    found = [*many(about.get("library_name")), *many(about.get("tags")), *many(about.get("pipeline_tag"))]
    found += [str(about["sdk"])] if "sdk" in about else []
    found += ["safetensors"] if any(path.endswith(".safetensors") for path in commit.files) else []
    for name, prefix in (("datasets", "dataset"), ("base_model", "base_model"), ("license", "license")):
        found += [f"{prefix}:{value}" for value in many(about.get(name))]
    return list(dict.fromkeys([*found, *many(about.get("language")), "region:us"]))


def lfs(blob: Blob, name: str = "oid") -> dict[str, Any]:
    return {name: blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}


def siblings(commit: Commit, blobs: bool) -> list[dict[str, Any]]:
    found = []
    for path, blob in commit.files.items():
        entry: dict[str, Any] = {"rfilename": path}
        if blobs:
            entry |= {"size": blob.size, "blobId": blob.git}
            entry |= {"lfs": lfs(blob, "sha256")} if blob.sha256 else {}
        found.append(entry)
    return found


def runtime(repo: Repo) -> dict[str, Any]:
    hardware = {"current": repo.hardware, "requested": repo.requested_hardware}
    found = {"stage": repo.stage, "hardware": hardware, "storage": None, "gcTimeout": repo.sleep_time}
    return found | ({"volumes": repo.volumes} if repo.volumes else {})


def describe(repo: Repo, commit: Commit, blobs: bool = False) -> dict[str, Any]:
    """Everything, as for one repository; lists and `expand` take from it."""
    about = card(repo, commit)
    found: dict[str, Any] = {
        "_id": commit.id[:24],
        "id": repo.id,
        "author": repo.owner,
        "sha": commit.id,
        "lastModified": repo.modified,
        "createdAt": repo.created,
        "private": repo.private,
        "gated": repo.gated,
        "disabled": False,
        "likes": repo.likes,
        "trendingScore": 0,
        "tags": tags(repo, commit, about),
        "cardData": about,
        "siblings": siblings(commit, blobs),
        "usedStorage": sum(blob.size for blob in commit.files.values()),
    }
    if repo.kind == "space":
        name = repo.id.replace("/", "-").replace("_", "-").replace(".", "-").lower()
        found |= {"sdk": about.get("sdk", repo.sdk), "subdomain": name, "host": f"https://{name}.hf.space"}
        return found | {"runtime": runtime(repo), "models": many(about.get("models")), "datasets": []}
    found |= {"modelId": repo.id, "downloads": repo.downloads, "config": config(repo, commit), "spaces": []}
    for name in ("library_name", "pipeline_tag", "model-index"):
        if name in about:
            found[name] = about[name]
    return found


def expanded(found: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    """Only what `expand` asks for."""
    known = {*found, "downloadsAllTime", "resourceGroup", "safetensors", "inference", "library_name", "pipeline_tag"}
    known |= {"model-index", "baseModels", "gguf", "transformersInfo", "widgetData", "region", "evalResults"}
    for name in wanted:
        if name not in known:
            raise Refused(400, f'"expand" must be one of {sorted(known)}')
    return {name: value for name, value in found.items() if name in ("_id", "id", *wanted)}
