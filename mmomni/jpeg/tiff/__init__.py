"""TIFFs: their directories, layouts and pixels, for all that lies in one and no reader minds."""

from .directories import is_tiff, main_pages, pages_of, with_first

__all__ = ['is_tiff', 'main_pages', 'pages_of', 'with_first']
