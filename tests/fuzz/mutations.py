"""Broken, hostile and merely odd image files; the number of a file says all about it.

``python tests/fuzz/mutations.py 1234`` writes file 1234 to standard output.
"""

import sys
import zipfile
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

import jpeg_mutations
import numpy as np
import other_mutations
from seeds import Seed, all_seeds

SUFFIXES = ('.jpg', '.jpeg', '.png', '.tif', '.webp', '.bmp', '.gif', '.JPG')
SUFFIX_OF = dict(
    JPEG='.jpg', PNG='.png', TIFF='.tif', WEBP='.webp', BMP='.bmp', GIF='.gif', PPM='.ppm'
)


class Case(NamedTuple):
    """What file ``number`` is to be."""

    number: int
    name: str
    seed: Seed
    kinds: list[str]
    rng: np.random.Generator

    def __str__(self):
        return f'{self.seed.format} ({self.seed.kind}): {", ".join(self.kinds)}'

    def data(self):
        """The file. Draws from ``rng``: to be called once."""
        data = self.seed.data
        for kind in self.kinds:
            data = kinds_of(self.seed.format)[kind](data, self.rng)
        return data


@lru_cache(maxsize=1)
def plan():
    return [(seed, kind) for seed in all_seeds() for kind in kinds_of(seed.format)]


def case(number):
    """File ``number``, always the same."""
    rng = np.random.default_rng([5, number])
    # A stride without a common factor: any thousand numbers in a row hold a bit of everything.
    seed, kind = plan()[number * 7919 % len(plan())]
    kinds, suffix = [kind], SUFFIX_OF[seed.format]
    if rng.random() < 0.2:
        kinds.append(list(GENERIC)[rng.integers(len(GENERIC))])
    if 'wrong_suffix' in kinds or rng.random() < 0.05:
        suffix = SUFFIXES[rng.integers(len(SUFFIXES))]
    return Case(number, f'{number:06d}{suffix}', seed, kinds, rng)


def kinds_of(image_format):
    return GENERIC | SPECIFIC.get(image_format, other_mutations.HEADER)


# ---- of any format ---------------------------------------------------------------------------


def bit_flips(data, rng):
    values = np.frombuffer(data, np.uint8).copy()
    for position in rng.integers(len(values), size=2 ** rng.integers(0, 7)) if len(values) else ():
        values[position] ^= 1 << rng.integers(8)
    return values.tobytes()


def noise(data, rng):
    """A stretch of random bytes, anywhere."""
    start, length = rng.integers(len(data) + 1), rng.integers(1, 200)
    return data[:start] + rng.bytes(length) + data[start + length :]


def constant(data, rng):
    """A stretch of one byte: a bad sector."""
    start, length = rng.integers(len(data) + 1), rng.integers(1, 2000)
    return data[:start] + bytes([rng.choice([0, 255])]) * length + data[start + length :]


def truncation(data, rng):
    return data[: rng.integers(len(data) + 1)]


def truncation_with_an_end(data, rng):
    """A cut file whose last bytes are still those of its kind."""
    return data[: rng.integers(len(data) + 1)] + data[-12:] + b'\xff\xd9'


def hole(data, rng):
    start, stop = sorted(rng.integers(len(data) + 1, size=2))
    return data[:start] + data[stop:]


def repeated(data, rng):
    start, stop = sorted(rng.integers(len(data) + 1, size=2))
    return data[:stop] + data[start:stop] * rng.integers(1, 20) + data[stop:]


def inserted(data, rng):
    start = rng.integers(len(data) + 1)
    return data[:start] + rng.bytes(rng.integers(1, 64)) + data[start:]


def other_tail(data, rng):
    """Begins as one file, goes on as another."""
    seeds = all_seeds()
    other = seeds[rng.integers(len(seeds))].data
    return data[: rng.integers(len(data) + 1)] + other[rng.integers(len(other)) :]


def trailing_image(data, rng):
    seeds = all_seeds()
    return data + seeds[rng.integers(len(seeds))].data


def trailing_archive(data, rng):
    archive = BytesIO(data)
    with zipfile.ZipFile(archive, 'a') as file:
        file.writestr('payload.txt', rng.bytes(100))
    return archive.getvalue()


def leading_text(data, rng):
    return b'<html><script>alert(1)</script>\n' + data


def text_only(data, rng):
    return b'GIF89a is what this text begins with, or not\n'[7 * rng.integers(2) :] * 5


def random_only(data, rng):
    """Random, at most the first bytes are an image's."""
    return data[: rng.integers(0, 24)] + rng.bytes(rng.integers(1, 3000))


def empty(data, rng):
    return b''


def wrong_suffix(data, rng):
    """The file itself stays whole."""
    return data


GENERIC = {
    function.__name__: function
    for function in (
        bit_flips, noise, constant, truncation, truncation_with_an_end, hole, repeated, inserted,
        other_tail, trailing_image, trailing_archive, leading_text, text_only, random_only, empty,
        wrong_suffix,
    )
}  # fmt: skip
SPECIFIC = dict(
    JPEG=jpeg_mutations.ALL, PNG=other_mutations.PNG, TIFF=other_mutations.TIFF,
)  # fmt: skip


if __name__ == '__main__':
    sys.stdout.buffer.write(case(int(sys.argv[1])).data())
