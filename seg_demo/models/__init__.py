"""Networks: `build_model(name, num_classes)` and the registry behind it."""

from seg_demo.models.registry import ARCHITECTURES, Architecture, build_model

__all__ = ["ARCHITECTURES", "Architecture", "build_model"]
