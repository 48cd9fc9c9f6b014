import numpy as np

from mmomni.jpeg.orientation import upright, upright_box
from mmomni.visualization import outline_regions

from .results import Prediction


def draw_overlay(prediction: Prediction) -> np.ndarray:
    """The image with its regions outlined and numbered, turned as a viewer shows the photo.

    Returns:
        RGB, a view of BGR as the decoder and OpenCV have it; ``uint8`` (H, W, 3).
    """
    stored = np.ascontiguousarray(prediction.image[..., ::-1])
    image = upright(stored, prediction.orientation)
    if np.shares_memory(image, prediction.image):
        image = image.copy()
    shape = prediction.mask.shape
    boxes = [
        upright_box(region.box, shape, prediction.orientation) for region in prediction.regions
    ]
    outline_regions(image, upright(prediction.mask, prediction.orientation), boxes)
    return image[..., ::-1]
