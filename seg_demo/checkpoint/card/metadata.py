"""What the Hugging Face Hub reads of a model card: the YAML in front of it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from seg_demo.checkpoint.card.markdown import one_line
from seg_demo.checkpoint.card.network import names
from seg_demo.checkpoint.config import CheckpointConfig

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK = "image-segmentation"
# Of what `eval` measures, the figures that the Hub has a name for, with ours.
METRICS = {"mean_iou": "Mean IoU", "accuracy": "Pixel accuracy"}
MOST_RESULTS = 40
_TAG = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")
_SPLIT = re.compile(r"\b(validation|val|trainval|train|test)\b")


def front_matter(name: str, config: CheckpointConfig, licence: str) -> str:
    """YAML between its two lines. licence: an id of the Hub, or "" for none."""
    from huggingface_hub import ModelCardData

    results = eval_results(config.metrics)
    metadata = ModelCardData(
        license=licence or None,
        library_name="seg_demo",
        pipeline_tag=TASK,
        tags=["semantic-segmentation", *filter(_TAG.fullmatch, names(config))],
        metrics=["mean_iou"],
        model_name=_text(name, "model") if results else None,
        eval_results=results or None,
    )
    return f"---\n{metadata.to_yaml()}\n---"


def eval_results(metrics: dict[str, Any]) -> list[EvalResult]:
    """The figures of `METRICS` on every split.

    What a split is called names the data set as well ("6 test photos"): a config does not say more than that, and the
    Hub's type for a folder of pictures is "imagefolder".
    """
    from huggingface_hub import EvalResult

    results = []
    for split, values in metrics.items():
        found = _SPLIT.search(split)
        for key, title in METRICS.items():
            value = values.get(key) if isinstance(values, dict) else None
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                measured = EvalResult(
                    task_type=TASK,
                    task_name="Semantic segmentation",
                    dataset_type="imagefolder",
                    dataset_name=_text(split, "split"),
                    dataset_config=_text(split, "split"),
                    dataset_split=found[0] if found else None,
                    metric_type=key,
                    metric_name=title,
                    metric_value=round(value, 4),
                )
                results.append(measured)
    return results[:MOST_RESULTS]


def _text(value: str, what: str) -> str:
    """A text that no reader of YAML takes for a number or a date, which the Hub refuses: 1e3 is one for some."""
    text = one_line(value)
    return text if re.search(r"[^\W\d_]{2}", text) else f"{what} {text}".strip()
