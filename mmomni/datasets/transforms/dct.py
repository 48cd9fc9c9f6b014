from mmcv.transforms import BaseTransform

from mmomni.jpeg.planes import luma_of_image, magnitude, steps
from mmomni.registry import TRANSFORMS

from .loading import adopt
from .pixels import check


@TRANSFORMS.register_module()
class ExtractDCT(BaseTransform):
    """Add the quantised luma DCT coefficients of the very JPEG that the pixels came from.

    ``dct_source`` says which: ``file`` (the coefficients of the file on disk), ``recompressed``
    (of the last save by :class:`RandomJPEGCompress`), or ``transcoded`` (the image is no JPEG,
    or one without coefficients of luma at full resolution: saved once in memory at quality 100,
    4:4:4).

    Required Keys: img, img_bytes, img_crc, dct_source; or img alone, with img_path ``None``, as
    mmseg's ``LoadImageFromNDArray`` leaves an array

    Modified Keys: dct_source

    Added Keys: dct (``|q|`` clipped to 0..20, uint8, (H, W)), qtable (quantisation steps clipped
    to 255, uint8, (8, 8)), dct_obstacle (why the image was transcoded, empty if it was not)

    Args:
        backend: ``'jpeglib'`` or ``'jpegio'``; both give the same numbers.
        transcode_unreadable: Transcode a JPEG whose pixels were decoded but whose coefficients
            cannot be read. Otherwise it is refused: nothing broken is trained on.
    """

    def __init__(self, backend: str = 'jpeglib', transcode_unreadable: bool = False) -> None:
        self.backend = backend
        self.transcode_unreadable = transcode_unreadable

    def transform(self, results: dict) -> dict:
        """Raises ``ValueError`` when a transform changed the pixels since the JPEG was read."""
        if 'img_crc' not in results and results.get('img_path', '') is None:
            adopt(results)
        check(
            results,
            'ExtractDCT',
            'put mmomni.RandomJPEGCompress after the last transform that changes pixels',
        )
        found = luma_of_image(
            results['img'], results['img_bytes'], results.get('img_path', 'image'), self.backend,
            self.transcode_unreadable,
        )  # fmt: skip
        results['dct_obstacle'] = found.obstacle
        if found.obstacle:
            results['dct_source'] = 'transcoded'
        height, width = results['img'].shape[:2]
        results['dct'] = magnitude(found.luma.coefficients[:height, :width])
        results['qtable'] = steps(found.luma.table)
        return results
