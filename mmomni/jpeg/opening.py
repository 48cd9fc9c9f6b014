"""Opening a file with Pillow, whatever is wrong with its metadata."""

from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .stream import START, without_metadata

PASSED_OVER = 'mmomni_passed_over'
"""Key of ``Image.info``: application data of the file that were left out, so that it opens."""


def open_image(file: bytes | Path) -> Image.Image:
    """``PIL.Image.open``, for which metadata never decide whether a JPEG is an image.

    Pillow refuses JPEGs for application data (short JFIF, Adobe, Photoshop and profile segments,
    lists of pictures) that no pixel depends on. Here these are left out, and the image says so
    in ``info[PASSED_OVER]``; what libjpeg knows of the colours stays, and EXIF if it can.

    Args:
        file: The bytes of a file, or its path.

    Raises:
        Exception: What Pillow raises of the file as it is.
    """
    try:
        return Image.open(BytesIO(file) if isinstance(file, bytes) else file)
    except Image.DecompressionBombError:
        raise
    except Exception as error:  # (broken metadata make Pillow raise anything)
        if isinstance(error, OSError) and not isinstance(error, UnidentifiedImageError):
            raise
        data = _bytes_of_jpeg(file)
        image = None if data is None else _opened_without_metadata(data)
        if image is None:
            raise
        return image


def _bytes_of_jpeg(file: bytes | Path) -> bytes | None:
    if isinstance(file, bytes):
        return file if file.startswith(START) else None
    with file.open('rb') as stream:
        return file.read_bytes() if stream.read(len(START)) == START else None


def _opened_without_metadata(data: bytes) -> Image.Image | None:
    for keep_exif in (True, False):
        try:
            image = Image.open(BytesIO(without_metadata(data, keep_exif)))
        except Image.DecompressionBombError:
            raise
        except Exception:  # noqa: BLE001  (then the metadata were not to blame)
            continue
        image.info[PASSED_OVER] = True
        return image
    return None
