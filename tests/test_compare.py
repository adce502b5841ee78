"""Two checkpoints on the same pictures: counts made by hand, classes brought together, and what may be chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from seg_demo.checkpoint import Checkpoint, CheckpointConfig, load_checkpoint
from seg_demo.classes import ClassMap
from seg_demo.data.dataset import AsBinary, DataSet, Sample, fingerprint, in_classes
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.errors import UserError
from seg_demo.evaluate.chance import Interval, bootstrap, mean_ious, parts, tail
from seg_demo.evaluate.compare import compare, overlays
from seg_demo.evaluate.compared import SAME, Comparison
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.learned import learned_from
from seg_demo.evaluate.report import measure
from seg_demo.palettes import NEWTS_BINARY
from seg_demo.registry import look_up
from seg_demo.viz.overlay import overlay

PLAIN = Preprocessing("none", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
ANIMALS = ClassMap.of("background", "cat", "dog")


class Colours(nn.Module):
    """Logits that are chosen channels of the picture: a model whose predictions are painted into the picture."""

    def __init__(self, *channels: int) -> None:
        super().__init__()
        self.channels = list(channels)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": (images[:, self.channels] - 0.5) * 10}


def model(name: str, classes: ClassMap, *channels: int, **options: Any) -> Checkpoint:
    """The class that a channel stands for is the one at its place in `channels`."""
    task: Any = "binary" if len(channels) == 1 else "multiclass"
    return Checkpoint(name, CheckpointConfig("simple", {}, task, classes, PLAIN, **options), Colours(*channels))


class Given(DataSet):
    def __init__(self, classes: ClassMap, *samples: Sample) -> None:
        self.classes, self.samples = classes, samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        return self.samples[index]


def row(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def picture(name: str, labels: Sequence[int], *channels: Sequence[int]) -> Sample:
    """One row of pixels; each channel holds 0 and 1."""
    image = np.stack([row(*channel) * 255 for channel in channels], axis=-1)
    return Sample(name, image, row(*labels))


# Red is what the base predicts, green what the new one does; 255 does not count.
MASKS = Given(
    NEWTS_BINARY,
    picture("better", [0, 0, 1, 1, 255], [1, 0, 1, 0, 1], [0, 0, 1, 1, 0], [0] * 5),
    picture("worse", [0, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 0], [0] * 4),
    picture("same", [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0] * 4),
    picture("unlabelled", [255, 255], [0, 1], [1, 1], [0] * 2),
    picture("nothing there", [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0] * 4),
)
BASE, NEW = model("base", NEWTS_BINARY, 0), model("new", NEWTS_BINARY, 1)


def masks() -> Comparison:
    return compare(BASE, NEW, MASKS, "cpu")


def test_golden_counts() -> None:
    compared = masks()
    assert compared.base and compared.why is None and compared.warnings == ()
    # Rows labelled, columns predicted: base [[8, 2], [2, 4]] over all pictures, new [[9, 1], [2, 4]].
    assert compared.base.ious == pytest.approx((8 / 12, 4 / 8))
    assert compared.new.ious == pytest.approx((9 / 12, 4 / 7))
    assert compared.base.figures["mean_iou"] == pytest.approx((8 / 12 + 4 / 8) / 2)
    assert compared.differences["accuracy"] == pytest.approx(13 / 16 - 12 / 16)
    assert compared.iou_differences == pytest.approx((1 / 12, 4 / 7 - 1 / 2))
    assert compared.differences.keys() == compared.base.figures.keys() >= {"loss", "boundary_iou", "mean_picture_iou"}
    first = compared.pictures[0]
    assert first.base and (first.index, first.name, first.pixels) == (0, "better", 4)
    assert first.base.ious == pytest.approx((1 / 3, 1 / 3))
    assert (first.new.ious, first.new.mean_iou, first.new.accuracy) == ((1.0, 1.0), 1.0, 1.0)
    assert first.difference == pytest.approx(2 / 3)
    last = compared.pictures[4]
    assert last.base and last.base.ious == (0.75, 0.0)  # predicted where none is: 0, and in the mean
    assert (last.base.mean_iou, last.new.ious) == (0.375, (1.0, None))
    unlabelled = compared.pictures[3]
    assert unlabelled.base and (unlabelled.base.mean_iou, unlabelled.new.accuracy, unlabelled.difference) == (None,) * 3
    assert [picture.name for picture in compared.better] == ["better", "nothing there"]
    assert [picture.name for picture in compared.worse] == ["worse"]
    assert [picture.name for picture in compared.same] == ["same"]
    assert compared.counts == {"pictures": 5, "better": 2, "worse": 1, "same": 1, "incomparable": 1}


def test_each_side_has_the_figures_of_a_measurement() -> None:
    compared = masks()
    for side, made in ((compared.base, BASE), (compared.new, NEW)):
        assert side
        figures = {name: value for name, value in side.figures.items() if name != "boundary_iou"}
        assert figures == pytest.approx(measure(made, MASKS, "cpu"))


def test_each_has_its_own_threshold_and_preprocessing() -> None:
    grey = Given(NEWTS_BINARY, *(sample._replace(image=sample.image // 3) for sample in MASKS))  # all below 0.5
    careless = replace(NEW, config=replace(NEW.config, threshold=0.05))
    wider = replace(NEW, config=replace(NEW.config, preprocessing=replace(PLAIN, std=(0.25, 0.25, 0.25))))
    compared = compare(BASE, careless, grey, "cpu")
    assert compared.base and compared.base.ious == pytest.approx((10 / 16, 0))
    assert compared.new.ious == pytest.approx((9 / 12, 4 / 7))
    assert compare(BASE, wider, grey, "cpu").new.ious == pytest.approx((9 / 12, 4 / 7))


def test_a_checkpoint_is_as_good_as_itself(tiny_species_checkpoint: Any) -> None:
    made = load_checkpoint(tiny_species_checkpoint)
    compared = compare(made, made, ProceduralNewts(6, longest=64), "cpu")
    assert set(compared.differences.values()) == {0.0} and set(compared.iou_differences) == {0.0}
    assert compared.counts == {"pictures": 6, "better": 0, "worse": 0, "same": 6, "incomparable": 0}
    assert compared.interval == Interval(0.0, 0.0)
    assert compared.certainty == "Both models do equally well on every picture."


def test_the_other_way_round_has_the_other_sign() -> None:
    one, other = masks(), compare(NEW, BASE, MASKS, "cpu")
    assert one.differences == pytest.approx({name: -value for name, value in other.differences.items()})
    assert [each.name for each in one.better] == [each.name for each in other.worse]
    assert one.interval and other.interval
    assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))


# Which classes both are measured in

# Channels: background, cat, dog.
PAINTED = Given(
    ANIMALS,
    picture("a", [0, 1, 2, 2], [1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]),
    picture("b", [0, 1, 1, 255], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]),
)
RIGHT = model("right", ANIMALS, 0, 1, 2)


@pytest.mark.parametrize(
    "other",
    [
        model("another order", ClassMap.of("dog", "background", "cat"), 2, 0, 1),
        model("upper case", ClassMap.of("Background", "CAT", "Dog"), 0, 1, 2),
        model("numbers", ClassMap.of("background", "class 1", "class 2"), 0, 1, 2),
        model("another ignore index", replace(ClassMap.of("dog", "cat", "background"), ignore_index=9), 2, 1, 0),
    ],
    ids=lambda each: each.name,
)
def test_the_same_classes_otherwise(other: Checkpoint) -> None:
    for compared, classes in (
        (compare(other, RIGHT, PAINTED, "cpu"), ANIMALS),
        (compare(RIGHT, other, PAINTED, "cpu"), other.config.classes),
    ):
        assert compared.base and compared.why is None and compared.classes == classes
        assert compared.new.figures == pytest.approx(compared.base.figures)
        assert compared.counts["same"] == 2
        ious = dict(zip(map(str.casefold, classes.names), compared.new.ious, strict=True))
        if "cat" in ious:
            assert ious == pytest.approx({"background": 1, "cat": 2 / 4, "dog": 1 / 3})


def test_a_model_that_knows_one_class_only() -> None:
    """Both are measured in its two classes; ids are those of the label maps, where dog and cat are one."""
    animal = model("animal", ClassMap.of("nothing", "animal"), 1)  # sees cats only
    for compared, ious in (
        (compare(animal, RIGHT, PAINTED, "cpu"), [(2 / 4, 3 / 5), (1, 1)]),
        (compare(RIGHT, animal, PAINTED, "cpu"), [(1, 1), (2 / 4, 3 / 5)]),
    ):
        assert compared.base and compared.classes.names == ("nothing", "animal")
        assert [compared.base.ious, compared.new.ious] == [pytest.approx(values) for values in ious]
        assert compared.warnings == (
            'One of the models only knows "animal", so all classes of the pictures but the first count as that one.',
        )
        assert "loss" not in compared.differences
    both = compare(animal, animal, PAINTED, "cpu")
    assert both.base and both.base.ious == both.new.ious == pytest.approx((2 / 4, 3 / 5))


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (ClassMap.of("background", "cat", "cow"), "Only the model has: cow. Only the pictures have: dog."),
        (ClassMap.of("background", "cat"), "Only the model has: none. Only the pictures have: dog."),
        (
            ClassMap.of("background", *"abcdefg"),
            "Only the model has: a, b, c, d, e and 2 more. Only the pictures have: cat, dog.",
        ),
    ],
)
def test_a_base_that_does_not_fit(classes: ClassMap, sentence: str) -> None:
    other = model("other", classes, *([0] * len(classes)))
    calls: list[tuple[int, int]] = []
    compared = compare(other, RIGHT, PAINTED, "cpu", lambda *numbers: calls.append(numbers))
    assert compared.why == f"other is not measured, because it knows other classes than the pictures. {sentence}"
    assert (compared.base, compared.interval, compared.certainty, compared.differences) == (None, None, None, {})
    assert compared.new.ious == pytest.approx((1, 2 / 4, 1 / 3))
    assert compared.counts["incomparable"] == 2
    assert calls == [(1, 2), (2, 2)]


def test_without_a_base() -> None:
    compared = compare(None, RIGHT, PAINTED, "cpu")
    assert (compared.base, compared.why, compared.warnings) == (None, None, ())
    document = json.loads(json.dumps(compared.to_json(), allow_nan=False))
    assert document["base"] is document["pictures"][0]["base"] is document["interval"] is None
    assert document["difference"] == {"figures": {}, "iou": {"background": None, "cat": None, "dog": None}}


def test_a_new_model_that_does_not_fit_is_refused() -> None:
    strange = model("strange", ClassMap.of("background", "cat", "cow"), 0, 1, 2)
    with pytest.raises(UserError, match='strange knows the class "cow", which the pictures lack'):
        compare(RIGHT, strange, PAINTED, "cpu")


# How it is done


def test_progress_and_what_is_seen() -> None:
    calls: list[tuple[int, int]] = []
    seen: list[tuple[str, list[int], list[int] | None, list[int]]] = []

    def watch(sample: Sample, base: np.ndarray | None, new: np.ndarray) -> None:
        seen.append((sample.name, sample.label_map[0].tolist(), None if base is None else base[0].tolist(),
                     new[0].tolist()))  # fmt: skip

    turned = model("turned", ClassMap.of("dog", "background", "cat"), 2, 0, 1)
    compare(RIGHT, turned, PAINTED, "cpu", lambda *numbers: calls.append(numbers), watch=watch)
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert seen[0] == ("a", [1, 2, 0, 0], [1, 2, 0, 2], [1, 2, 0, 2])
    assert seen[1][1] == [1, 2, 2, 255]


def test_progress_may_end_it() -> None:
    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise Enough

    read: list[int] = []

    class Counted(Given):
        def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
            read.append(index)
            return super().__getitem__(index)

    with pytest.raises(Enough):
        compare(BASE, NEW, Counted(NEWTS_BINARY, *MASKS.samples), "cpu", stop)
    assert read == [0, 1]  # one at a time, and each once for both models


def test_overlays_of_one_picture() -> None:
    turned = model("turned", ClassMap.of("dog", "background", "cat"), 2, 0, 1)
    shown = overlays(turned, RIGHT, PAINTED, 0, "cpu")
    sample = PAINTED[0]
    assert np.array_equal(shown.labelled, overlay(sample.image, sample.label_map, ANIMALS))
    assert np.array_equal(shown.new, overlay(sample.image, row(0, 1, 2, 1), ANIMALS))
    assert shown.base is not None and np.array_equal(shown.base, shown.new)
    assert shown.new.shape == sample.image.shape and shown.new.dtype == np.uint8
    assert not np.array_equal(shown.new, shown.labelled)
    assert overlays(None, RIGHT, PAINTED, 0, "cpu").base is None
    assert overlays(model("strange", ClassMap.of("a", "b", "c"), 0, 1, 2), RIGHT, PAINTED, 1, "cpu").base is None


def test_one_json_document() -> None:
    compared = masks()
    document = json.loads(json.dumps(compared.to_json(), allow_nan=False))
    assert document["classes"][1] == {"id": 1, "name": "newt", "color": list(NEWTS_BINARY.colors[1])}
    assert document["new"]["iou"] == {"background": 9 / 12, "newt": pytest.approx(4 / 7)}
    assert document["counts"] == compared.counts
    assert document["tolerance"] == SAME
    assert document["interval"].keys() == {"low", "high", "level", "resamples"}
    assert document["pictures"][3] == {
        "index": 3, "name": "unlabelled", "pixels": 0, "difference": None,
        "base": {"mean_iou": None, "accuracy": None, "iou": {"background": None, "newt": None}},
        "new": {"mean_iou": None, "accuracy": None, "iou": {"background": None, "newt": None}},
    }  # fmt: skip


# What may be chance


def matrices(count: int, classes: int, seed: int = 0) -> np.ndarray:
    """(count, classes, classes), some of them without a class or without any pixel."""
    generator = np.random.default_rng(seed)
    made = generator.integers(0, 50, (count, classes, classes)) * (generator.random((count, classes, classes)) < 0.5)
    made[0] = 0
    return made


def test_the_sums_are_those_of_confusion_matrices() -> None:
    made = matrices(7, 4)
    for chosen in ([0], [1, 1, 3], [0, 2, 4, 6, 6]):
        confusion = ConfusionMatrix(4)
        confusion.matrix = made[chosen].sum(axis=0)
        sums = np.stack([parts(matrix) for matrix in made])[chosen].sum(axis=0)
        assert float(mean_ious(sums)) == pytest.approx(confusion.mean_iou(), nan_ok=True)


def test_the_interval_is_that_of_resampled_matrices() -> None:
    base, new = matrices(8, 3, 1), matrices(8, 3, 2)
    found = bootstrap(*(np.stack([parts(matrix) for matrix in made]) for made in (base, new)), resamples=100, seed=3)
    differences = []
    for times in np.random.default_rng(3).multinomial(8, [1 / 8] * 8, 100):
        means = []
        for made in (base, new):
            confusion = ConfusionMatrix(3)
            for count, matrix in zip(times, made, strict=True):
                confusion.matrix += count * matrix
            means.append(confusion.mean_iou())
        differences.append(means[1] - means[0])
    assert found
    expected = np.quantile(differences, [tail(8), 1 - tail(8)])
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize(("count", "student"), [(5, 2.776445), (10, 2.262157), (31, 2.042272), (1001, 1.962339)])
def test_the_tails_are_those_of_students_t(count: int, student: float) -> None:
    from statistics import NormalDist

    assert tail(count) == pytest.approx(NormalDist().cdf(-student * (count / (count - 1)) ** 0.5), rel=0.03)


@pytest.mark.parametrize("count", [6, 20])
def test_the_interval_holds_the_truth_as_often_as_it_says(count: int) -> None:
    generator = np.random.default_rng(count)

    def drawn(pictures: int) -> tuple[np.ndarray, np.ndarray]:
        """Of two models with errors of the same kind, the new one a little better."""
        object_pixels = (10_000 * generator.beta(2, 5, pictures)).astype(int)
        hard = generator.beta(2, 8, pictures)
        made = []
        for gain in (0.0, 0.03):
            missed = np.clip(hard - gain + generator.normal(0, 0.05, pictures), 0, 0.9)
            lost = (object_pixels * missed).astype(int)
            found = object_pixels - lost
            invented = np.minimum(lost, 10_000 - object_pixels)
            background = 10_000 - object_pixels
            right = np.stack([background - invented, found], axis=1)
            labelled = np.stack([background, object_pixels], axis=1)
            predicted = np.stack([background - invented + lost, found + invented], axis=1)
            made.append(np.stack([right, labelled, predicted], axis=1))
        return made[0], made[1]

    base, new = drawn(100_000)
    truth = float(mean_ious(new.sum(axis=0)) - mean_ious(base.sum(axis=0)))
    intervals = [bootstrap(*drawn(count), resamples=1000) for _ in range(200)]
    held = sum(interval is not None and interval.low <= truth <= interval.high for interval in intervals)
    assert 0.89 <= held / 200 <= 0.99


def test_what_follows_from_the_interval() -> None:
    rest = "the 95 % interval of the difference of mean IoU is"
    for low, high, told in (
        (0.01, 0.02, f"The new model is better on pictures like these: {rest} +0.0100 to +0.0200."),
        (-0.02, -0.01, f"The new model is worse on pictures like these: {rest} -0.0200 to -0.0100."),
        (-0.02, 0.01, f"The difference may be chance: {rest} -0.0200 to +0.0100."),
        (0.0, 0.01, f"The difference may be chance: {rest} +0.0000 to +0.0100."),
    ):
        assert Interval(low, high).told == told


def test_few_pictures() -> None:
    few = compare(BASE, NEW, Given(NEWTS_BINARY, *MASKS.samples[:4]), "cpu")
    assert few.interval is None
    assert few.certainty == ("Pictures measured: 4. That is too few to tell a difference from chance; take at least 5.")
    none = compare(BASE, NEW, Given(NEWTS_BINARY, *[MASKS[3]] * 5), "cpu")
    assert (none.interval, none.base and none.base.figures) == (None, {})
    assert none.certainty == "No pixel of these pictures is labelled, so nothing is measured."


# What it has learned from


def splits(name: str) -> DataSet:
    chosen = {"train": slice(0, 3), "val": slice(3, 5), "trainval": slice(0, 5)}
    return Given(NEWTS_BINARY, *MASKS.samples[look_up("split", chosen, name)])


def having_learned(samples: DataSet, drawn: Sequence = (), **noted: Any) -> Checkpoint:
    return model("mine", NEWTS_BINARY, 0, training={"data_fingerprint": fingerprint(samples, drawn), **noted})


def told(count: int, all_: int) -> str:
    return (
        f"mine has learned from {count} of these {all_} pictures, so its figures here say little about other pictures. "
        "Compare on pictures that were kept back."
    )


@pytest.mark.parametrize(
    ("learned", "noted", "measured", "given", "expected"),
    [
        ("train", {}, "train", False, (3, 3)),
        ("train", {"split": "train"}, "train", True, (3, 3)),
        ("train", {"split": "train"}, "val", True, None),
        ("train", {"split": "train"}, "trainval", True, (3, 5)),
        ("train", {"split": "train"}, "trainval", False, None),  # nothing says so
        ("trainval", {"split": "trainval"}, "val", True, (2, 2)),
        ("trainval", {}, "val", True, (2, 2)),
        ("trainval", {"split": 7}, "val", True, (2, 2)),
        ("trainval", {"split": "train"}, "val", True, None),
    ],
)
def test_pictures_that_were_learned_from(
    learned: str, noted: dict[str, Any], measured: str, given: bool, expected: tuple[int, int] | None
) -> None:
    made = having_learned(splits(learned), **noted)
    warning = learned_from(made, splits(measured), splits if given else None)
    assert warning == (told(*expected) if expected else None)


def test_drawn_pictures_that_were_learned_from_as_well() -> None:
    drawn = ProceduralNewts(30, longest=PLAIN.size, species=False, seed=4)
    made = having_learned(splits("train"), drawn, pictures={"drawn": 30}, seed=3)
    assert learned_from(made, splits("train")) == told(3, 3)
    assert learned_from(having_learned(splits("train"), drawn), splits("train")) is None


def test_merged_classes_have_a_fingerprint_of_their_own() -> None:
    merged = in_classes(PAINTED, NEWTS_BINARY, "binary", "mine")
    assert isinstance(merged, AsBinary)
    assert learned_from(having_learned(merged), PAINTED) == told(2, 2)


@pytest.mark.parametrize(
    "training", [{}, {"data_fingerprint": 7}, {"data_fingerprint": "f", "pictures": [], "seed": 1}]
)
def test_a_checkpoint_that_says_nothing(training: dict[str, Any]) -> None:
    made = model("mine", NEWTS_BINARY, 0, training=training)
    assert learned_from(made, splits("train"), splits) is None


def test_both_are_asked() -> None:
    made = having_learned(MASKS)
    assert compare(made, NEW, MASKS, "cpu").warnings == (told(5, 5),)
    assert compare(BASE, made, MASKS, "cpu").warnings == (told(5, 5),)
    assert compare(None, made, splits("val"), "cpu", split=splits).warnings == (told(2, 2),)
