"""`models`: the architectures as a table, and the layers of one of them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from seg_demo.cli.text import short, table, wrapped, write
from seg_demo.cli.values import whole

if TYPE_CHECKING:
    from seg_demo.models import Architecture
    from seg_demo.models.arguments import Argument
    from seg_demo.models.summary import Layer, Summary

LISTED_CLASSES = 21  # those of VOC, which the published weights have
SIDES = (32, 8192)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    actions = parser.add_subparsers(dest="action", metavar="[show NAME]")
    sentence = "Print the layers of one network, with output shapes, parameters and multiply-adds."
    show = actions.add_parser("show", help=sentence, description=sentence)
    show.add_argument("name", metavar="NAME", help="an architecture, such as unet; `models` lists them")
    show.add_argument("--backbone", metavar="B", help="another backbone than the architecture's default")
    show.add_argument(
        "--classes",
        type=whole(1, 255),  # a label map is uint8 and 255 is taken
        default=LISTED_CLASSES,
        metavar="N",
        help="classes of the network (default: 21)",
    )
    show.add_argument(
        "--size",
        type=picture_size,
        default=(512, 512),
        metavar="HxW",
        help="height and width of the picture (default: 512x512)",
    )
    show.add_argument(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another argument of the architecture, such as width=16; can be given several times",
    )
    show.add_argument(
        "--depth", type=whole(1, 99), metavar="D", help="1 shows the top blocks only; default: all layers"
    )
    # Without a default of its own it leaves a --json before "show" as it is.
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON document")


def picture_size(text: str) -> tuple[int, int]:
    """Height and width: of "480x640" (480, 640)."""
    match = re.fullmatch(r"([0-9]+)x([0-9]+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 480x640, height x width")
    if any(len(side) > 9 or not SIDES[0] <= int(side) <= SIDES[1] for side in match.groups()):
        raise argparse.ArgumentTypeError(f"the sides of {text} are not both from {SIDES[0]} to {SIDES[1]} pixels")
    return int(match[1]), int(match[2])


def setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"{text} is not of the form KEY=VALUE, such as width=16")
    return key, value


def run(arguments: argparse.Namespace) -> int:
    write(_show(arguments) if arguments.action == "show" else _list(arguments.json))
    return 0


def _list(as_json: bool) -> str:
    import torch

    from seg_demo.models import ARCHITECTURES, build_model

    entries = []
    for name, architecture in ARCHITECTURES.items():
        with torch.device("meta"):  # shapes only
            model = build_model(name, LISTED_CLASSES)
        backbone, *others = architecture.backbones or (None,)
        entries.append(
            {
                "name": name,
                "title": architecture.title,
                "source": architecture.source,
                "parameters": sum(parameter.numel() for parameter in model.parameters()),
                "stride": model.stride,
                "backbone": backbone,
                "other_backbones": others,
                "arguments": {key: _asked(argument) for key, argument in architecture.arguments.items()},
            }
        )
    return _json({"num_classes": LISTED_CLASSES, "architectures": entries}) if as_json else _listing(entries)


def _listing(entries: Sequence[dict[str, Any]]) -> str:
    from seg_demo.models.registry import networks_by_backbones

    rows = [
        (
            entry["name"],
            entry["title"],
            short(entry["parameters"]),
            str(entry["stride"]),
            entry["backbone"] or "-",
            str(len(entry["other_backbones"]) or "-"),
        )
        for entry in entries
    ]
    header = ("name", "network", "parameters", "stride", "backbone", "others")
    lines = table(header, rows, right=(2, 3, 5))
    lines += ["", f"Parameters are for {LISTED_CLASSES} classes; the stride is the pixels from one logit to the next."]
    lines += ["", "Backbones to choose from"]
    for choices, names in networks_by_backbones().items():
        if len(choices) > 1:
            lines += [f"  {', '.join(names)}:", *wrapped(", ".join(choices), indent=4)]
    lines += ["", "Sources"]
    longest = max(len(entry["name"]) for entry in entries)
    for entry in entries:
        name, *rest = wrapped(entry["source"], indent=longest + 4)
        lines += [f"  {entry['name']:{longest}}  {name.lstrip()}", *rest]
    lines += ["", "The layers of one: python -m seg_demo models show NAME"]
    return "\n".join(lines)


def _show(arguments: argparse.Namespace) -> str:
    from seg_demo.models import ARCHITECTURES
    from seg_demo.registry import look_up

    architecture = look_up("architecture", ARCHITECTURES, arguments.name)
    chosen = _chosen(arguments, architecture)
    checked = architecture.check(arguments.name, chosen)

    import torch

    from seg_demo.models import build_model
    from seg_demo.models.summary import summarise

    with torch.device("meta"):  # shapes only
        model = build_model(arguments.name, arguments.classes, **checked)
    summary = summarise(model, *arguments.size)
    if not arguments.json:
        lines = [_heading(architecture, chosen, arguments.classes), architecture.source, ""]
        return "\n".join([*lines, *_tree(summary, arguments.depth), "", *_totals(summary)])
    return _json(
        {
            "name": arguments.name,
            "title": architecture.title,
            "source": architecture.source,
            "arguments": checked,
            "num_classes": arguments.classes,
            "height": summary.height,
            "width": summary.width,
            "stride": model.stride,
            "parameters": summary.model.parameters,
            "backbone_parameters": summary.backbone_parameters,
            "new_parameters": summary.new_parameters,
            "multiply_adds": summary.model.multiply_adds,
            "weight_bytes": summary.weight_bytes,
            "layers": [_layer(layer, arguments.depth) for layer in summary.model.layers],
        }
    )


def _chosen(arguments: argparse.Namespace, architecture: Architecture) -> dict[str, Any]:
    """What --backbone and --set ask for, as values of the arguments' own kinds."""
    from seg_demo.errors import UserError
    from seg_demo.registry import look_up

    chosen: dict[str, Any] = {}
    if arguments.backbone is not None:
        if not architecture.backbones:
            raise UserError("{name} has no backbone to choose. Leave --backbone out.", name=arguments.name)
        chosen["backbone"] = arguments.backbone
    for key, text in arguments.set:
        argument = look_up(f"argument of {arguments.name}", architecture.arguments, key)
        if key in chosen:
            raise UserError('The argument "{key}" is given twice. Give it once.', key=key)
        chosen[key] = _value(argument, text)
    return chosen


