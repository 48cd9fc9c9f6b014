"""Predictions of many images as a folder and as one HTML page."""

from .account import Account, account_of, closed_pdfs_text, copies
from .changes import kept_text
from .folder import FORMATS, PredictionFolder
from .image_files import ImageFile, Survey, assign_names, survey_inputs
from .model_card import model_summary
from .predictions import Predictions, PredictionsInMemory
from .report import analysis_of, report_page, write_report
from .verdict import ImageThreshold, carried_threshold, threshold_from_file
from .writing import StoppedError, Summary, write_predictions

__all__ = [
    'FORMATS', 'Account', 'ImageFile', 'ImageThreshold', 'PredictionFolder', 'Predictions',
    'PredictionsInMemory', 'StoppedError', 'Summary', 'Survey', 'account_of', 'analysis_of',
    'assign_names', 'carried_threshold', 'closed_pdfs_text', 'copies', 'kept_text',
    'model_summary', 'report_page', 'survey_inputs', 'threshold_from_file', 'write_predictions',
    'write_report',
]  # fmt: skip
