"""A checkpoint as a zip: the same bytes each time, and read again whoever made it, or refused without a trace."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seg_demo.checkpoint import load_checkpoint, package, read_config
from seg_demo.checkpoint.card import model_card
from seg_demo.checkpoint.name import check_name, made_plain, places
from seg_demo.checkpoint.package import read_package, write_package
from seg_demo.data.archive import Limits
from seg_demo.errors import UserError

FILES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "mine" / "my newts"))
    (folder / "README.md").write_text(model_card("my newts", read_config(folder)), "utf-8")
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """A folder of checkpoints, in which nothing hidden is left after the test."""
    folder = tmp_path / "own"
    yield folder
    assert not folder.exists() or [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def zipped(target: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return target


def contents(checkpoint: Path, prefix: str = "") -> dict[str, bytes]:
    return {f"{prefix}{name}": (checkpoint / name).read_bytes() for name in FILES}


# Writing


def test_a_package_holds_the_checkpoint_and_nothing_else(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "samples").mkdir()
    for name in ("samples/2.png", "samples/1.jpg", "samples/notes.txt", ".hub.json", "diary.txt"):
        (checkpoint / name).write_bytes(name.encode())
    seen: list[tuple[int, int]] = []
    target = write_package(checkpoint, tmp_path / "new" / "a.zip", lambda *reached: seen.append(reached))
    assert [path.name for path in target.parent.iterdir()] == ["a.zip"]
    with zipfile.ZipFile(target) as file:
        names = ["config.json", "model.safetensors", "README.md", "samples/1.jpg", "samples/2.png"]
        assert file.namelist() == [f"my newts/{name}" for name in names]
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}
        assert file.testzip() is None
        for name in names:
            assert file.read(f"my newts/{name}") == (checkpoint / name).read_bytes()
    size = sum((checkpoint / name).stat().st_size for name in names)
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)
    # The bytes are those of the files alone.
    for path in checkpoint.iterdir():
        os.utime(path, (1e9, 1e9))
    (checkpoint / "config.json").chmod(0o600)
    before = target.read_bytes()
    assert write_package(checkpoint, target).read_bytes() == before


def test_what_cannot_be_packed_is_one_sentence_and_no_file(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out" / "a.zip"
    target.parent.mkdir()
    target.write_bytes(b"old")

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_package(checkpoint, target, stop)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(UserError, match=r"a\.zip could not be written \(No space left on device\)\. Free some"):
            write_package(checkpoint, target)
    with pytest.raises(UserError, match="is not a checkpoint: it holds no config.json"):
        write_package(tmp_path, target)
    with (checkpoint / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match="bytes long, but its header promises"):
        write_package(checkpoint, target)
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(UserError, match="is missing, so the checkpoint has no weights"):
        write_package(checkpoint, target)
    assert [(path.name, path.read_bytes()) for path in target.parent.iterdir()] == [("a.zip", b"old")]


# Reading


def test_what_was_packed_comes_back(checkpoint: Path, own: Path, tmp_path: Path) -> None:
    (checkpoint / "samples").mkdir()
    (checkpoint / "samples" / "1.png").write_bytes(b"\x89PNG")
    target = write_package(checkpoint, tmp_path / "a.zip")
    seen: list[tuple[int, int]] = []
    first = read_package(target, own, progress=lambda *reached: seen.append(reached))
    assert first == own / "my newts"
    assert sorted(path.name for path in first.iterdir()) == [*FILES, "samples"]
    assert contents(first) == contents(checkpoint)
    assert (first / "samples" / "1.png").read_bytes() == b"\x89PNG"
    assert seen[-1] == (target.stat().st_size,) * 2
    # Again, under a free name, which the card says; and under one that is given.
    second = read_package(target, own)
    assert second.name == "my newts-2"
    assert (second / "README.md").read_text("utf-8") == model_card("my newts-2", read_config(second))
    assert read_package(target, own, " other ").name == "other"
    for name, sentence in (
        ("other", "There is a checkpoint other already. Choose another name."),
        ("../x", "A checkpoint cannot be called '../x'."),
    ):
        with pytest.raises(UserError, match=sentence):
            read_package(target, own, name)
    assert sorted(path.name for path in own.iterdir()) == ["my newts", "my newts-2", "other"]
    assert load_checkpoint(second).config == load_checkpoint(checkpoint).config


@pytest.mark.parametrize("prefix", ["", "./", "newts/"])
def test_only_what_belongs_to_a_checkpoint_is_taken(prefix: str, checkpoint: Path, own: Path, tmp_path: Path) -> None:
    junk = {
        "__MACOSX/._config.json": b"x", ".DS_Store": b"x", f"{prefix}.hub.json": b"{}", f"{prefix}run.sh": b"x",
        f"{prefix}pytorch_model.bin": b"\x80\x02", f"{prefix}samples/1.png": b"", f"{prefix}samples/x.html": b"",
        f"{prefix}samples/deep/2.png": b"", f"{prefix}more/deep/config.json": b"{", "logo.png": b"", "empty/": b"",
        f"{prefix}data/inner.zip": b"PK\3\4",
    }  # fmt: skip
    archive = zipped(tmp_path / "my $newts.zip", contents(checkpoint, prefix) | junk)
    folder = read_package(archive, own)
    assert folder.name == ("newts" if prefix == "newts/" else "my -newts")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == [*FILES, "samples", "samples/1.png"]
    assert contents(folder) == contents(checkpoint)


def test_a_card_and_pictures_are_bounded(
    checkpoint: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "MAX_PICTURE_BYTES", 10)
    monkeypatch.setattr(package, "MOST_PICTURES", 3)
    pictures = {f"samples/{number}.png": b"x" * (11 if number == 1 else 9) for number in range(5)}
    archive = zipped(tmp_path / "a.zip", contents(checkpoint) | pictures | {"README.md": b"x" * (1 << 20) + b"x"})
    folder = read_package(archive, own)
    assert [path.name for path in sorted((folder / "samples").iterdir())] == ["0.png", "2.png"]
    assert (folder / "README.md").read_text("utf-8") == model_card("a", read_config(folder))
    (checkpoint / "README.md").unlink()
    bare = read_package(write_package(checkpoint, tmp_path / "b.zip"), own)
    assert (bare / "README.md").read_text("utf-8") == model_card("my newts", read_config(folder))


def test_a_tar_is_read_as_well(checkpoint: Path, own: Path, tmp_path: Path) -> None:
    archive = tmp_path / "imori.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name in FILES:
            file.add(checkpoint / name, name)
    folder = read_package(archive, own)
    assert folder.name == "imori"
    assert contents(folder) == contents(checkpoint)


def with_header(content: bytes, change: Callable[[dict[str, dict[str, object]]], None]) -> bytes:
    """A safetensors file whose header says something else."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    changed = json.dumps(header).encode()
    return struct.pack("<Q", len(changed)) + changed + content[8 + length :]


