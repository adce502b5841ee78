"""The Hub of the tests against the real client: what others' tests rely on holds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hub_server import HubServer
from hub_server.storage import git_id
from huggingface_hub import HfApi, get_token, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session

CARD = """---
license: apache-2.0
library_name: seg-demo
pipeline_tag: image-segmentation
tags: [newts, image-segmentation]
---
# A net
"""
WEIGHTS = bytes(range(256)) * 1200  # 300 kB; byte 255 comes before byte 0


@pytest.fixture
def alice(hub: HubServer) -> HfApi:
    return HfApi(token=hub.token("alice"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint's folder: small text files, and weights that go to LFS."""
    folder = tmp_path / "net"
    (folder / "pictures").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    (folder / "config.json").write_text('{"model_type": "unet", "secret": 1}')
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "pictures" / "a b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    return folder


def pushed(alice: HfApi, folder: Path, private: bool = False) -> str:
    alice.create_repo("alice/net", private=private)
    return alice.upload_folder(repo_id="alice/net", folder_path=folder, commit_message="First").oid


def test_the_client_of_this_process_asks_the_server_and_has_no_login(hub: HubServer) -> None:
    hub.put("alice/net", {"config.json": b"{}"})
    assert get_token() is None
    assert hf_hub_download("alice/net", "config.json").startswith(os.environ["HF_HOME"])
    assert hub.tokens_seen == {None}


def test_what_is_pushed_comes_back_byte_for_byte(alice: HfApi, folder: Path, tmp_path: Path, hub: HubServer) -> None:
    commit = pushed(alice, folder)
    out = Path(snapshot_download("alice/net", local_dir=tmp_path / "out", token=False))
    names = [place.relative_to(folder) for place in folder.rglob("*") if place.is_file()]
    assert len(names) == 4
    assert all((out / name).read_bytes() == (folder / name).read_bytes() for name in names)
    cached = hf_hub_download("alice/net", "pictures/a b.png", revision=commit)
    assert Path(cached).read_bytes() == (folder / "pictures" / "a b.png").read_bytes()
    assert hub.asked_for("cdn") and {request.token for request in hub.asked_for("cdn")} == {None}
    assert {request.token for request in hub.asked_for("upload")} == {None}
    assert {request.token for request in hub.asked_for("commit")} == {hub.token("alice")}


def test_a_repository_is_described(alice: HfApi, folder: Path, hub: HubServer) -> None:
    commit = pushed(alice, folder)
    info = alice.model_info("alice/net", files_metadata=True, securityStatus=True)
    assert info.sha == commit and info.author == "alice" and info.private is False and info.gated is False
    assert info.library_name == "seg-demo" and info.pipeline_tag == "image-segmentation"
    assert info.card_data.license == "apache-2.0" and info.config == {"model_type": "unet"}
    assert {"newts", "seg-demo", "license:apache-2.0", "safetensors"} <= {*info.tags}
    files = {file.rfilename: file for file in info.siblings}
    weights, text = files["model.safetensors"], (folder / "config.json").read_bytes()
    assert weights.lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest() and weights.size == len(WEIGHTS)
    assert files["config.json"].lfs is None and files["config.json"].blob_id == git_id(text)
    assert alice.model_info("alice/net").siblings[0].size is None  # as on the real Hub: only when asked
    first = alice.list_repo_commits("alice/net")[-1]
    assert [file.rfilename for file in alice.model_info("alice/net", revision=first.commit_id).siblings] == [
        ".gitattributes"
    ]
    assert alice.model_info("alice/net", expand=["downloads"]).sha is None


def test_trees_and_paths(alice: HfApi, folder: Path) -> None:
    commit = pushed(alice, folder)
    top = {entry.path for entry in alice.list_repo_tree("alice/net")}
    assert top == {".gitattributes", "README.md", "config.json", "model.safetensors", "pictures"}
    assert alice.file_exists("alice/net", "pictures/a b.png") and not alice.file_exists("alice/net", "c.png")
    assert [entry.path for entry in alice.list_repo_tree("alice/net", "pictures")] == ["pictures/a b.png"]
    weights, pictures = alice.get_paths_info("alice/net", ["model.safetensors", "pictures", "none"], expand=True)
    assert weights.lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest() and weights.last_commit.oid == commit
    assert pictures.path == "pictures"
    assert alice.verify_repo_checksums("alice/net", local_dir=folder).mismatches == []
    with pytest.raises(RemoteEntryNotFoundError):
        list(alice.list_repo_tree("alice/net", "nowhere"))


