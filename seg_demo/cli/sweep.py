"""What every threshold of a class would give on labelled pictures: a table, a JSON document, a diagram."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg_demo.cli.text import table
from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.threshold import ThresholdHistogram
from seg_demo.infer.segmentation import threshold_level

SHOWN = tuple(tenth / 10 for tenth in range(1, 10))
HEADER = ("threshold", "precision", "recall", "F1", "IoU", "mean IoU", "accuracy", "predicted", "")
COLUMNS = ("precision", "recall", "f1", "iou", "mean_iou", "accuracy", "predicted_share")


@dataclass(frozen=True, eq=False)
class ThresholdReport:
    """histogram: what was measured. current, chosen: the checkpoint's threshold, and the one that it is compared with.
    choice: the method that chose the latter; None where it was given.
    """

    histogram: ThresholdHistogram
    current: float
    chosen: float
    choice: Choice | None

    @property
    def figure(self) -> str:
        """The figure by which thresholds are compared here: that which was made best, else F1."""
        name = str(self.choice)
        return name.removeprefix("best-").replace("-", "_") if name.startswith("best-") else "f1"

    @property
    def how(self) -> str:
        """How the threshold was chosen, in a few words."""
        if self.choice is None:
            return "given"
        return f"best by {self.figure}" if self.choice.name.startswith("best-") else f"by {self.choice}"

    def document(self) -> dict[str, Any]:
        """All that is told, as plain JSON values."""
        sweep, calibration = self.histogram.sweep(), self.histogram.calibration()
        bins = len(calibration.count)
        return {
            "pixels": int(self.histogram.counts.sum()),
            "average_precision": sweep.average_precision(),
            "expected_calibration_error": calibration.error,
            "method": None if self.choice is None else str(self.choice),
            "best": self._at(self.chosen),
            "current": self._at(self.current),
            "thresholds": [self._at(threshold) for threshold in SHOWN],
            "reliability": [
                {
                    "from": number / bins,
                    "to": (number + 1) / bins,
                    "pixels": int(calibration.count[number]),
                    "confidence": float(calibration.confidence[number]),
                    "frequency": float(calibration.frequency[number]),
                }
                for number in range(bins)
                if calibration.count[number]
            ],
        }

    def _at(self, threshold: float) -> dict[str, float]:
        sweep = self.histogram.sweep()
        level = threshold_level(threshold, sweep.full)
        return {"threshold": threshold, "level": level, **sweep.figures(level)}

    def lines(self, title: str) -> list[str]:
        """The table and what follows from it, for a person. title: what was measured on what."""
        document = self.document()
        best, current = document["best"], document["current"]
        rows = {entry["threshold"]: entry for entry in (*document["thresholds"], current, best)}
        notes = {current["threshold"]: "the checkpoint's"}
        notes[best["threshold"]] = self.how + (", the checkpoint's" if best == current else "")
        cells = [
            (f"{threshold:g}", *(f"{entry[name]:.4f}" if name in entry else "-" for name in COLUMNS),
             notes.get(threshold, ""))
            for threshold, entry in sorted(rows.items())
        ]  # fmt: skip
        by_figure = self.how.startswith("best")
        named = f"best threshold by {self.figure}" if by_figure else f"threshold {self.how}"
        figure = "" if by_figure else "an F1 of "
        return [
            f"{title}, {document['pixels']} labelled pixels:",
            "",
            *table(HEADER, cells, right=range(len(HEADER) - 1)),
            "",
            f"Average precision           {document['average_precision']:.4f}",
            f"Expected calibration error  {document['expected_calibration_error']:.4f}",
            f"The {named} is {best['threshold']:g}, with {figure}{best[self.figure]:.4f}; the checkpoint has "
            f"{current['threshold']:g}, with {current[self.figure]:.4f}.",
        ]

    def draw(self, path: Path, title: str) -> None:
        """The curves, into a PNG."""
        from seg_demo.viz.plots import ThresholdPlot, draw_threshold

        sweep, calibration = self.histogram.sweep(), self.histogram.calibration()
        draw_threshold(
            ThresholdPlot(
                title, sweep.thresholds, sweep.precision, sweep.recall, sweep.f1, sweep.iou,
                sweep.average_precision(), {self.how: self.chosen, "the checkpoint's": self.current},
                calibration.count, calibration.confidence, calibration.frequency, calibration.error,
            ),
            path,
        )  # fmt: skip
