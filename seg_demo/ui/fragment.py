"""A piece of the page that the server builds: elements by our hand, and the words in them only ever as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

Node = str | dict[str, Any]

# The template is static, because Gradio runs a template that mentions the value as code. Nothing is ever parsed as
# HTML: strings become text nodes, so that a file called "<img onerror=...>" or "${alert()}" is seen as just that.
TEMPLATE = '<div class="fragment"></div>'
SCRIPT = """
const root = element.querySelector(".fragment");
const build = (node) => {
  if (typeof node === "string") return document.createTextNode(node);
  const made = document.createElement(node.tag);
  for (const [name, value] of Object.entries(node.attributes)) made.setAttribute(name, value);
  if (node.color) made.style.backgroundColor = node.color;
  made.append(...node.children.map(build));
  return made;
};
const show = () => root.replaceChildren(...JSON.parse(props.value || "[]").map(build));
watch("value", show);
show();
"""


def element(tag: str, *children: Node, color: Sequence[int] | None = None, **attributes: str) -> Node:
    """An HTML element. color: RGB of its background. Attributes are written `class_`, `data_kind`.

    Tag and names of attributes must be constants; children and values may come from anybody.
    """
    node: dict[str, Any] = {
        "tag": tag,
        "attributes": {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()},
        "children": list(children),
    }
    if color is not None:
        node["color"] = f"rgb({', '.join(str(int(part)) for part in color)})"
    return node


class Fragment(gr.HTML):
    """Shows a list of nodes, strings and what `element` makes; None shows nothing."""

    def __init__(self, value: Sequence[Node] | None = None, **kwargs: Any) -> None:
        """kwargs: as for `gr.HTML` (elem_id, visible, ...)."""
        super().__init__(
            value,  # type: ignore[arg-type]
            html_template=TEMPLATE, js_on_load=SCRIPT, apply_default_css=False, **kwargs,
        )  # fmt: skip

    def postprocess(self, value: Sequence[Node] | None) -> str | None:  # type: ignore[override]
        """Parameters: value: nodes, or None."""
        return json.dumps(list(value or ()), ensure_ascii=False)
