"""Fast video object segmentation with spatio-temporal GANs: model, training and tracker."""

__version__ = "0.1.0"
