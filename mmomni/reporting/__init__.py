"""Predictions of many images as a folder and as one HTML page."""

from .folder import FORMATS, PredictionFolder
from .image_files import ImageFile, assign_names, find_image_files
from .report import write_report
from .verdict import ImageThreshold, carried_threshold, threshold_from_file
from .writing import Summary, write_predictions

__all__ = [
    'FORMATS', 'ImageFile', 'ImageThreshold', 'PredictionFolder', 'Summary', 'assign_names',
    'carried_threshold', 'find_image_files', 'threshold_from_file', 'write_predictions',
    'write_report',
]  # fmt: skip
