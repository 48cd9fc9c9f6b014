"""What the paper reports: its test sets, its averages and the figures of its tables.

Sets are keyed by ``(domain, name)``; figures by the name of a set or of an average.
"""

from typing import NamedTuple

TOTAL = 'average'
Key = tuple[str, str]

PAPER_SETS: dict[Key, str] = {
    ('natural', 'CASIAv1'): 'per_image',
    ('natural', 'Coverage'): 'per_image',
    ('natural', 'CocoGlide'): 'per_image',
    ('natural', 'NIST16'): 'per_image',
    ('natural', 'IMD20'): 'per_image',
    ('document', 'SACP'): 'per_image',
    ('document', 'DocTamper-TestingSet'): 'doctamper',
    ('document', 'DocTamper-FCD'): 'doctamper',
    ('document', 'DocTamper-SCD'): 'doctamper',
    ('face', 'FaceShifter'): 'per_image',
}
"""The test sets (section 4.1), in the order of its tables, and the protocol each is scored by."""

PAPER_DOMAINS = tuple(dict.fromkeys(domain for domain, _ in PAPER_SETS))

PAPER_READINGS: dict[Key, str] = {('face', 'FaceShifter'): 'pooled'}
"""A second reading, as a row of its own that enters no average: the paper's text takes means over
images, while its own row of Table 4 is what one count of all pixels gives (``F1 = 2PR/(P + R)``,
``IoU = F1/(2 - F1)``)."""

PAPER_AVERAGES: dict[str, tuple[Key, ...]] = {
    'natural without IMD20': tuple(PAPER_SETS)[:4],
    'natural': tuple(PAPER_SETS)[:5],
    'document': tuple(PAPER_SETS)[5:9],
    'face': tuple(PAPER_SETS)[9:],
}
"""Means over sets; the total is the mean of the three domains."""


class Figures(NamedTuple):
    """What the paper reports of one set or average: in which table, and scores in [0, 1]."""

    table: int
    scores: dict[str, float]


def _averages(table: int, *figures: float) -> dict[str, Figures]:
    """IoU and F1 of natural, document, face and their average, as Tables 3, 5 and 6 list them."""
    names = (*PAPER_DOMAINS, TOTAL)
    return {
        name: Figures(table, dict(IoU=iou, F1=f1))
        for name, iou, f1 in zip(names, figures[::2], figures[1::2], strict=True)
    }


PAPER_ROWS: dict[str, dict[str, Figures]] = {
    'Omni-IML': {
        'CASIAv1': Figures(1, dict(IoU=0.798, F1=0.834)),
        'Coverage': Figures(1, dict(IoU=0.524, F1=0.576)),
        'CocoGlide': Figures(1, dict(IoU=0.448, F1=0.505)),
        'NIST16': Figures(1, dict(IoU=0.556, F1=0.630)),
        'IMD20': Figures(1, dict(IoU=0.662, F1=0.740)),
        'natural without IMD20': Figures(1, dict(IoU=0.582, F1=0.636)),
        'natural': Figures(1, dict(IoU=0.598, F1=0.657)),
        'SACP': Figures(2, dict(IoU=0.714, F1=0.820)),
        'DocTamper-TestingSet': Figures(
            2, dict(IoU=0.842, precision=0.837, recall=0.802, F1=0.819)
        ),
        'DocTamper-FCD': Figures(2, dict(IoU=0.750, precision=0.901, recall=0.760, F1=0.824)),
        'DocTamper-SCD': Figures(2, dict(IoU=0.685, precision=0.760, recall=0.786, F1=0.773)),
        'document': Figures(3, dict(IoU=0.748, F1=0.809)),
        'FaceShifter': Figures(4, dict(IoU=0.822, precision=0.993, recall=0.826, F1=0.902)),
        'face': Figures(3, dict(IoU=0.822, F1=0.902)),
        TOTAL: Figures(3, dict(IoU=0.723, F1=0.789)),
    },
    # of Table 3, re-trained on all tasks with the same settings
    'EVP': _averages(3, 0.455, 0.501, 0.411, 0.447, 0.814, 0.886, 0.560, 0.611),
    'HiFi-Net': _averages(3, 0.447, 0.492, 0.427, 0.461, 0.815, 0.892, 0.563, 0.615),
    'DTD': _averages(3, 0.314, 0.372, 0.468, 0.501, 0.820, 0.901, 0.534, 0.591),
    'TIFDM': _averages(3, 0.473, 0.515, 0.432, 0.473, 0.820, 0.900, 0.575, 0.629),
    'APSC-Net': _averages(3, 0.587, 0.653, 0.616, 0.657, 0.818, 0.900, 0.674, 0.737),
    'Baseline': _averages(5, 0.451, 0.544, 0.509, 0.580, 0.809, 0.888, 0.589, 0.670),
    'w.o. MG': _averages(5, 0.500, 0.552, 0.609, 0.672, 0.810, 0.890, 0.639, 0.704),
    'w.o. MG*': _averages(5, 0.568, 0.632, 0.625, 0.673, 0.811, 0.889, 0.668, 0.731),
    'w.o. DWD': _averages(5, 0.477, 0.567, 0.515, 0.580, 0.815, 0.894, 0.602, 0.680),
    'w.o. DW': _averages(5, 0.562, 0.625, 0.692, 0.765, 0.820, 0.901, 0.691, 0.763),
    'w.o. AE': _averages(5, 0.547, 0.601, 0.662, 0.726, 0.819, 0.900, 0.676, 0.742),
    'ConvNeXt-Small': _averages(6, 0.588, 0.648, 0.736, 0.793, 0.821, 0.901, 0.715, 0.781),
    'ConvNeXt-Large': _averages(6, 0.605, 0.665, 0.770, 0.829, 0.836, 0.910, 0.737, 0.801),
}
"""Rows that a config can be compared with (its ``paper_row``): Tables 1 to 6."""


def paper_figures(row: str | None) -> dict[str, Figures]:
    """The figures of a row by set and average, of ``None`` none; ``ValueError`` for no such row."""
    if row is None:
        return {}
    if row not in PAPER_ROWS:
        raise ValueError(f'paper_row must be one of {tuple(PAPER_ROWS)}, got {row!r}')
    return PAPER_ROWS[row]