def huge(header: dict[str, dict[str, object]]) -> None:
    header[next(name for name in header if name != "__metadata__")]["shape"] = [10**12, 10**6]


def hostile(good: dict[str, bytes]) -> Iterator[tuple[str, dict[str, bytes] | bytes, str]]:
    """What it is, the entries of a zip or a whole file, and what is said of it."""
    weights, config = good["model.safetensors"], json.loads(good["config.json"])

    def other(**changes: object) -> dict[str, bytes]:
        return good | {"config.json": json.dumps(config | changes).encode()}

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02.")
        file.writestr("archive/data/0", b"x")
    yield "a torch file", buffer.getvalue(), r"^x\.zip/archive/data\.pkl is a pickle file, which could run any"
    yield "a bare pickle", b"\x80\x04\x95", r"^x\.zip is a pickle file"
    yield (
        "pickled weights",
        {"config.json": good["config.json"], "m/w.bin": b"\x80"},
        r"^x\.zip/m/w\.bin is a pickle",
    )
    yield (
        "text",
        b"Hello",
        r"^x\.zip is no zip or tar file\. Choose one that holds config\.json and",
    )
    yield "nothing", {}, "holds no checkpoint: config.json and model.safetensors must lie together"
    yield "half", {"config.json": good["config.json"]}, "holds no checkpoint: "
    yield "apart", {"a/config.json": good["config.json"], "b/model.safetensors": weights}, "holds no checkpoint: "
    yield "too deep", {f"a/b/{name}": content for name, content in good.items()}, "holds no checkpoint: "
    yield "two", {f"{at}{name}": good[name] for at in ("", "b/") for name in good}, r"holds 2 checkpoints\. Pack one"
    yield "a path", good | {"../evil.txt": b"x"}, r"leads out of the folder"
    yield "a root", good | {"/etc/passwd": b"x"}, r"leads out of the folder"
    yield "twice by case", good | {"A/config.json": b"{}", "a/config.json": b"{}"}, "are the same name on some systems"
    yield "a bomb", {**good, "model.safetensors": b"\0" * 3_000_000}, "has more than 2 MB, the most for one file"
    yield "cut off", zip_bytes(good)[:-400], "is damaged or cut off"
    yield "an unknown network", other(architecture="evil"), 'There is no architecture "evil"'
    yield "wild arguments", other(arguments={"width": 10**9}), "must be"
    yield "no config", good | {"config.json": b"{"}, r"^x\.zip/config\.json is not valid JSON"
    yield "a huge config", good | {"config.json": b" " * 1_100_000}, r"^x\.zip/config\.json is larger than 1 MB"
    yield "no weights", good | {"model.safetensors": b""}, r"^x\.zip/model\.safetensors is no safetensors file"
    yield (
        "a long header",
        good | {"model.safetensors": b"\xff" * 16},
        r"^x\.zip/model\.safetensors is no safetensors file",
    )
    yield (
        "a huge shape",
        good | {"model.safetensors": with_header(weights, huge)},
        "file, or its header is damaged",
    )
    yield "cut weights", good | {"model.safetensors": weights[:-4]}, r"bytes long, but its header promises"
    yield "NaN", good | {"model.safetensors": weights[:-4] + b"\0\0\xc0\x7f"}, r"hold values that are not finite"
    yield (
        "other weights",
        other(arguments={"width": 5, "depth": 2}),
        r"^x\.zip/model\.safetensors: the weights .* shape",
    )


