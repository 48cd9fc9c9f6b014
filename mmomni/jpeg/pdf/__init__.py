"""PDFs: the pictures in them, with their own bytes where these are those of an image file."""

from .finding import NEEDED, PdfError, PdfPicture, has_streams, is_available, pictures_of
from .pictures import read_picture

__all__ = [
    'NEEDED', 'PdfError', 'PdfPicture', 'has_streams', 'is_available', 'pictures_of',
    'read_picture',
]  # fmt: skip