def test_lists_are_searched_filtered_sorted_and_come_in_pages(hub: HubServer, alice: HfApi) -> None:
    hub.page_size = 2
    for number in range(5):
        hub.put(f"alice/net-{number}", {"README.md": CARD.encode()})
        hub.repo(f"alice/net-{number}").downloads = number
    hub.put("alice/other", {"README.md": b"no tags"}, private=True)
    hub.put("bob/net-x", {"README.md": CARD.encode()}, private=True)
    names = [model.id for model in alice.list_models(author="alice", search="NET-", sort="downloads", full=True)]
    assert names == [f"alice/net-{number}" for number in (4, 3, 2, 1, 0)]
    assert len(hub.asked_for("list")) == 3
    assert len(list(alice.list_models(filter=["newts", "image-segmentation"], limit=3))) == 3
    assert [model.id for model in alice.list_models(filter=["newts", "flowers"])] == []
    assert {model.id for model in alice.list_models()} == {*names, "alice/other"}
    assert {model.id for model in HfApi(token=False).list_models()} == {*names}


def test_tags_branches_and_references(alice: HfApi, folder: Path) -> None:
    first = pushed(alice, folder)
    alice.create_tag("alice/net", tag="v1", tag_message="One")
    second = alice.upload_file(repo_id="alice/net", path_in_repo="a.txt", path_or_fileobj=b"a").oid
    alice.create_branch("alice/net", branch="trial", revision="v1")
    assert alice.model_info("alice/net", revision="v1").sha == first != second
    with pytest.raises(HfHubHTTPError, match="exists already"):
        alice.create_tag("alice/net", tag="v1")
    alice.create_tag("alice/net", tag="v1", exist_ok=True)
    refs = alice.list_repo_refs("alice/net", include_pull_requests=True)
    assert {ref.name: ref.target_commit for ref in refs.branches} == {"main": second, "trial": first}
    assert [(ref.ref, ref.target_commit) for ref in refs.tags] == [("refs/tags/v1", first)]
    alice.delete_tag("alice/net", tag="v1")
    with pytest.raises(RevisionNotFoundError):
        alice.model_info("alice/net", revision="v1")
    assert [commit.title for commit in alice.list_repo_commits("alice/net")][1:] == ["First", "initial commit"]


def test_an_equal_push_makes_no_commit_and_known_files_are_not_sent_again(
    alice: HfApi, folder: Path, hub: HubServer
) -> None:
    commit = pushed(alice, folder)
    assert alice.upload_folder(repo_id="alice/net", folder_path=folder).oid == commit
    (folder / "config.json").unlink()
    alice.upload_folder(repo_id="alice/net", folder_path=folder, delete_patterns="*")
    assert {*hub.files("alice/net")} == {".gitattributes", "README.md", "model.safetensors", "pictures/a b.png"}
    assert len(hub.asked_for("upload")) == 2  # the weights and the picture, once each


def test_a_large_file_goes_in_parts(alice: HfApi, hub: HubServer) -> None:
    hub.multipart_above, hub.part_size = 100_000, 70_000
    alice.create_repo("alice/net")
    alice.upload_file(repo_id="alice/net", path_in_repo="m.safetensors", path_or_fileobj=WEIGHTS)
    assert hub.files("alice/net")["m.safetensors"] == WEIGHTS
    assert len(hub.asked_for("upload")) == 5 and len(hub.asked_for("complete")) == 1