def _value(argument: Argument, text: str) -> object:
    """The value that `text` stands for; what is none stays text, which the argument's own check refuses."""
    from seg_demo.models.arguments import Flag, Whole

    if isinstance(argument, Whole) and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if isinstance(argument, Flag):
        return {"true": True, "false": False}.get(text.lower(), text)
    return text


def _asked(argument: Argument) -> dict[str, object]:
    """An argument as JSON: its kind, its default, and its range or choices."""
    from dataclasses import asdict

    return {"kind": type(argument).__name__.lower(), **asdict(argument)}


def _heading(architecture: Architecture, chosen: dict[str, Any], classes: int) -> str:
    """What was built. Defaults are left out: those of a U-Net's own encoder say nothing of one on a backbone."""
    backbone = chosen.get("backbone", (*architecture.backbones, "none")[0])
    settings = [f"{key} {str(value).lower()}" for key, value in chosen.items() if key != "backbone"]
    network = architecture.title if backbone == "none" else f"{architecture.title} on {backbone}"
    return ", ".join([network, *settings, f"{classes} {'class' if classes == 1 else 'classes'}"])


def _tree(summary: Summary, depth: int | None) -> list[str]:
    rows = [_row("  " * level + layer.own_name, layer) for level, layer in _visible(summary.model.layers, depth)]
    header = ("layer", "kind", "output", "parameters", "multiply-adds")
    *lines, total = table(header, [*rows, _row("total", summary.model)], right=(3, 4))
    return [*lines, "-" * max(map(len, lines)), total]


def _row(name: str, layer: Layer) -> tuple[str, ...]:
    kind = f"{layer.kind} (used {layer.calls} times)" if layer.calls > 1 else layer.kind
    parameters = f"{layer.parameters:,}" if layer.parameters else ""
    return (name, kind, _outputs(layer), parameters, short(layer.multiply_adds) if layer.multiply_adds else "")


def _outputs(layer: Layer) -> str:
    """The shape of what a layer returns; of several maps the last, which is the coarsest of a backbone's."""
    if not layer.outputs:
        return ""
    last = " x ".join(map(str, layer.outputs[-1]))
    return last if len(layer.outputs) == 1 else f"{last} ({len(layer.outputs)} maps)"


def _visible(layers: Iterable[Layer], depth: int | None, level: int = 0) -> Iterable[tuple[int, Layer]]:
    """The layers in order with their level, 0 for the top blocks; `depth` levels of them."""
    for layer in layers:
        yield level, layer
        if depth is None or level + 1 < depth:
            yield from _visible(layer.layers, depth, level + 1)


def _totals(summary: Summary) -> list[str]:
    head = ", with the auxiliary head, which prediction leaves out" if len(summary.model.outputs) > 1 else ""
    backbone, new = f"{summary.backbone_parameters:,}", f"{summary.new_parameters:,}"
    size = f"{summary.height} x {summary.width}"
    rows = [
        ("parameters", f"{summary.model.parameters:,}", f"{backbone} in the backbone, {new} new"),
        ("multiply-adds", short(summary.model.multiply_adds), f"for one picture of {size}{head}"),
        ("weights", f"{summary.weight_bytes / 1e6:.1f} MB", "as a checkpoint"),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [f"{name:{widths[0]}}  {value:>{widths[1]}}  {rest}" for name, value, rest in rows]


def _layer(layer: Layer, depth: int | None, level: int = 1) -> dict[str, object]:
    """A layer and what is in it as JSON, `depth` levels deep."""
    within = layer.layers if depth is None or level < depth else ()
    return {**vars(layer), "layers": [_layer(inner, depth, level + 1) for inner in within]}


def _json(document: dict[str, object]) -> str:
    import json

    return json.dumps(document, indent=2)
