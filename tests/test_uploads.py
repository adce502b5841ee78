"""Only what was uploaded is opened: a path that a client makes up leads nowhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from seg_demo.ui.uploads import FileInput, PictureInput, PicturesInput, uploaded


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "photo.png").write_bytes(b"")
    (tmp_path / "private.png").write_bytes(b"")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


def test_uploads_are_taken(cache: Path) -> None:
    assert uploaded(str(cache / "photo.png"), str(cache)) == str(cache / "photo.png")


@pytest.mark.parametrize(
    "path", ["private.png", "cache/../private.png", "/etc/passwd", "/dev/zero", "cachet/a.png", ""]
)
def test_other_files_are_not(cache: Path, path: str) -> None:
    with pytest.raises(gr.Error, match="was not uploaded here"):
        uploaded(str(cache.parent / path), str(cache))


def test_links_out_of_the_folder_are_followed(cache: Path) -> None:
    (cache / "link.png").symlink_to(cache.parent / "private.png")
    with pytest.raises(gr.Error, match="was not uploaded here"):
        uploaded(str(cache / "link.png"), str(cache))


@pytest.mark.parametrize("kind", [PictureInput, FileInput])
def test_inputs_of_one_file(cache: Path, kind: type[gr.components.Component]) -> None:
    component = kind()
    component.GRADIO_CACHE = str(cache)
    assert component.preprocess(None) is None
    assert component.preprocess(SimpleNamespace(path=str(cache / "photo.png"))) == str(cache / "photo.png")
    with pytest.raises(gr.Error, match="was not uploaded here"):
        component.preprocess(SimpleNamespace(path=str(cache.parent / "private.png")))


def test_an_input_of_several_pictures(cache: Path) -> None:
    from gradio.components.gallery import GalleryData

    component = PicturesInput(type="filepath")
    component.GRADIO_CACHE = str(cache)
    good, bad = ({"image": {"path": str(path)}} for path in (cache / "photo.png", cache.parent / "private.png"))
    assert component.preprocess(GalleryData(root=[good])) == [(str(cache / "photo.png"), None)]
    with pytest.raises(gr.Error, match="was not uploaded here"):
        component.preprocess(GalleryData(root=[good, bad]))
