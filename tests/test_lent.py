"""Predicting in lent processes: with a stand-in for `spaces`, and with the real one, see zero_gpu.py."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ROOT
from gradio_client import Client, handle_file
from PIL import Image
from test_comparing import data_of, run_in
from test_slices import wait

from seg_demo.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from seg_demo.data.folder import open_folder
from seg_demo.errors import UserError
from seg_demo.evaluate.compare import compare
from seg_demo.evaluate.threshold import measure_thresholds
from seg_demo.infer import lent
from seg_demo.infer.lent import LentPredictor, Order, each, open_predictor, refused
from seg_demo.infer.library import Library
from seg_demo.infer.predictor import Predictor
from seg_demo.infer.segmentation import Segmentation
from seg_demo.models import build_model
from seg_demo.palettes import NEWTS_BINARY
from seg_demo.ui.results import Captions, segment_files

pytestmark = pytest.mark.xdist_group("lent")  # which share one server
BINARY, SPECIES = "newts-binary", "newts-species"


def picture(number: int, height: int = 40, width: int = 48) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def same(one: Segmentation, other: Segmentation) -> bool:
    kept = [(each.label_map, each.confidence, each.probabilities) for each in (one, other)]
    return all(np.array_equal(*pair) for pair in zip(*kept, strict=True) if pair[0] is not None) and (
        one.classes == other.classes
    )


def refuse(predictor: Predictor, image: np.ndarray, wanted: bool = True) -> int:
    if wanted:
        raise UserError("{name} is empty. Choose another file.", name="a.png")
    return 1


# Without `spaces` -------------------------------------------------------------------------------------------


class GradioError(Exception):
    def __init__(self, message: str, title: str) -> None:
        self.message, self.title = message, title


class Lender:
    """Does at once what a lent process would, on the pickled order; keeps what was ordered.

    error: is raised after so many results, once. through: what orders and results go through on their way.
    """

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.closed = 0
        self.error: Exception | None = None
        self.after = 0
        self.through: Any = lambda what: pickle.loads(pickle.dumps(what))

    def __call__(self, order: Order) -> Iterator[Any]:
        self.orders.append(self.through(order))
        error, self.error = self.error, None
        try:
            for number, result in enumerate(lent._serve(self.orders[-1])):
                if error and number == self.after:
                    raise error
                yield self.through(result)
        finally:
            self.closed += 1


@pytest.fixture
def lender(monkeypatch: pytest.MonkeyPatch) -> Lender:
    made = Lender()
    monkeypatch.setattr(lent, "_lend", made)
    return made


def test_off_zero_gpu_the_predictor_is_the_plain_one(tiny_checkpoint: Path) -> None:
    assert type(open_predictor(load_checkpoint(tiny_checkpoint), "cpu")) is Predictor


def test_a_lent_predictor_gives_the_same_integers(lender: Lender, tiny_species_checkpoint: Path) -> None:
    checkpoint = load_checkpoint(tiny_species_checkpoint)
    plain, borrowed = Predictor(checkpoint), open_predictor(checkpoint)
    assert isinstance(borrowed, LentPredictor) and borrowed.config is checkpoint.config
    assert same(borrowed(picture(1)), plain(picture(1)))
    kept = borrowed.keeping([2, 0], 16)
    assert (kept.depth, borrowed.depth) == (16, 8)
    found = kept(picture(1))
    assert same(found, plain.keeping([2, 0], 16)(picture(1)))
    assert found.probabilities is not None and found.probabilities.dtype == np.uint16


def test_a_binary_threshold_goes_along(lender: Lender, tiny_checkpoint: Path) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    found = LentPredictor(checkpoint)(picture(1), 0.3)
    assert found.threshold == 0.3 and same(found, Predictor(checkpoint)(picture(1), 0.3))


def test_many_pictures_share_a_lease_as_long_as_it_has_time(lender: Lender, tiny_checkpoint: Path) -> None:
    """10 pictures of 10 megapixels, of which six fit into a minute."""
    made: list[int] = []
    lender.through = lambda what: what

    def items() -> Iterator[tuple[np.ndarray]]:
        for number in range(10):
            made.append(number)
            yield (np.broadcast_to(np.uint8(0), (2500, 4000, 3)),)

    results = each(number_of_pixels, items(), LentPredictor(load_checkpoint(tiny_checkpoint)))
    assert next(results) == 10_000_000
    assert len(made) == 7, "no more is read than one lease takes"
    assert [*results] == [10_000_000] * 9
    assert [len(order.items) for order in lender.orders] == [6, 4]
    assert [order.seconds for order in lender.orders] == [57, 41]


def test_one_huge_picture_has_a_lease_of_its_own_and_not_for_ever(lender: Lender, tiny_checkpoint: Path) -> None:
    huge = np.broadcast_to(np.uint8(0), (20_000, 20_000, 3))
    lender.through = lambda what: what
    found = each(number_of_pixels, [(huge,), (picture(0),)], LentPredictor(load_checkpoint(tiny_checkpoint)))
    assert [*found] == [400_000_000, 40 * 48]
    assert [order.seconds for order in lender.orders] == [120, 8]


def number_of_pixels(predictor: Predictor, image: np.ndarray) -> int:
    return image.shape[0] * image.shape[1]


def test_a_lease_that_is_left_early_is_given_back(lender: Lender, tiny_checkpoint: Path) -> None:
    results = each(number_of_pixels, [(picture(0),)] * 3, LentPredictor(load_checkpoint(tiny_checkpoint)))
    next(results)
    assert lender.closed == 0
    results.close()
    assert lender.closed == 1


def test_a_user_error_comes_back_as_one(lender: Lender, tiny_checkpoint: Path) -> None:
    results = each(refuse, [(picture(0), False), (picture(0),)], LentPredictor(load_checkpoint(tiny_checkpoint)))
    assert next(results) == 1
    with pytest.raises(UserError) as caught:
        next(results)
    assert (caught.value.template, caught.value.fields) == (
        "{name} is empty. Choose another file.", {"name": "a.png"},
    )  # fmt: skip


def test_what_is_left_when_the_time_is_up_has_another_lease(lender: Lender, tiny_checkpoint: Path) -> None:
    lender.error, lender.after = GradioError("GPU task aborted", "ZeroGPU worker error"), 2
    results = each(number_of_pixels, [(picture(0),)] * 5, LentPredictor(load_checkpoint(tiny_checkpoint)))
    assert [*results] == [40 * 48] * 5
    assert [len(order.items) for order in lender.orders] == [5, 3]


@pytest.mark.parametrize(
    ("message", "title", "told"),
    [
        ("GPU task aborted", "ZeroGPU worker error", "The GPU was taken away before this was done, most likely"),
        ("No GPU was  available\nafter 60s.", "ZeroGPU queue timeout", "lends no GPU (No GPU was available after 60s)"),
        ("You have exceeded your quota. Try again.", "ZeroGPU quota exceeded", "Log in to Hugging Face, or come back"),
    ],
)
def test_where_no_gpu_is_lent_it_is_one_sentence(
    lender: Lender, tiny_checkpoint: Path, message: str, title: str, told: str
) -> None:
    lender.error = GradioError(message, title)
    with pytest.raises(UserError) as caught:
        LentPredictor(load_checkpoint(tiny_checkpoint))(picture(0))
    assert told in str(caught.value)


def test_what_nobody_has_thought_of_is_no_sentence(lender: Lender, tiny_checkpoint: Path) -> None:
    lender.error = GradioError("KeyError", "ZeroGPU worker error")
    with pytest.raises(RuntimeError, match="KeyError"):
        LentPredictor(load_checkpoint(tiny_checkpoint))(picture(0))


def test_a_long_reason_is_cut() -> None:
    assert len(str(refused(RuntimeError("why " * 1000)))) < 300


def test_pictures_that_were_predicted_stay_when_no_more_gpu_is_lent(
    lender: Lender, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    files = []
    for number in range(3):
        files.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(picture(number)).save(files[-1])
    lender.error, lender.after = GradioError("You have exceeded your quota", "ZeroGPU quota exceeded"), 2
    sent = [*segment_files(files, LentPredictor(load_checkpoint(tiny_checkpoint)), tmp_path, Captions(), send=shown)]
    last = sent[-1]
    assert (len(last.pictures), last.read, last.done, last.total) == (2, files[:2], 3, 3)
    assert len(last.problems) == 1 and "You have exceeded your quota" in str(last.problems[0])
    assert last.archive and len(last.files) == 6


def shown(picture: Any) -> Any:
    return SimpleNamespace(name=picture.name)


def test_a_checkpoint_that_is_replaced_is_another_model(lender: Lender, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """A process that is used again has the old one."""
    folder = tmp_path / BINARY
    shutil.copytree(tiny_checkpoint, folder)
    library = Library(tmp_path)
    before = library.predictor(BINARY)(picture(1))
    other_weights(folder, 5)
    os.utime(folder / "config.json", (1, 1))
    os.utime(folder / "model.safetensors", (2e9, 2e9))
    after = library.predictor(BINARY)
    assert same(after(picture(1)), Predictor(load_checkpoint(folder))(picture(1)))
    assert not same(after(picture(1)), before)


def other_weights(folder: Path, seed: int) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = CheckpointConfig("unet", {"width": 4, "depth": 2}, "binary", NEWTS_BINARY)
        return save_checkpoint(folder, build_model("unet", 1, width=4, depth=2), config)


# With `spaces` ----------------------------------------------------------------------------------------------


class Space:
    """A process that serves the page as a Space with ZeroGPU would, and what it was lent."""

    def __init__(self, home: Path, *checkpoints: Path) -> None:
        self.home = home
        for name, folder in zip((BINARY, SPECIES), checkpoints, strict=True):
            shutil.copytree(folder, home / "checkpoints" / name)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.log = (home / "space.log").open("wb")
        self.server = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "lent_page.py"), str(home)],
            env=environment, stdout=self.log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.url = wait(lambda: self.said.partition("READY ")[2].strip() or self.server.poll() is not None, 240)
        assert isinstance(self.url, str), self.said

    @property
    def said(self) -> str:
        return (self.home / "space.log").read_text()

    def visitor(self, token: str) -> Client:
        """One whom ZeroGPU knows by this token, which Hugging Face puts into each request."""
        return Client(self.url, headers={"x-ip-token": token}, verbose=False)

    def lent(self, what: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in (self.home / "lender.jsonl").read_text().splitlines()]
        return [one for one in found if one["what"] == what]

    def path(self, name: str) -> Path:
        return self.home / "checkpoints" / name


@pytest.fixture(scope="module")
def space(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, tiny_species_checkpoint: Path
) -> Iterator[Space]:
    if not torch.version.cuda or os.name == "nt":
        pytest.skip("spaces' ZeroGPU mode needs a build of torch with CUDA, and a system that can fork")
    space = Space(tmp_path_factory.mktemp("space"), tiny_checkpoint, tiny_species_checkpoint)
    yield space
    space.server.kill()
    space.server.wait()
    space.log.close()


def segment(client: Client, model: str, *files: Path) -> tuple[list[Path], str]:
    """The result files and what the page says."""
    pictures = [{"image": handle_file(str(file)), "caption": None} for file in files]
    found = client.predict(pictures, model, api_name="/segment")
    return [Path(file) for file in found[1]], str(found[3])


def drawn(folder: Path, count: int) -> list[Path]:
    files = [folder / f"{number}.png" for number in range(count)]
    for number, file in enumerate(files):
        Image.fromarray(picture(number)).save(file)
    return files


def label_map(file: Path) -> np.ndarray:
    with Image.open(file) as opened:
        return np.asarray(opened)


@pytest.mark.slow
def test_the_page_predicts_the_same_integers_with_several_pictures_in_one_lease(space: Space, tmp_path: Path) -> None:
    files = drawn(tmp_path, 3)
    before = len(space.lent("schedule"))
    found, status = segment(space.visitor("ada"), SPECIES, *files, files[0])
    plain = Predictor(load_checkpoint(space.path(SPECIES)), "cpu")
    masks = [file for file in found if file.name.endswith(".mask.png")]
    wanted = [plain(picture(number)).label_map for number in (0, 1, 2, 0)]
    assert [np.array_equal(label_map(mask), each) for mask, each in zip(masks, wanted, strict=True)] == [True] * 4
    leases = space.lent("schedule")[before:]
    assert [(one["token"], one["durationSeconds"]) for one in leases] == [("ada", "9")], status


@pytest.mark.slow
def test_the_visitor_is_told_that_nothing_is_left(space: Space, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="ZeroGPU lends no GPU"):
        segment(space.visitor("spent"), BINARY, *drawn(tmp_path, 2))


@pytest.mark.slow
def test_a_model_that_came_after_the_process_is_loaded_there(space: Space, tmp_path: Path) -> None:
    [file] = drawn(tmp_path, 1)
    visitor = space.visitor("ada")
    segment(visitor, BINARY, file)  # From now on there is a process, which is used again.
    before = len(space.lent("allow"))
    new = other_weights(space.path("new"), 3)
    found, _ = segment(visitor, "new", file)
    assert np.array_equal(label_map(found[0]), Predictor(load_checkpoint(new), "cpu")(picture(0)).label_map)
    assert len(space.lent("allow")) == before


@pytest.mark.slow
def test_a_data_set_is_measured_in_one_lease_for_the_visitor_who_asked(space: Space, tmp_path: Path) -> None:
    data = data_of(tmp_path / "set")
    before = len(space.lent("schedule"))
    counts = space.visitor("grace").predict(BINARY, NEWTS_BINARY.names[1], str(data), api_name="/measure")
    plain = Predictor(load_checkpoint(space.path(BINARY)), "cpu")
    assert counts == measure_thresholds(plain, open_folder(data).split("val")).counts.tolist()
    assert [one["token"] for one in space.lent("schedule")[before:]] == ["grace"]


@pytest.mark.slow
def test_two_models_are_compared_in_one_lease_with_their_losses(space: Space, tmp_path: Path) -> None:
    data = data_of(tmp_path / "set")
    base, new = space.path(BINARY), other_weights(tmp_path / "new", 7)
    job = run_in(tmp_path / "runs" / "one", base, data)
    shutil.copytree(new, job.run.last)
    before = len(space.lent("schedule"))
    found = space.visitor("grace").predict(str(job.folder), api_name="/compare")
    wanted = compare(load_checkpoint(base), load_checkpoint(new), open_folder(data).split("val"), "cpu")
    assert wanted.base
    plain = [[*side.ious, side.figures["loss"]] for side in (wanted.base, wanted.new)]
    assert [pytest.approx(side) for side in plain] == found
    assert [one["token"] for one in space.lent("schedule")[before:]] == ["grace"]


@pytest.mark.slow
def test_what_goes_wrong_over_there_is_told_here(space: Space, tmp_path: Path) -> None:
    visitor = space.visitor("ada")

    def told(name: str) -> list[Any]:
        return visitor.predict(name, api_name="/all_of")

    template, sentence = told("refuse")
    assert template == "{name} is empty. Choose another file." and sentence != str(space.server.pid)
    assert told("break_down") == ["A lent process failed: KeyError"]
    assert "what nobody has thought of" in space.said
    assert told("die")[1].startswith("The GPU was taken away before this was done")
    pids = visitor.predict(str(tmp_path / "mark"), api_name="/die_once")
    assert len(pids) == 4 and len(set(pids)) == 2 and space.server.pid not in pids
