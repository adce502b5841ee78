"""The figures of a checkpoint: from one confusion matrix and the logits at the pictures' own size, part by part."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg_demo.checkpoint import Checkpoint, CheckpointConfig, load_checkpoint
from seg_demo.classes import ClassMap
from seg_demo.data.dataset import Sample
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError
from seg_demo.evaluate.report import Evaluation, cross_entropy_sum, measure
from seg_demo.infer.predictor import Predictor
from seg_demo.palettes import NEWTS_BINARY

THREE = ClassMap.of("background", "cat", "dog")
PLAIN = Preprocessing("none", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


class Colours(nn.Module):
    """Logits that are the colours of the picture, times ten: one channel, or three."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": (images[:, : self.channels] - 0.5) * 10}


def colours(task: Any, preprocessing: Preprocessing = PLAIN) -> Checkpoint:
    classes = NEWTS_BINARY if task == "binary" else THREE
    config = CheckpointConfig("simple", {}, task, classes, preprocessing)
    return Checkpoint("colours", config, Colours(1 if task == "binary" else 3))


def samples(count: int, classes: int, height: int = 23, width: int = 31) -> list[Sample]:
    generator = np.random.default_rng(count)
    ids = np.array([*range(classes), 255], np.uint8)
    size = (height, width)
    return [
        Sample(f"{number}", generator.integers(0, 256, (*size, 3), np.uint8), generator.choice(ids, size))
        for number in range(count)
    ]


@pytest.mark.filterwarnings("error")
def test_figures_of_a_checkpoint(tiny_checkpoint: Path) -> None:
    loaded = load_checkpoint(tiny_checkpoint)
    always = Checkpoint("always", replace(loaded.config, threshold=0.0), loaded.model)
    first = samples(1, 2)[0]
    label_map = np.zeros_like(first.label_map)
    label_map[5:15, 5:15] = 1
    square = first._replace(label_map=label_map)
    empty = first._replace(label_map=np.zeros_like(label_map))
    share = 100 / label_map.size
    figures = measure(always, [square, empty])
    assert figures.pop("loss") > 0
    assert figures == pytest.approx({
        "accuracy": share / 2, "mean_accuracy": 0.5, "mean_iou": share / 4,
        "frequency_weighted_iou": share / 2 * share / 2, "mean_dice": share / (2 + share),
        "iou_background": 0.0, "iou_newt": share / 2, "mean_picture_iou": share / 2,
    })  # fmt: skip
    assert measure(always, []) == {}


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("tile", [1024, 16])
def test_the_loss_is_the_mean_over_the_labelled_pixels(task: Any, tile: int) -> None:
    pictures = samples(3, 2 if task == "binary" else 3)
    total, count = 0.0, 0
    for _, image, label_map in pictures:
        logits = (image.astype(np.float64) / 255 - 0.5) * 10
        if task == "binary":
            logits = np.stack([np.zeros(label_map.shape), logits[..., 0]], axis=-1)
        exact = np.exp(logits)
        exact /= exact.sum(axis=-1, keepdims=True)
        rows, columns = np.nonzero(label_map != 255)
        total -= np.log(exact[rows, columns, label_map[rows, columns]]).sum()
        count += len(rows)
    predictor, evaluation = Predictor(colours(task), "cpu", tile=tile), Evaluation(*_of(colours(task)))
    for picture in pictures:
        evaluation.predict(predictor, picture)
    assert evaluation.figures()["loss"] == pytest.approx(total / count, rel=1e-5)
    assert evaluation.loss_pixels == count == evaluation.confusion.matrix.sum()


