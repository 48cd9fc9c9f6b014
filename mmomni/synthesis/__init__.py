"""Tampered images made from authentic ones: forging operations, page rendering, JPEG histories.

NumPy, OpenCV and Pillow only.
"""

from .operations import DOMAINS, OPERATIONS, Forgery, ForgeryError, forge
from .synthesizer import RENDERED, Sample, Summary, Synthesizer, synthesize_folder

__all__ = [
    'DOMAINS',
    'OPERATIONS',
    'RENDERED',
    'Forgery',
    'ForgeryError',
    'Sample',
    'Summary',
    'Synthesizer',
    'forge',
    'synthesize_folder',
]
