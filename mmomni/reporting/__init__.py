"""Predictions of many images as a folder and as one HTML page."""

from .account import Account, account_of
from .folder import FORMATS, PredictionFolder
from .image_files import ImageFile, Survey, assign_names, survey_inputs
from .report import write_report
from .verdict import ImageThreshold, carried_threshold, threshold_from_file
from .writing import StoppedError, Summary, write_predictions

__all__ = [
    'FORMATS', 'Account', 'ImageFile', 'ImageThreshold', 'PredictionFolder', 'StoppedError',
    'Summary', 'Survey', 'account_of', 'assign_names', 'carried_threshold', 'survey_inputs',
    'threshold_from_file', 'write_predictions', 'write_report',
]  # fmt: skip