def test_a_pull_request_may_be_made_by_anybody_and_merged_by_the_owner(alice: HfApi, hub: HubServer) -> None:
    hub.put("alice/net", {"config.json": b"{}"})
    bob = HfApi(token=hub.token("bob"))
    with pytest.raises(HfHubHTTPError, match="403"):
        bob.upload_file(repo_id="alice/net", path_in_repo="b.txt", path_or_fileobj=b"b")
    made = bob.upload_file(repo_id="alice/net", path_in_repo="b.bin", path_or_fileobj=b"b\0", create_pr=True)
    assert made.pr_url == f"{hub.url}/alice/net/discussions/1" and made.pr_revision == "refs/pr/1"
    assert alice.model_info("alice/net", revision="refs/pr/1").sha == made.oid
    assert Path(hf_hub_download("alice/net", "b.bin", revision="refs/pr/1")).read_bytes() == b"b\0"
    assert "b.bin" not in hub.files("alice/net")
    details = alice.get_discussion_details("alice/net", 1)
    assert details.status == "open" and details.is_pull_request and details.events[-1].oid == made.oid
    alice.merge_pull_request("alice/net", 1)
    assert hub.files("alice/net")["b.bin"] == b"b\0"
    assert alice.get_discussion_details("alice/net", 1).status == "merged"


def test_who_may_not_see_a_private_repository_is_told_that_there_is_none(
    alice: HfApi, folder: Path, hub: HubServer
) -> None:
    pushed(alice, folder, private=True)
    assert alice.model_info("alice/net").private is True
    for token in (False, hub.token("bob")):
        with pytest.raises(RepositoryNotFoundError):
            HfApi(token=token).model_info("alice/net")
        with pytest.raises(RepositoryNotFoundError):
            hf_hub_download("alice/net", "config.json", token=token)
    with pytest.raises(HfHubHTTPError, match="Invalid credentials"):
        HfApi(token="hf_wrong").model_info("alice/net")
    assert alice.auth_check("alice/net", write=True) is None
    reader = HfApi(token=hub.add_token("alice", "read"))
    assert reader.model_info("alice/net").id == "alice/net"
    with pytest.raises(HfHubHTTPError, match="403"):
        reader.create_repo("alice/more", private=True)
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    assert get_session().get(f"{hub.cdn_url}/repos/model/alice/net/{sha256}").status_code == 403  # not signed


def test_what_is_missing_has_its_own_error(alice: HfApi, hub: HubServer) -> None:
    hub.put("alice/net", {"config.json": b"{}"})
    with pytest.raises(RepositoryNotFoundError):
        alice.model_info("alice/none")
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download("alice/net", "config.json", revision="v9")
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download("alice/net", "none.json")
    hub.repo("alice/net").gated = "manual"
    with pytest.raises(GatedRepoError):
        hf_hub_download("alice/net", "config.json", token=hub.token("bob"), force_download=False)
    assert alice.create_repo("alice/net", exist_ok=True).repo_id == "alice/net"
    with pytest.raises(HfHubHTTPError, match="409"):
        alice.create_repo("alice/net")
    alice.delete_repo("alice/net")
    assert not alice.repo_exists("alice/net")


def test_a_card_the_hub_does_not_take_stops_the_push(alice: HfApi, folder: Path, hub: HubServer) -> None:
    (folder / "README.md").write_text("---\nlicense: my-own\n---\n")
    with pytest.raises(ValueError, match='"license" must be one of'):
        pushed(alice, folder)
    assert hub.files("alice/net").keys() == {".gitattributes"}


def test_a_stale_parent_is_refused(alice: HfApi, hub: HubServer) -> None:
    old = hub.put("alice/net", {"config.json": b"{}"})
    hub.put("alice/net", {"config.json": b"{ }"})
    with pytest.raises(HfHubHTTPError, match="412"):
        alice.upload_file(repo_id="alice/net", path_in_repo="a", path_or_fileobj=b"a", parent_commit=old)
    new = hub.repo("alice/net").branches["main"]
    hub.fail("commit", "stale head")
    with pytest.raises(HfHubHTTPError, match="412"):
        alice.upload_file(repo_id="alice/net", path_in_repo="a", path_or_fileobj=b"a", parent_commit=new)
    assert {*hub.files("alice/net")} == {".gitattributes", "config.json", "overtaken.txt"}


