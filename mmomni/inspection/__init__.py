"""A doctor for data sets: what is wrong with images and masks before a network sees them.

Needs NumPy, OpenCV, Pillow, Jinja2 and mmengine's configs, but no torch; matplotlib only for
``report.html``.
"""

from mmomni.jpeg.quality import estimate_quality

from .doctor import Diagnosis, check_data, examine
from .kinds import KINDS, LEVELS, Kind
from .opening import is_config, open_sets
from .records import Finding, ImageFacts, MaskFacts, Record
from .reports import write_reports
from .similarity import DisjointSets, appearance_of, similar_groups
from .terminal import render_text

__all__ = [
    'KINDS', 'LEVELS', 'Diagnosis', 'DisjointSets', 'Finding', 'ImageFacts', 'Kind', 'MaskFacts',
    'Record', 'appearance_of', 'check_data', 'estimate_quality', 'examine', 'is_config',
    'open_sets', 'render_text', 'similar_groups', 'write_reports',
]  # fmt: skip
