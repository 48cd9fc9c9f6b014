"""Blocks of 8x8 pixels and their DCT. Letters: ``H W`` height and width in pixels."""

import cv2
import numpy as np

BLOCK = 8


def central(plane: np.ndarray, side: int) -> np.ndarray:
    """The middle of a plane, of at most ``side`` rows and columns; it begins where a block does."""
    starts = [max(length - side, 0) // 2 // BLOCK * BLOCK for length in plane.shape[:2]]
    return plane[starts[0] : starts[0] + side, starts[1] : starts[1] + side]


def basis() -> np.ndarray:
    """The orthonormal DCT of eight samples; row = frequency; ``float32`` (8, 8)."""
    return np.ascontiguousarray(cv2.dct(np.eye(BLOCK, dtype=np.float32), flags=cv2.DCT_ROWS).T)


def blocks_of(plane: np.ndarray) -> np.ndarray:
    """All whole blocks of a plane (H, W), (H/8 * W/8, 8, 8)."""
    rows, columns = (side // BLOCK for side in plane.shape)
    whole = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return whole.transpose(0, 2, 1, 3).reshape(-1, BLOCK, BLOCK)


def transformed(plane: np.ndarray) -> np.ndarray:
    """The DCT of all whole blocks of pixels (H, W); ``float32`` (H/8 * W/8, 8, 8)."""
    return basis() @ (blocks_of(plane).astype(np.float32) - 128) @ basis().T


def pixels_of(coefficients: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Luma of stored coefficients (H, W), neither rounded nor clipped; ``float32`` (H, W)."""
    height, width = coefficients.shape
    blocks = blocks_of(coefficients) * table.astype(np.float32)
    pixels = (basis().T @ blocks @ basis()).reshape(height // BLOCK, width // BLOCK, BLOCK, BLOCK)
    return pixels.transpose(0, 2, 1, 3).reshape(height, width) + 128
