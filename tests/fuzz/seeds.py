"""Whole files of many kinds, drawn here: what mutations start from."""

from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

ORIENTATION, MAKE = 274, 271


class Seed(NamedTuple):
    """A file that everybody can read."""

    format: str
    kind: str
    data: bytes


def picture(height=70, width=101, seed=0):
    """RGB: waves, a sharp rectangle and some noise."""
    rng = np.random.default_rng(seed)
    y, x, _ = np.mgrid[:height, :width, :1] / 7.0
    waves = 127 + 50 * np.sin(y + np.arange(3)) + 40 * np.cos(x * [1.0, 0.7, 0.4])
    waves[height // 4 : height // 2, width // 4 : width // 2] = rng.integers(0, 256, 3)
    return Image.fromarray(np.uint8(np.clip(waves + rng.normal(0, 5, waves.shape), 0, 255)))


def saved(image, image_format, **options):
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def exif(orientation=6):
    tags = Image.Exif()
    tags[ORIENTATION], tags[MAKE] = orientation, 'mmomni'
    return tags


@lru_cache(maxsize=1)
def all_seeds():
    """Always the same seeds in the same order."""
    return [*_jpegs(), *_pngs(), *_tiffs(), *_others()]


def _jpegs():
    rgb, grey = picture(), picture().convert('L')
    yield from (
        Seed('JPEG', kind, saved(image, 'JPEG', **options))
        for kind, image, options in [
            ('4:4:4', rgb, dict(quality=90, subsampling=0)),
            ('4:2:2', rgb, dict(quality=75, subsampling=1)),
            ('4:2:0', rgb, dict(quality=75, subsampling=2)),
            ('grey', grey, dict(quality=80)),
            ('progressive', rgb, dict(quality=85, progressive=True)),
            ('progressive grey', grey, dict(quality=60, progressive=True)),
            ('optimised', rgb, dict(quality=50, optimize=True)),
            ('restart markers', rgb, dict(quality=80, restart_marker_blocks=3)),
            ('CMYK', rgb.convert('CMYK'), dict(quality=80)),
            ('RGB', rgb, dict(quality=80, keep_rgb=True)),
            ('coarse', rgb, dict(quality=2)),
            ('EXIF', rgb, dict(quality=80, exif=exif())),
            ('comment, profile', rgb, dict(comment=b'c' * 300, icc_profile=b'p' * 3000)),
            ('one pixel', picture(1, 1), {}),
            ('thin', picture(3, 200), {}),
            ('large', picture(256, 320), dict(quality=95)),
        ]
    )
    two = saved(rgb, 'MPO', save_all=True, append_images=[picture(seed=1)])
    yield Seed('JPEG', 'multi-picture', two)


def _pngs():
    rgb = picture()
    text = PngImagePlugin.PngInfo()
    text.add_text('Comment', 'c' * 500, zip=True)
    text.add_itxt('Title', 't' * 500)
    yield from (
        Seed('PNG', kind, saved(image, 'PNG', **options))
        for kind, image, options in [
            ('RGB', rgb, {}),
            ('alpha', rgb.convert('RGBA'), {}),
            ('grey', rgb.convert('L'), {}),
            ('grey and alpha', rgb.convert('LA'), {}),
            ('palette', rgb.quantize(16), dict(transparency=3)),
            ('one bit', rgb.convert('1'), {}),
            ('16 bits', rgb.convert('I;16'), {}),
            ('EXIF, text', rgb, dict(exif=exif(), pnginfo=text, icc_profile=b'p' * 300)),
            ('animated', rgb, dict(save_all=True, append_images=[picture(seed=1)])),
        ]
    )
    yield Seed('PNG', '16 bits RGB', _by_opencv('.png', np.uint16(np.array(rgb)) * 257))


def _tiffs():
    rgb = picture()
    yield from (
        Seed('TIFF', kind, saved(image, 'TIFF', **options))
        for kind, image, options in [
            ('plain', rgb, {}),
            ('LZW', rgb, dict(compression='tiff_lzw')),
            ('deflate', rgb, dict(compression='tiff_adobe_deflate')),
            ('JPEG', rgb, dict(compression='jpeg')),
            ('fax', rgb.convert('1'), dict(compression='group4')),
            ('packbits', rgb.convert('L'), dict(compression='packbits')),
            ('CMYK', rgb.convert('CMYK'), {}),
            ('16 bits', rgb.convert('I;16'), {}),
            ('float', rgb.convert('F'), {}),
            ('pages', rgb, dict(save_all=True, append_images=[picture(seed=1)])),
        ]
    )


def _others():
    rgb, several = picture(), dict(save_all=True, append_images=[picture(seed=1)])
    yield from (
        Seed(image_format, kind, saved(image, image_format, **options))
        for image_format, kind, image, options in [
            ('WEBP', 'lossy', rgb, dict(quality=80)),
            ('WEBP', 'lossless', rgb, dict(lossless=True)),
            ('WEBP', 'alpha, EXIF', rgb.convert('RGBA'), dict(exif=exif())),
            ('WEBP', 'animated', rgb, several),
            ('BMP', 'RGB', rgb, {}),
            ('BMP', 'palette', rgb.quantize(200), {}),
            ('BMP', 'one bit', rgb.convert('1'), {}),
            ('GIF', 'single', rgb.quantize(64), {}),
            ('GIF', 'animated', rgb, several),
            ('PPM', 'RGB', rgb, {}),
        ]
    )


def _by_opencv(suffix, pixels):
    return cv2.imencode(suffix, pixels)[1].tobytes()