def _of(checkpoint: Checkpoint) -> tuple[ClassMap, Any]:
    return checkpoint.config.classes, checkpoint.config.task


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_loss_is_that_of_torch_at_the_own_size(task: Any) -> None:
    """Also where the network sees the picture smaller: the logits are enlarged, not the loss."""
    picture = samples(1, 2 if task == "binary" else 3, 40, 60)[0]
    made = colours(task, replace(PLAIN, resize="longest", size=20))
    seen: list[Tensor] = []
    Predictor(made, "cpu")(picture.image, watch=lambda top, bottom, strip: seen.append(strip.clone()))
    logits = torch.cat(seen, dim=1)
    assert logits.shape == (1 if task == "binary" else 3, 40, 60)
    labels = torch.from_numpy(picture.label_map).long()
    labelled = labels != 255
    expected = (
        F.binary_cross_entropy_with_logits(logits[0][labelled], labels[labelled].float())
        if task == "binary"
        else F.cross_entropy(logits[None], labels[None], ignore_index=255)
    )
    assert measure(made, [picture], "cpu")["loss"] == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("task", "logits", "label", "expected"),
    [
        ("binary", [200.0], 0, 200.0),
        ("binary", [-200.0], 1, 200.0),
        ("binary", [200.0], 1, 0.0),
        ("binary", [0.0], 255, 0.0),
        ("multiclass", [300.0, 0.0, 0.0], 2, 300.0),
        ("multiclass", [0.0, 0.0, 0.0], 1, math.log(3)),
        ("multiclass", [0.0, 9.0, 0.0], 255, 0.0),
        ("multiclass", [0.0, 9.0, 0.0], 7, 0.0),
    ],
)
def test_cross_entropy_of_a_pixel(task: Any, logits: list[float], label: int, expected: float) -> None:
    tensor = torch.tensor(logits, dtype=torch.float64)[:, None, None]
    assert cross_entropy_sum(tensor, np.array([[label]], np.uint8), task) == pytest.approx(expected, abs=1e-6)


def test_a_picture_that_did_not_fit_at_first_counts_once() -> None:
    class Small(Colours):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            calls.append(images.shape[-2])
            if len(calls) == 2:  # in the second row of tiles, when the first one's loss is there already
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return super().forward(images)

    calls: list[int] = []
    picture = samples(1, 3, 700, 100)[0]
    evaluation = Evaluation(THREE, "multiclass")
    evaluation.predict(Predictor(replace(colours("multiclass"), model=Small(3)), "cpu", tile=512), picture)
    assert calls[:3] == [512, 512, 256]
    assert evaluation.figures() == pytest.approx(measure(colours("multiclass"), [picture], "cpu"), rel=1e-5)


def test_parts_add_up() -> None:
    for task, classes in (("binary", 2), ("multiclass", 3)):
        made: Any = colours(task)
        pictures = samples(5, classes)
        predictor, parts = Predictor(made, "cpu"), [Evaluation(*_of(made)) for _ in range(3)]
        for number, picture in enumerate(pictures):
            segmentation = parts[number % 2].predict(predictor, picture)
            assert np.array_equal(segmentation.label_map, predictor(picture.image).label_map)
        total = parts[2]
        for part in parts[:2]:
            total += part
        assert total.figures() == pytest.approx(measure(made, pictures, "cpu"), rel=1e-12)


def test_processes_join_what_they_have_measured() -> None:
    """Two that have measured the same: every sum is twice as large, so the figures are those of one."""
    for task, classes in (("binary", 2), ("multiclass", 3)):
        made: Any = colours(task)
        one, twice = (Evaluation(*_of(made), outlines=True) for _ in range(2))
        for picture in samples(2, classes):
            one.predict(Predictor(made, "cpu"), picture)
        twice += one
        twice += one
        joined = one.joined(lambda array: 2 * array)
        assert joined.figures() == twice.figures()
        assert "boundary_iou" in joined.figures()
        assert np.array_equal(joined.confusion.matrix, twice.confusion.matrix)
        assert (joined.loss_pixels, joined.binary_pictures) == (twice.loss_pixels, twice.binary_pictures)


def test_absent_classes() -> None:
    evaluation = Evaluation(THREE, "multiclass")
    assert evaluation.absent == ("background", "cat", "dog")
    evaluation.add(np.array([[0, 0, 255]], np.uint8), np.array([[0, 2, 1]], np.uint8))
    assert evaluation.absent == ("cat",)
    assert set(evaluation.figures()) == {
        "accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou", "mean_dice", "iou_background", "iou_dog",
    }  # fmt: skip


def test_a_label_that_is_no_class_is_refused() -> None:
    picture = samples(1, 3)[0]
    picture.label_map[0, 0] = 7
    with pytest.raises(UserError, match="holds the value 7 in 1 pixels"):
        measure(colours("multiclass"), [picture], "cpu")
