"""A semantic-segmentation workbench: see, threshold, fine-tune and share models in a browser page.

>>> import seg_demo
>>> predict = seg_demo.Predictor(seg_demo.load_checkpoint("checkpoints/newts-binary"))
>>> predict(seg_demo.read_image("examples/1_water.jpg")).label_map.shape
(682, 1024)
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# Found when they are first used: importing the package, as every command does, must not cost what torch costs.
_PUBLIC = {
    "CheckpointConfig": "seg_demo.checkpoint",
    "ClassMap": "seg_demo.classes",
    "Predictor": "seg_demo.infer.predictor",
    "Segmentation": "seg_demo.infer.segmentation",
    "UserError": "seg_demo.errors",
    "build_model": "seg_demo.models",
    "load_checkpoint": "seg_demo.checkpoint",
    "pull": "seg_demo.hub.pull",
    "push": "seg_demo.hub.push",
    "read_image": "seg_demo.data.images",
    "save_checkpoint": "seg_demo.checkpoint",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
