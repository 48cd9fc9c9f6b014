"""What Photoshop itself writes of the level that it saves a JPEG with."""

from PIL import Image

_QUALITY = 0x0406
_LOWEST_LEVEL = -4
_DUCKY, _DUCKY_QUALITY = b'Ducky', 1


def levels_of(image: Image.Image) -> list[str]:
    """Each in words; other programs may have copied it. Empty for none, and for other formats."""
    said = [
        f"Photoshop's Save for Web, quality {quality}"
        for name, content in getattr(image, 'applist', [])
        if name == 'APP12' and (quality := _ducky_quality(content)) is not None
    ]
    level = _save_as_level(image)
    return said if level is None else [*said, f"Photoshop's Save As, level {level} of 12"]


def _ducky_quality(content: bytes) -> int | None:
    if not content.startswith(_DUCKY):
        return None
    at = len(_DUCKY)
    while at + 4 <= len(content):
        tag, length = (int.from_bytes(content[i : i + 2], 'big') for i in (at, at + 2))
        if tag == _DUCKY_QUALITY and length == 4:
            quality = int.from_bytes(content[at + 4 : at + 8], 'big')
            return quality if quality <= 100 else None
        at += 4 + length
    return None


def _save_as_level(image: Image.Image) -> int | None:
    resources = image.info.get('photoshop')
    resource = resources.get(_QUALITY) if isinstance(resources, dict) else None
    if not isinstance(resource, bytes) or len(resource) < 6:
        return None
    level = int.from_bytes(resource[:2], 'big', signed=True) - _LOWEST_LEVEL
    return level if 0 <= level <= 12 else None