def test_ranges(alice: HfApi, folder: Path, hub: HubServer) -> None:
    pushed(alice, folder)
    for name, content in (("model.safetensors", WEIGHTS), ("README.md", CARD.encode())):
        url = f"{hub.url}/alice/net/resolve/main/{name}"
        for asked, wanted in (("5-9", content[5:10]), ("50-", content[50:]), ("-7", content[-7:])):
            answer = get_session().get(url, headers={"Range": f"bytes={asked}"})
            assert answer.status_code == 206 and answer.content == wanted
        assert get_session().get(url, headers={"Range": "bytes=9999999-"}).status_code == 416


def test_text_comes_compressed_to_those_who_take_it(hub: HubServer) -> None:
    text = b'{"name": "value"}' * 100
    hub.put("alice/net", {"config.json": text})
    url = f"{hub.url}/alice/net/resolve/main/config.json"
    answer = get_session().get(url, headers={"Accept-Encoding": "gzip"})
    assert answer.content == text and answer.headers["Content-Encoding"] == "gzip"
    assert "Content-Length" not in answer.headers and answer.headers["ETag"] == f'W/"{git_id(text)}"'
    plain = get_session().get(url, headers={"Accept-Encoding": "identity"})
    assert plain.content == text and plain.headers["Content-Length"] == str(len(text))
    assert Path(hf_hub_download("alice/net", "config.json")).read_bytes() == text


def test_a_renamed_repository_is_found_under_its_old_name(alice: HfApi, hub: HubServer) -> None:
    hub.put("alice/old", {"config.json": b"{}", "model.safetensors": WEIGHTS}, private=True)
    alice.move_repo("alice/old", "alice/new")
    assert alice.model_info("alice/old", files_metadata=True).id == "alice/new"
    assert Path(hf_hub_download("alice/old", "model.safetensors", token=hub.token("alice"))).read_bytes() == WEIGHTS
    assert hub.files("alice/new")["config.json"] == b"{}"


# ---- faults


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_status_that_is_ordered_is_answered_so_many_times(alice: HfApi, hub: HubServer, status: int) -> None:
    hub.fail("whoami", status, times=2, retry_after=7)
    for _ in range(2):
        with pytest.raises(HfHubHTTPError) as caught:
            alice.whoami()
        assert caught.value.response.status_code == status
        assert caught.value.response.headers.get("Retry-After") == ("7" if status != 500 else None)
    assert alice.whoami()["name"] == "alice"
    assert [request.fault for request in hub.asked_for("whoami")] == [status, status, None]


def test_a_body_that_is_cut_is_taken_up_where_it_ended(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1024)  # the client keeps whole chunks only
    hub.put("alice/net", {"model.safetensors": WEIGHTS, "config.json": b"{}"})
    hub.fail("cdn", "cut", file="model.safetensors")
    assert Path(hf_hub_download("alice/net", "model.safetensors")).read_bytes() == WEIGHTS
    assert [request.headers.get("range") for request in hub.asked_for("cdn")][1] == f"bytes={len(WEIGHTS) // 2}-"


def test_a_cut_request_has_done_nothing_and_a_lost_answer_all(alice: HfApi, hub: HubServer) -> None:
    hub.put("alice/net", {"config.json": b"{}"})
    hub.fail("commit", "cut")
    hub.fail("commit", "lost answer")
    hub.fail("commit", "lost answer", status=504)
    for name, kept in (("a", False), ("b", True), ("c", True)):
        with pytest.raises(Exception, match="disconnected|504"):
            alice.upload_file(repo_id="alice/net", path_in_repo=name, path_or_fileobj=b"1")
        assert (name in hub.files("alice/net")) is kept


def test_an_upload_that_is_cut_is_sent_again(alice: HfApi, hub: HubServer) -> None:
    alice.create_repo("alice/net")
    hub.fail("upload", "cut")
    alice.upload_file(repo_id="alice/net", path_in_repo="m.safetensors", path_or_fileobj=WEIGHTS)
    assert hub.files("alice/net")["m.safetensors"] == WEIGHTS
    assert [request.fault for request in hub.asked_for("upload")] == ["cut", None]


