"""The page as a Space: what is uploaded, what is left alone, and that it starts; with the real client of the Hub."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from hub_server import HubServer

from seg_demo.checkpoint.link import Link, write_link
from seg_demo.cli.main import main
from seg_demo.errors import UserError
from seg_demo.hub import patience
from seg_demo.hub.account import NOBODY, Account
from seg_demo.hub.space import SpaceStatus, create_space, space_status
from seg_demo.hub.space_files import card, parted, requirements, staged_space
from seg_demo.ui.segment import EVERYDAY_EXAMPLES

CANARY = "hf_canaryThatNobodyMaySee0123456789abc"
SPACE = "alice/page"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", patience.Patience(timeout=5, tries=3, first_pause=0.01))


@pytest.fixture
def alice(hub: HubServer) -> Account:
    return Account(hub.token("alice"))


@pytest.fixture
def project(tmp_path: Path, tiny_checkpoint: Path, tiny_species_checkpoint: Path) -> Path:
    """A project like this one, only smaller, and with all kinds of things that are nobody's business."""
    folder = tmp_path / "project"
    for name, text in {
        "app.py": "print()\n",
        "requirements.txt": "torch>=2.8\ntorchvision>=0.23\ngradio>=6.31,<7\nnumpy>=1.26\n",
        "README.md": "# The project\n",
        "seg_demo/__init__.py": "",
        "seg_demo/ui/tab.py": "x = 1\n",
        "seg_demo/ui/tab.js": "1;\n",
        "seg_demo/ui/texts.json": "{}\n",
        "examples/newts/classes.txt": "background\nnewt\n",
        "examples/1.jpg": "jpeg",
        # what stays here
        ".env": CANARY,
        "seg_demo/.env": CANARY,
        "seg_demo/.hidden.py": CANARY,
        "seg_demo/ui/tab.pyi": CANARY,
        "seg_demo/__pycache__/tab.cpython-311.pyc": CANARY,
        "seg_demo/__pycache__/left.py": CANARY,
        "seg_demo/notes.txt": CANARY,
        "examples/.secret/1.jpg": CANARY,
        "examples/weights.pt": CANARY,
        ".git/config": CANARY,
        "runs/one/config.json": CANARY,
        "tests/test_x.py": CANARY,
        "docs/images/page.jpg": CANARY,
        "checkpoints/own/config.json": CANARY,
        "checkpoints/newts-binary/.hub.json": CANARY,
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name, made in (("newts-binary", tiny_checkpoint), ("newts-species", tiny_species_checkpoint)):
        shutil.copytree(made, folder / "checkpoints" / name, dirs_exist_ok=True)
    return folder


MODEL = ("README.md", "config.json", "model.safetensors")
UPLOADED = {
    *("README.md", "app.py", "requirements.txt", "examples/1.jpg", "examples/newts/classes.txt"),
    *("seg_demo/__init__.py", "seg_demo/ui/tab.js", "seg_demo/ui/tab.py", "seg_demo/ui/texts.json"),
    *(f"checkpoints/{name}/{file}" for name in ("newts-binary", "newts-species") for file in MODEL),
}


# What is uploaded ----------------------------------------------------------------------------------------


def test_just_what_is_needed_is_staged(project: Path) -> None:
    with staged_space("page", "cpu-basic", project=project) as files:
        assert set(files) == UPLOADED
        place = files["app.py"].path.parent
        assert not any(CANARY.encode() in file.path.read_bytes() for file in files.values())
        assert {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()} == UPLOADED
    assert not place.exists()


def test_the_project_itself_is_whole_and_small() -> None:
    with staged_space("page", "zero-a10g") as files:
        kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        package = {
            name for name in kept if re.match(r"seg_demo/|examples/|checkpoints/", name) and (ROOT / name).exists()
        }
        assert package <= set(files), "what is in the repository is in the Space"
        assert sum(file.size for file in files.values()) < 40e6
        assert max(file.size for name, file in files.items() if name.startswith("seg_demo/")) < 200_000


@pytest.mark.parametrize("name", ["seg_demo/ui/tab.py", "app.py", "checkpoints/newts-binary/model.safetensors"])
def test_a_link_is_refused_whatever_it_leads_to(project: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text(CANARY)
    (project / name).unlink()
    (project / name).symlink_to(outside)
    with (
        pytest.raises(UserError, match=f"{name} is a symbolic link, which is not uploaded"),
        staged_space("page", "cpu-basic", project=project),
    ):
        pass


def test_a_linked_folder_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "seg_demo" / "more").symlink_to(tmp_path)
    with (
        pytest.raises(UserError, match="more is a symbolic link, which is not uploaded. Put the folder itself"),
        staged_space("page", "cpu-basic", project=project),
    ):
        pass


def test_a_package_without_its_project_is_one_sentence(project: Path) -> None:
    (project / "app.py").unlink()
    with (
        pytest.raises(UserError, match="has no app.py, which a Space needs. Deploy from the project's folder"),
        staged_space("page", "cpu-basic", project=project),
    ):
        pass


def test_a_disk_that_is_full_is_one_sentence(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with (
        pytest.raises(UserError, match="could not be prepared .No space left on device.. Free some space"),
        staged_space("page", "cpu-basic", project=project),
    ):
        pass


def test_own_checkpoints_come_along_when_they_are_named(project: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(tiny_checkpoint, tmp_path / "cells"))
    (own / "notes.txt").write_text(CANARY)
    with staged_space("page", "cpu-basic", checkpoints=[own], project=project) as files:
        assert set(files) - UPLOADED == {f"checkpoints/cells/{name}" for name in MODEL}
    with pytest.raises(UserError, match="is not a checkpoint"), staged_space(
        "page", "cpu-basic", checkpoints=[tmp_path], project=project
    ):  # fmt: skip
        pass


def test_requirements_for_a_space() -> None:
    ours = (ROOT / "requirements.txt").read_text()
    plain, zero = (requirements(ours, hardware).splitlines() for hardware in ("t4-small", "zero-a10g"))
    assert "gradio[oauth]>=6.31,<7" in plain and "torch>=2.8" in plain
    assert set(zero) - set(plain) == {"torch>=2.8,<2.12", "spaces>=0.51"}
    assert len(plain) == len(ours.splitlines())


def test_front_matter_is_what_the_hub_reads() -> None:
    front, body = parted(card("page", "zero-a10g", "mit", ["ada/cells"]))
    assert front | {"emoji": "", "colorFrom": "", "colorTo": "", "pinned": ""} == {
        "title": "page", "emoji": "", "colorFrom": "", "colorTo": "", "pinned": "", "license": "mit",
        "short_description": "See what is in your photos, pixel by pixel", "models": ["ada/cells"],
        "tags": ["image-segmentation", "semantic-segmentation"], "sdk": "gradio", "sdk_version": version("gradio"),
        "python_version": "3.12", "app_file": "app.py", "suggested_hardware": "zero-a10g",
        "startup_duration_timeout": "1h", "hf_oauth": True, "hf_oauth_scopes": ["contribute-repos"],
    }  # fmt: skip
    assert len(front["short_description"]) <= 60
    assert body.startswith("\n# page\n")
    plain, _ = parted(card("page", "cpu-basic"))
    assert "license" not in plain and "models" not in plain


def test_what_visitors_see_of_a_card_stays_its_owners() -> None:
    before = (
        "---\ntitle: 細胞\nemoji: 🔬\npinned: true\nsdk: static\nsdk_version: 1.0\nmodels: [a/b]\n---\n\nOur cells.\n"
    )
    front, body = parted(card("page", "cpu-basic", models=["ada/cells"], before=before))
    assert (front["title"], front["emoji"], front["pinned"], body) == ("細胞", "🔬", True, "\nOur cells.\n")
    assert (front["sdk"], front["sdk_version"]) == ("gradio", version("gradio"))
    assert front["models"] == ["a/b", "ada/cells"]


@pytest.mark.parametrize(
    "before", ["", "no front matter", "---\n[1, 2\n---\nbody", "---\n- 1\n---\n", "---\n&a [*a]\n---\n"]
)
def test_a_card_that_cannot_be_read_is_no_obstacle(before: str) -> None:
    assert parted(card("page", "cpu-basic", before=before))[0]["sdk"] == "gradio"


# With a Hub ----------------------------------------------------------------------------------------------


def test_a_space_is_made_private_with_its_hardware(hub: HubServer, alice: Account, project: Path) -> None:
    told: list[tuple[int, int]] = []
    made = create_space(SPACE, account=alice, project=project, progress=lambda *numbers: told.append(numbers))
    repo = hub.repo(SPACE, "space")
    assert (made.repo, made.url, made.hardware) == (SPACE, f"{hub.url}/spaces/{SPACE}", "zero-a10g")
    assert (made.private, made.created, made.changed) == (True, True, True)
    assert (repo.private, repo.sdk, repo.requested_hardware) == (True, "gradio", "zero-a10g")
    assert made.commit == repo.branches["main"]
    there = hub.files(SPACE, kind="space")
    assert set(there) - {".gitattributes"} == UPLOADED == set(made.files)
    assert there["app.py"] == (project / "app.py").read_bytes()
    assert not any(CANARY.encode() in content for content in there.values())
    assert told[-1][0] == told[-1][1] > 0
    assert len(hub.asked_for("preupload")) <= 4, "small files are asked for together"
    assert hub.tokens_seen <= {alice.token, None}


def test_a_public_one_on_the_hardware_that_is_named(hub: HubServer, alice: Account, project: Path) -> None:
    made = create_space(f"{hub.url}/spaces/{SPACE}".replace(hub.url, "https://huggingface.co"), account=alice,
                        private=False, hardware="t4-small", project=project)  # fmt: skip
    assert (made.private, hub.repo(SPACE, "space").requested_hardware) == (False, "t4-small")
    front = yaml.safe_load(hub.files(SPACE, kind="space")["README.md"].decode().split("---")[1])
    assert front["suggested_hardware"] == "t4-small"
    assert b"spaces" not in hub.files(SPACE, kind="space")["requirements.txt"]


def test_an_update_changes_what_has_changed_and_nothing_else(hub: HubServer, alice: Account, project: Path) -> None:
    first = create_space(SPACE, account=alice, project=project)
    again = create_space(SPACE, account=alice, project=project)
    assert (again.commit, again.created, again.changed) == (first.commit, False, False)
    repo = hub.repo(SPACE, "space")
    repo.secrets["KEY"], repo.variables["SEG_DEMO_HOME"] = {"value": "secret"}, {"value": "/data"}
    before = hub.files(SPACE, kind="space")
    card_there = before["README.md"].replace(b"title: page", b"title: Ours")
    hub.put(SPACE, {"README.md": card_there, "mine.txt": b"kept", "checkpoints/cells/config.json": b"{}"}, kind="space")
    (project / "seg_demo" / "ui" / "tab.py").rename(project / "seg_demo" / "ui" / "other.py")
    (project / "examples" / "1.jpg").unlink()
    asked = len(hub.requests)
    made = create_space(SPACE, account=alice, project=project)
    there = hub.files(SPACE, kind="space")
    assert made.changed and not made.created
    assert set(before) - set(there) == {"seg_demo/ui/tab.py", "examples/1.jpg"}
    assert set(there) - set(before) == {"seg_demo/ui/other.py", "mine.txt", "checkpoints/cells/config.json"}
    assert there["README.md"] == card_there and there["mine.txt"] == b"kept"
    assert (repo.secrets, repo.variables) == ({"KEY": {"value": "secret"}}, {"SEG_DEMO_HOME": {"value": "/data"}})
    assert repo.requested_hardware == "zero-a10g"
    touched = {each.endpoint for each in hub.requests[asked:]}
    assert not touched & {"secrets", "volumes", "hardware", "create", "settings"}


def test_other_hardware_is_asked_for_when_it_is_named(hub: HubServer, alice: Account, project: Path) -> None:
    create_space(SPACE, account=alice, project=project)
    made = create_space(SPACE, account=alice, hardware="cpu-basic", project=project)
    assert made.hardware == hub.repo(SPACE, "space").requested_hardware == "cpu-basic"
    assert b"spaces" not in hub.files(SPACE, kind="space")["requirements.txt"]
    assert create_space(SPACE, account=alice, project=project).hardware == "cpu-basic"


def test_models_that_are_on_the_hub_are_named(
    hub: HubServer, alice: Account, project: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(tiny_checkpoint, tmp_path / "cells"))
    write_link(own, Link("alice/cells", "0" * 40, "seg_demo", "pushed", time.time(), {}, {}))
    create_space(SPACE, account=alice, checkpoints=[own], project=project)
    front, _ = parted(hub.files(SPACE, kind="space")["README.md"].decode())
    assert front["models"] == ["alice/cells"]
    assert "checkpoints/cells/model.safetensors" in hub.files(SPACE, kind="space")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"repo": "page"}, "is not the name of a repository"),
        ({"repo": "alice/page@v1"}, "A Space shows its newest version only. Name alice/page without a revision."),
        ({"hardware": "t4-smal"}, 'There is no hardware "t4-smal". Did you mean "t4-small"?'),
        ({"licence": "mitt"}, 'There is no licence "mitt". Did you mean "mit"?'),
        ({"account": NOBODY}, "Making a Space needs an account of the Hub. Log in first: hf auth login."),
        ({"repo": "bob/page"}, "This account may not do that with bob/page."),
    ],
)
def test_what_cannot_be_is_one_sentence(
    hub: HubServer, alice: Account, project: Path, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        create_space(**{"repo": SPACE, "account": alice, "project": project, **given})
    assert not any(kind == "space" for kind, _ in hub.store.repos)


def test_a_space_with_something_else_is_left_alone(hub: HubServer, alice: Account, project: Path) -> None:
    hub.put(SPACE, {"README.md": b"---\nsdk: gradio\n---\n", "app.py": b"theirs"}, kind="space", private=True)
    with pytest.raises(UserError, match="alice/page is a Space with something else. Choose another name."):
        create_space(SPACE, account=alice, project=project)
    assert hub.files(SPACE, kind="space")["app.py"] == b"theirs"


@pytest.mark.parametrize(("private", "told"), [(True, "only its owner sees it"), (False, "everybody sees it")])
def test_who_sees_a_space_is_not_changed_in_passing(
    hub: HubServer, alice: Account, project: Path, private: bool, told: str
) -> None:
    create_space(SPACE, account=alice, private=private, project=project)
    with pytest.raises(UserError, match=f"alice/page is there already, and {told}. Change that in its settings"):
        create_space(SPACE, account=alice, private=not private, project=project)
    assert create_space(SPACE, account=alice, project=project).private == private


@pytest.mark.parametrize("endpoint", ["create", "commit"])
def test_an_answer_that_is_lost_is_found_again(hub: HubServer, alice: Account, project: Path, endpoint: str) -> None:
    hub.fail(endpoint, "lost answer")
    create_space(SPACE, account=alice, project=project)
    assert space_status(SPACE, alice, project).is_current


def test_what_arrives_otherwise_is_told(
    hub: HubServer, alice: Account, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seg_demo.hub import space

    commit = space.commit

    def damaging(*given: Any, **more: Any) -> Any:
        done = commit(*given, **more)
        files = {**done.remote.files}
        del files["app.py"]
        return type(done)(type(done.remote)(**{**vars(done.remote), "files": files}))

    monkeypatch.setattr(space, "commit", damaging)
    with pytest.raises(UserError, match="alice/page/app.py is not on the Hub as it was pushed: its checksum differs"):
        create_space(SPACE, account=alice, project=project)


# How it is -----------------------------------------------------------------------------------------------


def test_status_compares_without_downloading(hub: HubServer, alice: Account, project: Path) -> None:
    made = create_space(SPACE, account=alice, project=project)
    repo = hub.repo(SPACE, "space")
    asked = len(hub.requests)
    assert space_status(SPACE, alice, project) == SpaceStatus(
        SPACE, made.url, made.commit, "BUILDING", "", "", "zero-a10g", True, ()
    )
    repo.stage, repo.hardware = "RUNNING", "zero-a10g"
    (project / "app.py").write_text("print(2)\n")
    (project / "seg_demo" / "ui" / "tab.js").unlink()
    hub.put(SPACE, {"checkpoints/cells/config.json": b"{}", "README.md": b"theirs"}, kind="space")
    found = space_status(SPACE, alice, project)
    assert (found.stage, found.hardware, found.is_current) == ("RUNNING", "zero-a10g", False)
    assert found.different == ("app.py", "seg_demo/ui/tab.js")
    assert not {each.endpoint for each in hub.requests[asked:]} & {"resolve", "cdn"}
    with pytest.raises(UserError, match="There is no public repository alice/page"):
        space_status(SPACE, NOBODY, project)


# The command ---------------------------------------------------------------------------------------------


@pytest.fixture
def login(hub: HubServer, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seg_demo.hub import space

    monkeypatch.setenv("HF_TOKEN", hub.token("alice"))
    monkeypatch.setitem(space.create_space.__kwdefaults__, "project", project)
    monkeypatch.setattr(space.space_status, "__defaults__", (None, project))


def test_create_and_status_as_a_command(
    hub: HubServer, login: None, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(*words: str) -> tuple[int, str, str]:
        code = main(["space", *words])
        captured = capsys.readouterr()
        assert hub.token("alice") not in captured.out + captured.err
        return code, captured.out, captured.err

    code, out, _ = say("create", SPACE, "--hardware", "cpu-basic")
    assert code == 0
    assert f"{hub.url}/spaces/{SPACE}: made, {len(UPLOADED)} files, cpu-basic (only its owner sees it), commit" in out
    assert f"python -m seg_demo space status {SPACE}" in out
    assert "up to date already" in say("create", SPACE)[1]
    assert "It holds the version that is here" in say("status", SPACE)[1]
    for number in range(10):
        (project / "seg_demo" / f"new_{number}.py").touch()
    code, out, err = say("status", SPACE)
    assert (code, "BUILDING, on nothing yet (cpu-basic was asked for)" in out) == (0, True)
    assert "seg_demo/new_7.py and 2 more" in out and f"python -m seg_demo space create {SPACE}" in err
    found = json.loads(say("status", SPACE, "--json")[1])
    assert (found["is_current"], len(found["different"])) == (False, 10)
    made = json.loads(say("create", SPACE, "--json")[1])
    assert (made["changed"], made["created"], made["repo"]) == (True, False, SPACE)
    assert say("create", SPACE, "--hardware", "gpu")[0] == 1


# That it starts ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A page that runs from a staged folder as a Space does, with nothing of the project on its path: address, log."""
    home = tmp_path_factory.mktemp("space")
    with staged_space("page", "cpu-basic") as files:
        place = Path(shutil.copytree(files["app.py"].path.parent, home / "app"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "GRADIO_", "PYTEST"))}
    kept |= {"SPACE_ID": "alice/page", "HF_TOKEN": CANARY, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    kept |= {"SEG_DEMO_HOME": str(home / "data"), "PYTHONUNBUFFERED": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    kept.pop("PYTHONPATH", None)
    log = home / "log"
    with log.open("wb") as out:
        server = subprocess.Popen([sys.executable, "app.py"], cwd=place, env=kept, stdout=out, stderr=out)
        try:
            end = time.monotonic() + 120
            while not (found := re.search(r"http://\S+", log.read_text())):
                assert server.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.1)
            yield found[0], log
        finally:
            server.kill()
            server.wait()


@pytest.mark.slow
def test_a_staged_space_answers(started: tuple[str, Path]) -> None:
    url, log = started
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.status == 200 and b"seg_demo" in answer.read()
    assert CANARY not in log.read_text()


@pytest.mark.slow
def test_its_package_is_the_staged_one_and_predicts(started: tuple[str, Path], tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    client = Client(started[0], verbose=False, download_files=str(tmp_path))
    pictures = [{"image": handle_file(str(ROOT / "examples" / "3_tray.jpg")), "caption": None}]
    _, files, _, status = client.predict(pictures, "newts-binary", api_name="/segment")[:4]
    assert len(files) == 3 and not status
    origin = subprocess.run(
        [sys.executable, "-c", "import seg_demo; print(seg_demo.__file__)"],
        cwd=started[1].parent / "app", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert origin.stdout.startswith(str(started[1].parent))


@pytest.mark.slow
def test_gradios_photos_are_shown_though_they_lie_elsewhere(started: tuple[str, Path]) -> None:
    photo = EVERYDAY_EXAMPLES[0]
    with urllib.request.urlopen(f"{started[0].rstrip('/')}/gradio_api/file={photo}", timeout=30) as answer:
        assert answer.read() == photo.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("space", "sent"), [("alice/page", "None"), ("", CANARY)])
def test_the_owners_token_is_not_taken_on_a_space(space: str, sent: str) -> None:
    code = "import app; from huggingface_hub.utils._headers import get_token_to_send as sent; print(sent(None))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SPACE"))}
    kept |= {"HF_TOKEN": CANARY} | ({"SPACE_ID": space} if space else {})
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=kept, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sent
