"""Images and label maps as tensors, and what is done to both together, on torchvision's transforms v2."""

from seg_demo.data.transforms.chain import training_chain
from seg_demo.data.transforms.colour import Clamp, RandomBlur, RandomHue
from seg_demo.data.transforms.crops import CentreSquare, RandomCrop, SlidingCrop, sliding_crops, sliding_positions
from seg_demo.data.transforms.paste import RandomPaste
from seg_demo.data.transforms.sizes import RandomScale, Resize, ResizeByRule, resize_image, resize_label_map
from seg_demo.data.transforms.tensors import as_pair, normalize, to_tensor
from seg_demo.data.transforms.windows import RandomRotation, RandomWindow

__all__ = [
    "CentreSquare",
    "Clamp",
    "RandomBlur",
    "RandomCrop",
    "RandomHue",
    "RandomPaste",
    "RandomRotation",
    "RandomScale",
    "RandomWindow",
    "Resize",
    "ResizeByRule",
    "SlidingCrop",
    "as_pair",
    "normalize",
    "resize_image",
    "resize_label_map",
    "sliding_crops",
    "sliding_positions",
    "to_tensor",
    "training_chain",
]