def test_wrong_bytes_and_corrupt_files_have_the_right_size(hub: HubServer) -> None:
    hub.put("alice/net", {"model.safetensors": WEIGHTS})
    hub.fail("cdn", "wrong bytes")
    wrong = Path(hf_hub_download("alice/net", "model.safetensors")).read_bytes()
    assert wrong != WEIGHTS and len(wrong) == len(WEIGHTS)
    assert Path(hf_hub_download("alice/net", "model.safetensors", force_download=True)).read_bytes() == WEIGHTS
    hub.corrupt("alice/net", "model.safetensors")
    wrong = Path(hf_hub_download("alice/net", "model.safetensors", force_download=True)).read_bytes()
    assert wrong != WEIGHTS and len(wrong) == len(WEIGHTS)
    assert HfApi().get_paths_info("alice/net", "model.safetensors")[0].lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest()


def test_a_slow_answer_takes_its_time_and_is_right(hub: HubServer) -> None:
    hub.put("alice/net", {"model.safetensors": WEIGHTS})
    hub.fail("cdn", "slow", seconds=0.05)
    begun = time.monotonic()
    assert Path(hf_hub_download("alice/net", "model.safetensors")).read_bytes() == WEIGHTS
    assert time.monotonic() - begun > 0.2  # five pieces of 64 KiB


def test_too_much_goes_on_after_the_end_of_the_file(hub: HubServer) -> None:
    hub.put("alice/net", {"model.safetensors": WEIGHTS})
    hub.announce("alice/net", "model.safetensors", size=10)
    assert HfApi().get_paths_info("alice/net", "model.safetensors")[0].size == 10
    hub.fail("cdn", "too much")
    got = 0
    with get_session().stream("GET", f"{hub.url}/alice/net/resolve/main/model.safetensors") as answer:
        assert "Content-Length" not in answer.headers
        for piece in answer.iter_bytes():
            got += len(piece)
            if got > 2 * len(WEIGHTS):
                break
    assert got > 2 * len(WEIGHTS)


def test_silence_lasts_until_the_client_gives_up(alice: HfApi, hub: HubServer) -> None:
    hub.put("alice/net", {"config.json": b"{}"})
    hub.fail("info", "silence")
    with pytest.raises(Exception, match="timed out"):
        alice.model_info("alice/net", timeout=0.2)
    hub.fail("info", "silence", seconds=0.1)
    with pytest.raises(Exception, match="disconnected"):
        alice.model_info("alice/net")
    assert alice.model_info("alice/net").id == "alice/net"


def test_garbage_is_a_page_with_status_200(alice: HfApi, hub: HubServer) -> None:
    hub.put("alice/net", {"config.json": b"{}"})
    hub.fail("info", "garbage", times=None)
    for _ in range(3):
        with pytest.raises(ValueError):  # JSONDecodeError
            alice.model_info("alice/net")
    hub.faults.clear()
    assert alice.model_info("alice/net").id == "alice/net"


def test_a_fault_that_does_not_exist_is_refused(hub: HubServer) -> None:
    with pytest.raises(ValueError, match="no fault 'typo'"):
        hub.fail("info", "typo")


def test_a_server_that_is_closed_answers_nobody_and_comes_back_as_it_was(alice: HfApi, hub: HubServer) -> None:
    hub.put("alice/net", {"config.json": b"{}"})
    url = hub.url
    alice.whoami()
    hub.close()
    with pytest.raises(Exception, match="refused|disconnected"):
        alice.whoami()
    assert hub.start().url == url
    assert alice.model_info("alice/net").id == "alice/net"


# ---- Spaces


