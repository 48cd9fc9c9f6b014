"""Formats that Pillow reads by a plugin, or not in every version: found on demand, or explained."""

from PIL import Image, UnidentifiedImageError, features

from mmomni.utils.file_kinds import is_pdf, magic_of

from .pdf.finding import NEEDED

FORMAT_NAMES = 'JPEG, PNG, TIFF, WebP, BMP, GIF, HEIC, AVIF'
"""What messages say that is expected."""


class UnsupportedFormat(UnidentifiedImageError):  # noqa: N818  (it is Pillow's own error, with a reason)
    """A file whose format is known and cannot be read; the message says what to do."""


def add_plugin(head: bytes) -> bool:
    """Let Pillow read a format that it does not know yet; whether it now may.

    Args:
        head: The first 132 bytes of a file that Pillow did not recognise.

    Raises:
        UnsupportedFormat: The format is known, but what reads it is missing, or failed.
    """
    if magic_of('heic', head):
        return _add_heif()
    if magic_of('avif', head):
        if features.check('avif'):
            raise UnsupportedFormat(_damaged('AVIF'))
        raise UnsupportedFormat(
            'an AVIF, which needs Pillow 11.3 or later, built with AVIF: '
            "pip install -U 'Pillow>=11.3'"
        )
    if is_pdf(head):
        raise UnsupportedFormat(
            f'expected an image, got a PDF; give it to `mmomni predict` alone ({NEEDED}), or save '
            'its pictures as files'
        )
    return False


def _add_heif() -> bool:
    if 'HEIF' in Image.OPEN:
        raise UnsupportedFormat(_damaged('HEIC'))
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        reason = '' if isinstance(error, ModuleNotFoundError) else f' (it failed: {error})'
        raise UnsupportedFormat(
            f"a HEIC photo, which is read by pillow-heif{reason}: pip install 'mmomni[heif]'"
        ) from error
    register_heif_opener()
    return True


def _damaged(name: str) -> str:
    return f'its format is {name}, but it is damaged or of a rare kind; replace or remove the file'
