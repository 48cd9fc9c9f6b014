"""Tampered images made from authentic ones: forging operations, page rendering, JPEG histories.

NumPy, OpenCV and Pillow only.
"""

from .domains import DOMAINS, Domain
from .folder import Summary, synthesize_folder
from .operations import OPERATIONS, Forgery, ForgeryError, forge
from .publishing import POST, POST_PROBABILITY
from .synthesizer import AUTHENTIC, RENDERED, MadeImage, Synthesizer

__all__ = [
    'AUTHENTIC', 'DOMAINS', 'OPERATIONS', 'POST', 'POST_PROBABILITY', 'RENDERED', 'Domain',
    'Forgery', 'ForgeryError', 'MadeImage', 'Summary', 'Synthesizer', 'forge', 'synthesize_folder',
]  # fmt: skip
