"""Pictures that are kept for a while: found by their token, and gone after their time."""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path

import pytest

from seg_demo.errors import UserError
from seg_demo.ui import kept
from seg_demo.ui.kept import DAY, KEPT_DAYS, LINKED_DAYS, KeptPictures, home

GONE = "The picture of this link is no longer kept here. Bring the picture again."


@pytest.fixture
def pictures(tmp_path: Path) -> KeptPictures:
    return KeptPictures(tmp_path / "home" / "pictures")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return file_of(tmp_path, "写真 1.png", 300)


def file_of(folder: Path, name: str, size: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(os.urandom(size))
    return folder / name


def age(pictures: KeptPictures, token: str, days: float) -> None:
    """As if it had last been opened `days` ago."""
    then = time.time() - days * DAY
    os.utime(pictures.folder / token, (then, then))


def tokens(pictures: KeptPictures) -> set[str]:
    return {path.name for path in pictures.folder.iterdir()}


def test_a_picture_is_found_by_its_token(pictures: KeptPictures, photo: Path, tmp_path: Path) -> None:
    labels = file_of(tmp_path / "masks", photo.name, 40)
    alone, both = pictures.keep(photo), pictures.keep(photo, labels)
    assert alone.token != both.token
    assert pictures.find(alone.token) == alone
    assert (alone.picture.name, alone.labels) == (photo.name, None)
    found = KeptPictures(pictures.folder).find(both.token)  # after a restart of the server
    assert found == both
    assert found.picture.read_bytes() == photo.read_bytes()
    assert found.labels
    assert found.labels.read_bytes() == labels.read_bytes()
    assert photo.exists()


def test_only_the_server_may_look_into_the_folders(pictures: KeptPictures, photo: Path) -> None:
    token = pictures.keep(photo).token
    assert len(token) == 22
    for folder in (pictures.folder, pictures.folder / token):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "token",
    [
        *("", "A" * 22, "A" * 21, "..", "../" * 7 + "x", "/" + "A" * 21, "A" * 21 + "/"),
        *("\0" * 22, "A" * 22 + "\n", "ａ" * 22, "A" * 5000),
    ],
)
def test_other_tokens_lead_nowhere(pictures: KeptPictures, photo: Path, token: str) -> None:
    pictures.keep(photo)
    file_of(pictures.folder.parent, "picture", 10)  # what "../" would find
    for ask in (pictures.find, pictures.link):
        with pytest.raises(UserError) as caught:
            ask(token)
        assert str(caught.value) == GONE
    assert len(tokens(pictures)) == 1
    assert (pictures.folder.parent / "picture").exists()


def test_what_is_half_made_leads_nowhere(pictures: KeptPictures) -> None:
    (pictures.folder / ("A" * 22) / "picture").mkdir(parents=True)
    with pytest.raises(UserError, match="no longer kept"):
        pictures.find("A" * 22)


def test_a_picture_expires(pictures: KeptPictures, photo: Path) -> None:
    old, young = pictures.keep(photo).token, pictures.keep(photo).token
    age(pictures, old, KEPT_DAYS + 0.1)
    age(pictures, young, KEPT_DAYS - 0.1)
    with pytest.raises(UserError, match="no longer kept"):  # also where nobody has cleaned up since
        pictures.find(old)
    pictures.find(young)
    assert time.time() - (pictures.folder / young).stat().st_mtime < 60, "opening it starts its time anew"
    new = pictures.keep(photo).token
    assert tokens(pictures) == {young, new}


def test_a_linked_picture_expires_later(pictures: KeptPictures, photo: Path) -> None:
    linked, old = pictures.keep(photo), pictures.keep(photo).token
    pictures.link(linked.token)
    age(pictures, linked.token, LINKED_DAYS - 0.1)
    age(pictures, old, LINKED_DAYS - 0.1)
    pictures.clean_up()
    assert tokens(pictures) == {linked.token}
    assert pictures.find(linked.token) == linked
    age(pictures, linked.token, LINKED_DAYS + 0.1)
    pictures.clean_up()
    assert tokens(pictures) == set()


def test_the_oldest_go_beyond_the_total_size(
    pictures: KeptPictures, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [pictures.keep(photo).token for _ in range(4)]  # 300 bytes each
    monkeypatch.setattr(kept, "MOST_BYTES", 1000)
    for days, token in enumerate(reversed(made)):
        age(pictures, token, 0.1 * days)
    pictures.clean_up()
    assert tokens(pictures) == set(made[1:])
    # What goes by its age makes room for those that are linked.
    pictures.link(made[1])
    age(pictures, made[1], 20)
    for token in made[2:]:
        age(pictures, token, 2)
    kept_now = pictures.keep(photo).token
    assert tokens(pictures) == {made[1], kept_now}


def test_others_folders_are_left_alone(pictures: KeptPictures, photo: Path) -> None:
    holiday = file_of(pictures.folder / "Holiday 2019", "beach.jpg", 10)
    os.utime(holiday.parent, (0, 0))
    pictures.keep(photo)
    assert holiday.is_file()


def test_what_is_too_large_is_not_kept(pictures: KeptPictures, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LARGEST", 299)
    with pytest.raises(OSError, match="larger than 299"):
        pictures.keep(photo)
    assert not pictures.folder.exists()


def test_what_cannot_be_kept_leaves_nothing(pictures: KeptPictures, photo: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        pictures.keep(photo, tmp_path / "missing.png")
    assert not pictures.folder.exists()


@pytest.mark.parametrize("moment", ["*", "*/*"], ids=["before its age is asked", "before its files are counted"])
def test_another_process_may_clean_up_at_the_same_time(
    pictures: KeptPictures, photo: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gone = pictures.keep(photo).token
    listed = Path.glob

    def quicker(path: Path, pattern: str) -> list[Path]:
        found = list(listed(path, pattern))
        if pattern == moment:
            shutil.rmtree(pictures.folder / gone, ignore_errors=True)
        return found

    monkeypatch.setattr(Path, "glob", quicker)
    new = pictures.keep(photo).token
    assert tokens(pictures) == {new}


def test_where_pictures_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEG_DEMO_HOME", str(tmp_path))
    assert KeptPictures().folder == tmp_path / "kept-pictures"
    monkeypatch.setenv("SEG_DEMO_HOME", "")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "me")
    assert home() == tmp_path / "me" / ".cache" / "seg_demo"
