from .pixel import PixelCounts, per_image_scores, pixel_counts

__all__ = ['PixelCounts', 'per_image_scores', 'pixel_counts']
