"""A semantic-segmentation workbench: see, threshold, fine-tune and share models in a browser page."""

__version__ = "0.1.0"
