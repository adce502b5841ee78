"""The model card says what the config says, and nothing in a config can make it say or do anything else."""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_server import HubServer
from huggingface_hub import ModelCard, ModelCardData
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from seg_demo.checkpoint import CheckpointConfig, read_config
from seg_demo.checkpoint.card import model_card
from seg_demo.checkpoint.card.markdown import escaped
from seg_demo.checkpoint.card.swatches import swatch
from seg_demo.checkpoint.licences import LICENCES
from seg_demo.classes import ClassMap
from seg_demo.errors import UserError
from seg_demo.palettes import ADE20K, VOC

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = sorted((ROOT / "checkpoints").glob("newts-*"))
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# What has been tried on pages that show a stranger's text, and what means something in Markdown or YAML.
NASTY = [
    "<img src=x onerror=alert(1)>", "</code></pre><script>alert(1)</script>", "![x](https://evil.example/x.png)",
    "[click](javascript:alert(1))", "https://evil.example", "www.evil.example", "a@evil.example", "<https://evil.example>",
    "a\n\n# heading\n\n- item", "a\n---\ntags: [evil]\n---\n", "| a | b |\n|---|---|", "a|b", "``` \n`", "```",
    "`a``b`", "~~~", "\\|", "\\\\(x\\\\)", "$x^2$", "**a** _b_ ~~c~~", "_a_b_", "\\", "&lt;b&gt; &#96;", "[^1]: x",
    "[a]: http://evil.example",
    "1e3", "true", "null", "- a", "# a", "a: b", "{a: b}", "!!python/object", "'\"", "a\u2028b\x85c", "\ud83d",
    "\u202eabc", "<!-- ", "-->", "<details>", "x" * 3000,
]  # fmt: skip
TEXTS = (
    st.sampled_from(NASTY)
    | st.text(st.characters(codec=None), max_size=12)
    | st.text("`|_*[]()<>&\\$#!~:/@w.\n- ", max_size=16)
)


def is_name(text: str) -> bool:
    try:
        return bool(ClassMap((text,), ((0, 0, 0),)))
    except UserError:
        return False


