"""Where a picture was taken, as its file says."""

import re

from .exif import Exif
from .sections import Fact
from .wording import NONE
from .xmp import Xmp

_TERM = 'Place (GPS)'
_NOTE = 'as the file says; anybody can write a place'


def place_fact(exif: Exif, xmp: Xmp) -> Fact:
    """Latitude and longitude in degrees, north and east positive; or that there are none."""
    if any(name.startswith('GPS GPSL') for name in exif.tags):
        return _fact(_of_exif(exif, 'Latitude', 'S', 90), _of_exif(exif, 'Longitude', 'W', 180))
    texts = [xmp.text(f'exif:GPS{name}') for name in ('Latitude', 'Longitude')]
    if any(texts):
        return _fact(_of_xmp(texts[0], 'NS', 90), _of_xmp(texts[1], 'EW', 180))
    others = any(name.startswith('GPS ') for name in exif.tags)
    return Fact(_TERM, NONE, 'fields of GPS without a place' if others else '')


def _fact(latitude: float | None, longitude: float | None) -> Fact:
    if latitude is None or longitude is None:
        return Fact(_TERM, 'present, but no place that can be')
    return Fact(_TERM, f'{latitude:.5f}, {longitude:.5f}', _NOTE)


def _of_exif(exif: Exif, name: str, negative: str, most: int) -> float | None:
    parts = exif.numbers(f'GPS GPS{name}')
    if len(parts) != 3:
        return None
    sign = -1 if exif.text(f'GPS GPS{name}Ref').strip().upper() == negative else 1
    return _degrees(parts, sign, most)


def _of_xmp(text: str, directions: str, most: int) -> float | None:
    """``48,51.507N`` or ``48,51,30N``."""
    found = re.fullmatch(rf'(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([{directions}])', text)
    if found is None:
        return None
    parts = [float(part or 0) for part in found.groups()[:3]]
    return _degrees(parts, -1 if found[4] == directions[1] else 1, most)


def _degrees(parts: list[float], sign: int, most: int) -> float | None:
    value = parts[0] + parts[1] / 60 + parts[2] / 3600
    return sign * value if 0 <= value <= most else None
