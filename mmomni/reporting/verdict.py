"""Which calibrated threshold flags an image by its score, and how people are told.

Records say ``tampered`` and ``authentic``, for programs. No person reads the latter: a score that
is not above a threshold proves nothing.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mmomni.checkpoints.description import check_calibration
from mmomni.evaluation.calibration import expected_rate
from mmomni.utils.regular_files import NotRegularError, open_regular

RELIABLE_ALARMS = 10
"""So many of the images of a calibration should lie above its threshold: with fewer, the rate of
false alarms varies by more than a third."""


class ImageThreshold(NamedTuple):
    """Images that score higher are flagged.

    Attributes:
        value: A score.
        pooling: How a map becomes that score.
        fpr: The share of authentic images that it was calibrated for.
        precision: In which the network scored these.
        num_images: How many there were; ``None``: the calibration does not say.
        domain: What kind of images they were; ``None``: meant for any.
    """

    value: float
    pooling: str
    fpr: float
    precision: Literal['fp32', 'bf16'] = 'fp32'
    num_images: int | None = None
    domain: str | None = None

    def as_setting(self) -> dict[str, Any]:
        """What is told of it beside the precision, which results have anyway."""
        setting = dict(value=self.value, pooling=self.pooling, fpr=self.fpr)
        return setting if self.domain is None else dict(setting, domain=self.domain)

    def verdict(self, score: float) -> str:
        """``'tampered'`` if the score is above the threshold, else ``'authentic'``."""
        return 'tampered' if score > self.value else 'authentic'

    def words(self) -> dict[str, str]:
        """What people are told in place of each verdict of a record."""
        among = '' if self.domain is None else f' ({self.domain})'
        flagged = f'flagged at {rate_text(self.fpr)} false alarms{among}'
        return dict(tampered=flagged, authentic='not flagged')

    def caution(self) -> str | None:
        """Why its rate is not to be relied on; ``None``: enough images vouch for it."""
        rate, needed = rate_text(self.fpr), math.ceil(RELIABLE_ALARMS / self.fpr - 1e-9) - 1
        if self.num_images is None:
            return (
                f'The calibration does not say on how many images its {rate} of false alarms rest; '
                'run mmomni calibrate again to know.'
            )
        if self.num_images >= needed:
            return None
        expected, deviation = expected_rate(self.num_images, self.fpr)
        return (
            f'The calibration rests on {self.num_images:,} images only, too few for {rate}: its '
            f'rate of false alarms is {100 * expected:.1f} % give or take {100 * deviation:.1f} %. '
            f'With {needed:,} or more of your own, mmomni calibrate makes a better one.'
        )


def rate_text(rate: float) -> str:
    """``'5 %'``, ``'0.1 %'``."""
    return f'{100 * rate:.4g} %'


def no_verdict_text(calibrations: Sequence[Any]) -> str:
    """Why no image is flagged, in plain words.

    Args:
        calibrations: Those that the model carries.
    """
    options = ['--fpr']
    if any(each.get('domain') for each in calibrations):
        options.append('--domain')
    rates = [
        rate_text(each['fpr']) + (f' ({each["domain"]})' if each.get('domain') else '')
        for each in calibrations
    ]
    if rates:
        return (
            'No image is flagged: no rate of false alarms was asked for. The model carries a '
            f'calibration for {", ".join(dict.fromkeys(rates))} ({", ".join(options)}).'
        )
    return (
        'No image is flagged: this model has no calibration. Nobody has measured which scores it '
        'gives to unchanged images, so no score alone says that an image was changed. '
        'mmomni calibrate measures it.'
    )


def carried_threshold(
    calibrations: Sequence[Mapping[str, Any]],
    fpr: float,
    precision: str = 'auto',
    domain: str | None = None,
) -> ImageThreshold:
    """The first of a checkpoint's calibrations for ``fpr``, if there is one in that precision.

    ``domain`` is the kind of images that it was made on; ``None``: one that is meant for any.

    Raises:
        ValueError: There is none.
    """
    known = [threshold_of(each) for each in calibrations]
    found = [each for each in known if math.isclose(each.fpr, fpr) and each.domain == domain]
    if found:
        return next((each for each in found if each.precision == precision), found[0])
    carried = ', '.join(as_asked(each.fpr, each.domain) for each in known) or 'none'
    asked = as_asked(fpr, domain)
    raise ValueError(
        f'expected a checkpoint that carries a calibration for --fpr {asked}, it carries '
        f'{carried}; make one (mmomni calibrate AUTHENTIC --checkpoint FILE --fpr {asked}) and '
        'give its file with --calibration'
    )


def as_asked(fpr: float, domain: str | None) -> str:
    """A rate and a kind of images as on a command line, behind ``--fpr``."""
    return f'{fpr:g}' if not domain else f'{fpr:g} --domain {domain}'


def threshold_from_file(
    path: Path, checkpoint_sha256: str, fpr: float | None, domain: str | None = None
) -> ImageThreshold:
    """The one of a calibration file of ``mmomni calibrate``, which must be about the checkpoint.

    ``fpr`` is the rate that is asked for, ``domain`` the kind of images; ``None``: those of the
    file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no calibration, or one of another checkpoint, rate or kind of images.
    """
    calibration = _read_calibration(path)
    found, digest = threshold_of(calibration), calibration['checkpoint_sha256']
    if digest != checkpoint_sha256:
        raise ValueError(
            f'{path}: expected a calibration of this checkpoint (SHA-256 {checkpoint_sha256}), got '
            f'one of {calibration.get("checkpoint")} ({digest}); run mmomni calibrate on this one'
        )
    if fpr is not None and not math.isclose(found.fpr, fpr):
        raise ValueError(
            f'{path}: expected a calibration for --fpr {fpr:g}, got one for {found.fpr:g}; leave '
            'out one of the two options, or run mmomni calibrate for that rate'
        )
    if domain not in (None, found.domain):
        raise ValueError(
            f'{path}: expected a calibration for --domain {domain}, got one for '
            f'{found.domain or "any kind of images"}; leave out one of the two options'
        )
    return found


def _read_calibration(path: Path) -> dict[str, Any]:
    expected = f'{path}: expected a file that mmomni calibrate wrote'
    remedy = 'give its .json with --calibration'
    try:
        with open_regular(path) as file:
            calibration = json.loads(file.read())
        check_calibration(calibration)
        threshold_of(calibration)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{expected}, found none (--calibration)') from error
    except NotRegularError as error:
        raise OSError(f'{expected}, got a {error.kind}; {remedy}') from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f'{expected}, got no JSON; {remedy}') from error
    except (TypeError, AttributeError) as error:
        raise ValueError(f'{expected}, got other JSON; {remedy}') from error
    except ValueError as error:
        raise ValueError(f'{expected}; {error}') from error
    if not isinstance(calibration.get('checkpoint_sha256'), str):
        raise ValueError(f'{expected}, got JSON that names no checkpoint; {remedy}')
    return calibration


def threshold_of(calibration: Mapping[str, Any]) -> ImageThreshold:
    """The one of a calibration that has been checked."""
    return ImageThreshold(
        float(calibration['threshold']), str(calibration['pooling']), float(calibration['fpr']),
        _precision(calibration), num_images_of(calibration), calibration.get('domain') or None,
    )  # fmt: skip


def num_images_of(calibration: Mapping[str, Any]) -> int | None:
    """How many images it rests on; ``None``: it does not say, or no number."""
    found = calibration.get('num_images')
    return found if type(found) is int and found > 0 else None


def _precision(calibration: Mapping[str, Any]) -> Literal['fp32', 'bf16']:
    """In which it was made; those that do not say so are of single precision."""
    found = calibration.get('precision', 'fp32')
    if found not in ('fp32', 'bf16'):
        raise ValueError(f"expected precision 'fp32' or 'bf16', got {found!r}")
    return found