NAMES = TEXTS.map(lambda text: re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", "", text)[:200]).filter(is_name)


def config_of(task: str = "multiclass", classes: ClassMap | None = None, **parts: Any) -> CheckpointConfig:
    classes = classes or ClassMap.of("background", "cat", "dog")
    return CheckpointConfig("unet", {"width": 8}, task, classes, **parts)  # type: ignore[arg-type]


def front(card: str) -> dict[str, Any]:
    found = REGEX_YAML_BLOCK.search(card)
    assert found
    return yaml.safe_load(found[2])


def body(card: str) -> str:
    found = REGEX_YAML_BLOCK.search(card)
    assert found
    return card[found.end() :]


def tokens(card: str) -> list[Token]:
    return [part for token in MARKDOWN.parse(body(card)) for part in (token, *(token.children or ()))]


def skeleton(card: str) -> list[str]:
    """What there is on the page besides text."""
    return [f"{token.type} {token.tag}" for token in tokens(card) if token.type not in ("text", "inline")]


def shown(card: str) -> str:
    """What is read on the page, without code."""
    return "\n".join(token.content for token in tokens(card) if token.type == "text")


def blocks(card: str) -> dict[str, str]:
    return {token.info: token.content for token in reversed(tokens(card)) if token.type == "fence"}


# What it says


def test_what_a_card_says() -> None:
    training = {
        "about": "It finds pets.", "preset": "finetune", "data": "pets here", "data_fingerprint": "43f01d9fbc19f363",
        "pictures": {"photos": 16, "drawn": 0, "validation": 4}, "recipe": "cross-entropy; AdamW", "steps": 70,
        "command": "python -m seg_demo train --preset finetune --data pets",
    }  # fmt: skip
    metrics = {"validation, 4 pictures": {"mean_iou": 0.7849, "iou_background": 0.9, "iou_cat": 0.66984, "loss": 0.25}}
    config = config_of(training=training, metrics=metrics)
    card = model_card("pets", config, repo="ada/pets", licence="cc-by-4.0", pictures=["samples/1.jpg"])
    for part in (
        "# pets",
        "one of 3 classes: **background**, **cat**, **dog**. It finds pets.",
        "![A photo, and beside it the same with what the model finds in it](samples/1.jpg)",
        "*Left a photo, right what the model finds in it.*",
        "| 1 | cat | 🟧 `#e69f00` |",
        'seg_demo.load_checkpoint(seg_demo.pull("ada/pets"))',
        "python -m seg_demo hub pull ada/pets\npython -m seg_demo predict checkpoints/pets photo.jpg --out results",
        "- **data**: pets here",
        "- **data fingerprint**: 43f01d9fbc19f363",
        "- **pictures**: photos 16, drawn 0, validation 4",
        "- **network**: U-Net, `unet` with width 8",
        "- **recipe**: cross-entropy; AdamW",
        "```bash\npython -m seg_demo train --preset finetune --data pets\n```",
        "### validation, 4 pictures\n\n| class | IoU |\n| --- | ---: |\n| background | 0.900 |\n| cat | 0.670 |\n"
        "| dog | – |\n| **mean** | **0.785** |\n\n- cross-entropy: 0.250",
        "- It knows these 3 classes and no others.",
        "- It learned from 16 labelled pictures.",
        "- It was measured on as few as 4 pictures: on others the figures will differ.",
        "- Validation pictures may have decided which step of the training was kept",
        "Creative Commons Attribution 4.0 (`cc-by-4.0`).",
    ):
        assert part in card, part
    assert "drawn by a program" not in card
    assert "Figures of drawn pictures" not in card


def test_the_task_binary_tells_its_threshold() -> None:
    card = model_card("newts", config_of("binary", ClassMap.of("background", "a*b"), threshold=0.35))
    assert "It marks the class **a\\*b** in photos" in card
    assert "A pixel is *a\\*b* from a probability of 0.35 on." in card
    assert "0.35" not in model_card("newts", config_of(threshold=0.35))


def test_a_card_of_a_config_that_tells_nothing() -> None:
    card = model_card("new", config_of())
    assert "Not recorded." in card
    assert "It has not been measured. `python -m seg_demo eval" in card
    assert "How many pictures it learned from is not recorded." in card
    assert "Its figures are not known" in card
    assert "None has been chosen" in card
    assert "![" not in card
    assert front(card).keys() == {"library_name", "pipeline_tag", "tags", "metrics"}


@pytest.mark.parametrize(
    ("resize", "words"),
    [
        ("longest", "with its longest side at 288 pixels"),
        ("shortest", "with its shortest side at 288 pixels"),
        ("exact", "at 288 x 288 pixels"),
        ("none", None),
    ],
)
def test_how_large_it_sees_pictures_is_a_limit(resize: str, words: str | None) -> None:
    config = config_of()
    card = model_card("pets", replace(config, preprocessing=replace(config.preprocessing, resize=resize, size=288)))
    assert ("It sees a picture" in card) == (words is not None)
    assert words is None or words in card


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        ({"photos": 1, "drawn": 0}, "It learned from 1 labelled picture."),
        ({"photos": 2, "drawn": 1}, "It learned from 2 labelled pictures and 1 picture drawn by a program."),
        ({"drawn": 1000}, "It learned from 1000 pictures drawn by a program."),
        ({"photos": "many"}, "How many pictures it learned from is not recorded."),
        (["a"], "How many pictures it learned from is not recorded."),
    ],
)
def test_what_it_learned_from_is_a_limit(pictures: object, words: str) -> None:
    assert words in model_card("pets", config_of(training={"pictures": pictures}))


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("6 test photos", "on as few as 6 pictures"),
        ("validation, 1 pictures", "on 1 picture:"),
        ("99 drawn examples", "Figures of drawn pictures say little about photos."),
        ("1449 val photos", None),
        ("val", None),
    ],
)
def test_what_it_was_measured_on_is_a_limit(split: str, words: str | None) -> None:
    card = model_card("pets", config_of(metrics={split: {"mean_iou": 0.5}}))
    assert words is None or words in card
    assert ("It was measured on" in card) == (words is not None)
    assert "Look at what it finds in pictures of your own before you rely on it." in card