def test_spaces(alice: HfApi, hub: HubServer, tmp_path: Path) -> None:
    with pytest.warns(UserWarning):
        alice.create_repo("alice/demo", repo_type="space", space_sdk="gradio", space_sleep_time=60, private=True,
                          space_hardware="cpu-basic")  # fmt: skip
    (tmp_path / "app.py").write_text("print(1)")
    alice.upload_file(
        repo_id="alice/demo", repo_type="space", path_in_repo="app.py", path_or_fileobj=tmp_path / "app.py"
    )
    info = alice.space_info("alice/demo")
    assert info.sdk == "gradio" and info.host == "https://alice-demo.hf.space" and info.runtime.stage == "BUILDING"
    assert hf_hub_download("alice/demo", "app.py", repo_type="space", token=hub.token("alice"))
    hub.repo("alice/demo", "space").stage = "RUNNING"
    alice.request_space_hardware("alice/demo", "zero-a10g")
    runtime = alice.get_space_runtime("alice/demo")
    assert (runtime.stage, runtime.requested_hardware) == ("RUNNING", "zero-a10g")
    assert hub.asked_for("secrets") == []
    alice.add_space_secret("alice/demo", "KEY", "very secret")
    alice.add_space_variable("alice/demo", "NAME", "value")
    assert {*alice.get_space_secrets("alice/demo")} == {"KEY"}
    assert "value" not in alice.get_space_secrets("alice/demo")["KEY"].__dict__
    assert alice.get_space_variables("alice/demo")["NAME"].value == "value"
    assert hub.asked_for("secrets")[0].json() == {"key": "KEY", "value": "very secret"}
    with pytest.raises(RepositoryNotFoundError):
        HfApi(token=False).space_info("alice/demo")


# ---- login

SCOPES = "openid profile contribute-repos"


def test_a_login_gives_a_token_that_reaches_only_what_it_made(alice: HfApi, hub: HubServer) -> None:
    hub.put("alice/private", {"config.json": b"{}"}, private=True)
    hub.put("alice/public", {"config.json": b"{}"})
    answer = signed_in(hub)
    key = get_session().get(f"{hub.url}/oauth/jwks").json()["keys"][0]["k"]
    head, body, signature = answer["id_token"].split(".")
    signed = hmac.new(unbase64(key), f"{head}.{body}".encode(), "sha256").digest()
    claims = json.loads(unbase64(body))
    assert signed == unbase64(signature)
    assert (claims["preferred_username"], claims["aud"], claims["nonce"]) == ("alice", hub.login.client_id, "once")
    app = HfApi(token=answer["access_token"])
    assert app.whoami()["name"] == "alice"
    with pytest.raises(RepositoryNotFoundError):
        app.model_info("alice/private")
    with pytest.raises(HfHubHTTPError, match="403"):
        app.upload_file(repo_id="alice/public", path_in_repo="a", path_or_fileobj=b"a")
    app.create_repo("alice/made", private=True)
    app.upload_file(repo_id="alice/made", path_in_repo="a", path_or_fileobj=b"a")
    assert alice.model_info("alice/made").private


def test_a_login_ends_and_may_be_refused(hub: HubServer) -> None:
    hub.login.seconds = 0
    with pytest.raises(HfHubHTTPError, match="Invalid"):
        HfApi(token=signed_in(hub)["access_token"]).whoami()
    hub.login.user = None
    assert authorized(hub)["error"] == ["access_denied"]


def authorized(hub: HubServer) -> dict[str, list[str]]:
    asked = {"client_id": hub.login.client_id, "redirect_uri": "http://here/back", "scope": SCOPES, "nonce": "once"}
    answer = get_session().get(f"{hub.url}/oauth/authorize", params=asked, follow_redirects=False)
    assert answer.headers["Location"].startswith("http://here/back?")
    return parse_qs(urlsplit(answer.headers["Location"]).query)


def signed_in(hub: HubServer) -> dict[str, Any]:
    form = {"grant_type": "authorization_code", "redirect_uri": "http://here/back", "code": authorized(hub)["code"][0]}
    client = (hub.login.client_id, hub.login.client_secret)
    return get_session().post(f"{hub.url}/oauth/token", data=form, auth=client).json()


def unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# ---- on its own


def test_it_runs_as_a_program_beside_other_processes(tmp_path: Path) -> None:
    here = Path(__file__).resolve().parent
    command = [sys.executable, here / "hub_server", "--root", tmp_path / "store"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            lines = [server.stdout.readline().split() for _ in range(7)]
            environment = dict(line[1].split("=", 1) for line in lines if line[0] == "export")
            token = next(line[2].removeprefix("HF_TOKEN=") for line in lines if line[1] == "alice:")
            environment |= {"HF_TOKEN": token, "HF_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}
            script = "from huggingface_hub import *; print(whoami()['name'], create_repo('net').repo_id)"
            ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
            assert ran.stdout.split() == ["alice", "alice/net"], ran.stderr
        finally:
            server.terminate()
