from .gallery import GalleryRow, draw_gallery, overlay

__all__ = ['GalleryRow', 'draw_gallery', 'overlay']