def test_metrics_of_any_form_are_shown() -> None:
    metrics = {
        "val": {"mean_iou": "good", "extra_figure": [1, {"a": None}], "iou_gone": 0.1},
        "note": "by hand",
        "n": 3,
    }
    card = model_card("pets", config_of(metrics=metrics))
    for part in (
        "- mean IoU: good",
        "- extra figure: 1, a not recorded",
        "- iou gone: 0.100",
        "- note: by hand",
        "- n: 3",
    ):
        assert part in card, part
    deep: Any = 1
    for _ in range(500):
        deep = {"a": [deep]}
    assert "a a …" in model_card("pets", config_of(metrics={"val": deep}, training={"x": deep}))


def test_of_another_library_only_what_it_is_called() -> None:
    document = {"model_type": "segformer", "architectures": ["X"], "hidden_sizes": [32] * 999, "id2label": {"0": "<b>"}}
    config = replace(config_of(), architecture="transformers", arguments={"config": document, "bgr": False})
    card = model_card("pets", config)
    assert "`transformers` with model type segformer, bgr no" in card
    assert "where seg_demo is installed with its extra `transformers`:" in card
    assert front(card)["tags"] == ["semantic-segmentation", "transformers", "segformer"]
    assert "32" not in card and "<b>" not in card


def test_long_tables_are_folded() -> None:
    metrics = {"2000 val photos": {f"iou_{name}": 0.25 for name in ADE20K.names}}
    long, short = (model_card("m", config_of(classes=classes, metrics=metrics)) for classes in (ADE20K, VOC))
    assert long.count("<details>") == long.count("</details>") == 2
    assert "one of 150 classes. " not in long and "one of 150 classes." in long
    assert "<details>" not in short
    assert long.count("| wall |") == 2 or long.count("| wall ") == 2


@pytest.mark.parametrize(
    ("color", "square"),
    [
        ((0, 0, 0), "⬛"), ((255, 255, 255), "⬜"), ((127, 0, 0), "🟥"), ((0, 127, 0), "🟩"), ((0, 0, 128), "🟦"),
        ((240, 228, 66), "🟨"), ((213, 94, 0), "🟧"), ((204, 121, 167), "🟪"),
        ((120, 70, 20), "🟫"), ((255, 0, 20), "🟥"),
    ],
)  # fmt: skip
def test_the_nearest_square(color: tuple[int, int, int], square: str) -> None:
    assert swatch(color) == f"{square} `#{bytes(color).hex()}`"


# How it is used


@given(NAMES | TEXTS)
@settings(deadline=None)
def test_the_python_and_the_command_hold_the_name(name: str) -> None:
    code = blocks(model_card(name, config_of()))
    constants = [node.value for node in ast.walk(ast.parse(code["python"])) if isinstance(node, ast.Constant)]
    assert f"checkpoints/{name}" in constants
    words = shlex.split(code["bash"])
    assert (
        words[:4] == ["python", "-m", "seg_demo", "predict"] and len(words) == 8 and len(code["bash"].splitlines()) == 1
    )
    if name.isprintable():
        assert words[4] == f"checkpoints/{name}"


def test_the_python_for_a_repository() -> None:
    code = blocks(model_card("pets", config_of(), repo="ada/pets-2.1"))
    tree = ast.parse(code["python"])
    lines = [ast.unparse(node) for node in tree.body]
    assert lines[:3] == [
        "import seg_demo",
        "predict = seg_demo.Predictor(seg_demo.load_checkpoint(seg_demo.pull('ada/pets-2.1')))",
        "segmentation = predict(seg_demo.read_image('photo.jpg'))",
    ]
    assert code["bash"].splitlines()[0] == "python -m seg_demo hub pull ada/pets-2.1"


# Metadata


