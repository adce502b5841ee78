"""README.md of a checkpoint: the model card, written from its config."""

from __future__ import annotations

from typing import Any

from seg_demo.checkpoint.config import CheckpointConfig


def model_card(name: str, config: CheckpointConfig) -> str:
    """Markdown with Hub metadata: what the model segments, how it was made, how it scores, how to use it."""
    from huggingface_hub import ModelCardData

    metadata = ModelCardData(
        library_name="seg_demo",
        pipeline_tag="image-segmentation",
        tags=["semantic-segmentation", config.architecture],
        metrics=["mean_iou"],
    )
    sections = [
        f"---\n{metadata.to_yaml()}\n---",
        f"# {name}",
        _summary(config),
        "## Use it",
        _usage(name),
        "## Classes",
        _classes(config),
        "## How it was made",
        _training(config),
        "## How it scores",
        _metrics(config.metrics),
    ]
    return "\n\n".join(sections) + "\n"


def _summary(config: CheckpointConfig) -> str:
    arguments = ", ".join(f"{key} {value}" for key, value in config.arguments.items())
    what = " and ".join(config.classes.names[1:]) if len(config.classes) <= 4 else f"{len(config.classes)} classes"
    return (
        f"A semantic-segmentation model for {what}: `{config.architecture}` ({arguments}), task {config.task}. "
        f"{config.training.get('about', '')}".strip()
    )


def _usage(name: str) -> str:
    return (
        "```python\n"
        "import seg_demo\n\n"
        f'predict = seg_demo.Predictor(seg_demo.load_checkpoint("checkpoints/{name}"))\n'
        'segmentation = predict(seg_demo.read_image("photo.jpg"))\n'
        "print(segmentation.shares)  # share of the pixels per class, 0 to 1\n"
        "```\n\n"
        f"or `python -m seg_demo predict checkpoints/{name} photo.jpg --out results`."
    )


def _classes(config: CheckpointConfig) -> str:
    rows = "\n".join(
        f"| {class_id} | {_cell(label)} | `#{bytes(color).hex()}` |"
        for class_id, (label, color) in enumerate(zip(config.classes.names, config.classes.colors, strict=True))
    )
    threshold = ""
    if config.task == "binary":
        threshold = f"\n\nA pixel is *{config.classes.names[1]}* from a probability of {config.threshold:g} on."
    return f"| id | name | colour |\n|---|---|---|\n{rows}{threshold}"


def _training(config: CheckpointConfig) -> str:
    rows = [
        f"- **{key.replace('_', ' ')}**: {_plain(value)}" for key, value in config.training.items() if key != "about"
    ]
    return "\n".join(rows) or "Not recorded."


def _metrics(metrics: dict[str, Any]) -> str:
    if not metrics:
        return "Not measured."
    tables = []
    for split, values in metrics.items():
        if isinstance(values, dict):
            rows = "\n".join(f"| {key.replace('_', ' ')} | {_plain(value)} |" for key, value in values.items())
            tables.append(f"On **{split}**:\n\n| figure | value |\n|---|---|\n{rows}")
        else:
            tables.append(f"- **{split}**: {_plain(values)}")
    return "\n\n".join(tables)


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return _cell(str(value))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
