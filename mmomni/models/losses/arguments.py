from torch import Tensor


def refuse_pixel_weights(loss: str, weight: Tensor | None) -> None:
    """Raise ``ValueError`` for the weights that a head with a pixel sampler hands its losses."""
    if weight is not None:
        raise ValueError(
            f'{loss} takes no weights of pixels, remove `sampler` from the head that it belongs to'
        )