def test_metadata_for_the_hub() -> None:
    metrics = {
        "6 test photos": {"mean_iou": 0.83049, "accuracy": 0.9, "loss": 1.0},
        "6 test photos (mirrored)": {"mean_iou": 0.84},
        "40 other drawn pictures": {"mean_iou": 1},
        "broken": {"mean_iou": True, "accuracy": "high"},
        "note": 3,
    }
    config = replace(config_of(metrics=metrics), arguments={"backbone": "resnet50"})
    card = model_card("pets", config, licence="apache-2.0")
    found = front(card)
    assert found["license"] == "apache-2.0"
    assert found["library_name"] == "seg_demo"
    assert found["pipeline_tag"] == "image-segmentation"
    assert found["tags"] == ["semantic-segmentation", "unet", "resnet50"]
    assert found["metrics"] == ["mean_iou"]
    (index,) = found["model-index"]
    assert index["name"] == "pets"
    assert [result["dataset"] for result in index["results"]] == [
        {"name": "6 test photos", "type": "imagefolder", "config": "6 test photos", "split": "test"},
        {
            "name": "6 test photos (mirrored)",
            "type": "imagefolder",
            "config": "6 test photos (mirrored)",
            "split": "test",
        },
        {"name": "40 other drawn pictures", "type": "imagefolder", "config": "40 other drawn pictures"},
    ]
    assert index["results"][0]["task"] == {"type": "image-segmentation", "name": "Semantic segmentation"}
    assert index["results"][0]["metrics"] == [
        {"type": "mean_iou", "value": 0.8305, "name": "Mean IoU"},
        {"type": "accuracy", "value": 0.9, "name": "Pixel accuracy"},
    ]
    read = ModelCard(card)
    name, results = model_index_to_eval_results(found["model-index"])
    assert name == read.data.model_name == "pets"
    assert [result.metric_value for result in results] == [0.8305, 0.9, 0.84, 1]
    assert eval_results_to_model_index(name, results) == found["model-index"]
    assert str(read) == card


@pytest.mark.parametrize("licence", LICENCES)
def test_licences(licence: str) -> None:
    card = model_card("pets", config_of(), licence=licence)
    assert front(card)["license"] == licence
    assert f"(`{licence}`)" in card


def test_an_unknown_licence() -> None:
    with pytest.raises(
        UserError, match=r'^There is no licence "apache2\.0"\. Did you mean "apache-2\.0"\? Known: cc0-1\.0, mit'
    ):
        model_card("pets", config_of(), licence="apache2.0")


# A reader of YAML 1.2, as the Hub has, takes more for numbers than PyYAML does.
NUMBER = re.compile(r"[-+]?(0o[0-7]+|0x[0-9a-fA-F]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)|true|false|null|~|")


@pytest.mark.parametrize("name", ["1e3", "0o17", "12", "1.5", "true", "null", "~", "2026-11-30", "-", " ", ".5e1"])
def test_names_in_the_metadata_are_texts_for_every_reader(name: str) -> None:
    card = model_card(name, config_of(metrics={name: {"mean_iou": 0.5}}))
    texts = re.findall(r"^ *(?:- )?(?:name|config|split): (.*)$", card.split("\n---\n")[0], re.M)
    assert len(texts) >= 4
    assert not any(NUMBER.fullmatch(text) for text in texts)


def test_the_hub_takes_the_card(hub: HubServer) -> None:
    cards = [model_card(folder.name, read_config(folder), licence="mit") for folder in BUNDLED]
    cards += [model_card("pets", config_of(), licence=licence) for licence in LICENCES]
    cards += [model_card(text, config_of(metrics={text: {"mean_iou": 0.5}}, training={"data": text})) for text in NASTY]
    for card in cards:
        ModelCard(card).validate()
    assert len(hub.requests) == len(cards)
    with pytest.raises(ValueError, match="license"):
        ModelCard(cards[0].replace("license: mit", "license: mine")).validate()


# What strangers write into a config


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a cat, 3.5 m (wild)", "a cat, 3.5 m (wild)"),
        ("snake_case", "snake_case"),
        ("_a_", "\\_a\\_"),
        ("<b> & |", "&lt;b&gt; &amp; \\|"),
        ("[a](b) `c` *d* ~e~ #f", "\\[a\\](b) \\`c\\` \\*d\\* \\~e\\~ \\#f"),
        ("\\(x\\) $y$", "&#92;(x&#92;) &#36;y&#36;"),
        ("http://a.bc", "http:/\u200b/a.\u200bbc"),
        ("a\n- b\u202e\ud800", "a - b\ufffd"),
        ("x" * 2000, "x" * 999 + "…"),
    ],
)
def test_a_text_is_escaped_where_it_must_be(text: str, written: str) -> None:
    assert escaped(text) == written