def zip_bytes(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("there", [False, True])
def test_what_is_hostile_or_broken_is_one_sentence_and_nothing_on_the_disk(
    there: bool, checkpoint: Path, own: Path, tmp_path: Path
) -> None:
    limits = Limits(entries=100, total_bytes=4_000_000, file_bytes=2_000_000)
    own.mkdir()
    if there:
        read_package(write_package(checkpoint, tmp_path / "good.zip"), own)
    before = sorted(own.rglob("*"))
    cases = list(hostile(contents(checkpoint)))
    assert len({name for name, _, _ in cases}) == len(cases) > 20
    for what, archive, sentence in cases:
        (tmp_path / "x.zip").write_bytes(archive if isinstance(archive, bytes) else zip_bytes(archive))
        with pytest.raises(UserError, match=sentence) as told:
            read_package(tmp_path / "x.zip", own, limits=limits)
        assert str(own) not in str(told.value), f"{what}: where it was unpacked is nobody's concern"
        assert sorted(own.rglob("*")) == before, what
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "good.zip") == ["mine", "own", "x.zip"]


def test_links_and_passwords_are_refused(checkpoint: Path, own: Path, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("config.json")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
        file.writestr("model.safetensors", b"")
    with pytest.raises(UserError, match="is a link, a device or another special file"):
        read_package(tmp_path / "link.zip", own)
    locked = bytearray(zip_bytes(contents(checkpoint)))
    at = -1
    while (at := locked.find(b"PK\1\2", at + 1)) >= 0:
        locked[at + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(UserError, match=r"in locked\.zip is encrypted\. Pack it without a password\."):
        read_package(tmp_path / "locked.zip", own)
    assert list(own.iterdir()) == []


def test_it_can_be_stopped_and_the_disk_may_be_full(
    checkpoint: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_package(checkpoint, tmp_path / "a.zip")
    with pytest.raises(UserError, match=r"nowhere\.zip does not exist\. Check the path\."):
        read_package(tmp_path / "nowhere.zip", own)
    calls: list[int] = []
    read_package(target, own, "all", progress=lambda done, total: calls.append(done))
    for end in (1, 2, len(calls)):

        def stop(done: int, total: int, left: list[int] = [end]) -> None:  # noqa: B006
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            read_package(target, own, progress=stop)
        assert [path.name for path in own.iterdir()] == ["all"]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("seg_demo.data.archive._Writer.write", full)
        with pytest.raises(UserError, match=r"^a\.zip cannot be unpacked to own \(No space left on device\)\."):
            read_package(target, own)
    monkeypatch.setattr(package, "sync", full)
    with pytest.raises(UserError, match=r"^The checkpoint in a\.zip could not be written \(No space left on"):
        read_package(target, own)
    assert [path.name for path in own.iterdir()] == ["all"]


def test_a_name_that_is_taken_meanwhile(
    checkpoint: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_package(checkpoint, tmp_path / "a.zip")
    check = package._check

    def check_slowly(folder: Path) -> None:
        check(folder)
        (own / "my newts").mkdir()
        (own / "my newts" / "config.json").write_text("")

    monkeypatch.setattr(package, "_check", check_slowly)
    with pytest.raises(UserError, match="There is a checkpoint my newts already. Choose another name."):
        read_package(target, own, "my newts")
    shutil.rmtree(own / "my newts")
    assert read_package(target, own).name == "my newts-2"


def test_what_a_killed_process_has_left_goes(checkpoint: Path, own: Path, tmp_path: Path) -> None:
    (own / f"{package.STAGING}abcd1234" / "found").mkdir(parents=True)
    assert read_package(write_package(checkpoint, tmp_path / "a.zip"), own).parent == own
    assert [path.name for path in own.iterdir()] == ["my newts"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80), st.integers(0, 3))
def test_whatever_a_text_is_it_becomes_a_name(text: str, taken: int) -> None:
    name = made_plain(text)
    assert check_name(name) == name == made_plain(name)
    place = places(Path("nowhere"), name)
    found = [next(place).name for _ in range(taken + 1)]
    assert [check_name(each) for each in found] == found
    assert len(set(found)) == len(found)