@given(st.lists(NAMES, min_size=3, max_size=3, unique=True), st.lists(TEXTS, min_size=6, max_size=6), TEXTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_in_a_config_becomes_anything_but_text(names: list[str], texts: list[str], title: str) -> None:
    check_that_it_is_text(names, texts, title)


@pytest.mark.parametrize("text", NASTY)
def test_what_has_been_tried_elsewhere_is_text(text: str) -> None:
    names = [text, f"{text} a", f"b {text}"] if is_name(text[:100]) and len(text) < 100 else ["a", "b", "c"]
    check_that_it_is_text(names, [text] * 6, text)


def check_that_it_is_text(names: list[str], texts: list[str], title: str) -> None:
    def card_of(names: list[str], texts: list[str], title: str) -> str:
        one, two, three, four, five, six = texts
        training = {
            "about": one,
            "data": two,
            "data_fingerprint": three,
            f"k{four}": [five, {six: one}],
            "command": six or "x",
        }
        metrics = {
            f"1 {one}": {"mean_iou": 0.5, f"iou_{names[1]}": 0.4, f"x{three}": four},
            f"2 {six}": f"n{two}", "3": {"accuracy": 1.0},
        }  # fmt: skip
        config = config_of(classes=ClassMap.of(*names), training=training, metrics=metrics)
        return model_card(title, config, repo="ada/pets", licence="mit", pictures=["samples/1.jpg"])

    card = card_of(names, texts, title)
    plain = card_of(["background", "cat", "dog"], ["one", "two", "three", "four", "five", "six"], "pets")
    assert skeleton(card) == skeleton(plain)
    assert not re.search(r"://|www\.|@\w|\.(example|com)", shown(card), re.IGNORECASE)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]", card)
    found = front(card)
    assert found.keys() == front(plain).keys()
    assert found["tags"] == ["semantic-segmentation", "unet"]
    read = ModelCard(card)
    assert read.data.to_dict() == found
    assert isinstance(read.data.model_name, str) and read.data.model_name
    assert ModelCardData(**found).to_dict() == found
    for result in found["model-index"][0]["results"]:
        assert isinstance(result["dataset"]["name"], str)
    card.encode("utf-8")


@given(st.lists(NAMES, min_size=2, max_size=5, unique=True))
@settings(deadline=None)
def test_class_names_are_read_as_they_are(names: list[str]) -> None:
    card = model_card("pets", config_of(classes=ClassMap.of(*names)))
    cells = [token.content for token in tokens(card) if token.type == "inline"]
    rows = cells[cells.index("colour") + 1 :]
    unseen = r"[\s\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufdd0-\ufdef\ufffe\uffff\ufffd]"
    for number, name in enumerate(names):
        assert rows[3 * number] == str(number)
        (inline,) = MARKDOWN.parseInline(rows[3 * number + 1])
        read = "".join(part.content for part in inline.children or ())
        assert re.sub(unseen, "", read) == re.sub(unseen, "", name)


@pytest.mark.parametrize(
    "path", ["samples/1.jpg", "samples/a b.png", 'x" onerror="y.jpg', "a](http://e.com) b.jpg", "<b>.jpg"]
)
def test_paths_of_pictures_stay_addresses(path: str) -> None:
    card = model_card("pets", config_of(), pictures=[path])
    pictures = [token for token in tokens(card) if token.type == "image"]
    assert len(pictures) == 1
    assert not [token for token in tokens(card) if token.type in ("link_open", "html_inline", "html_block")]


# The bundled ones


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda folder: folder.name)
def test_bundled_cards_are_those_of_their_configs(folder: Path) -> None:
    assert (folder / "README.md").read_text("utf-8") == model_card(folder.name, read_config(folder))
