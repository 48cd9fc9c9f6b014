"""Draw docs/images/operations_NAME.jpg: before, after and mask of every forging operation.

    python tools/analysis_tools/draw_operations.py [OUT] [--only NAME ...] [--seed SEED]

The pictures are made from what scikit-image and matplotlib ship, from rendered pages and from signs
painted on the bricks of scikit-image.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from mmomni.jpeg import decode, encode
from mmomni.synthesis import OPERATIONS, fonts
from mmomni.synthesis.documents.pages import render_page
from mmomni.synthesis.documents.words import find_words
from mmomni.synthesis.faces.boxes import find_face
from mmomni.synthesis.jpeg_history import compress
from mmomni.synthesis.natural.objects import find_object
from mmomni.synthesis.scene import Edit, Scene, Thing

OUT = Path(__file__).parents[2] / 'docs' / 'images'
PANEL = (250, 330)  # largest height and width of one of the three panels, in pixels
GAP, QUALITY = 6, 85
WORK_SIDE, PAGE_SIDE = 480, 300
TRIES = 100
LARGEST_ZOOM = 2.5
# Lines, typeface, board and paint of two signs, and how much they slope, in degrees.
SIGNS = (
    (('STATION ROAD', 'Platforms 9 - 18'), 'DejaVuSans-Bold', (34, 60, 120), (238, 238, 230), 3.0),
    (('Garden Street', 'Offices 46 - 92'), 'DejaVuSerif-Bold', (235, 228, 205), (60, 40, 36), -2.5),
)
THING_AREA = (0.1, 0.7)


class Case(NamedTuple):
    """What an operation is shown on.

    Attributes:
        image: File of scikit-image or matplotlib, ``'rendered'`` or ``'sign'``.
        donor: The same for what is brought in, or ``None``.
        seed: Chosen by eye among a few.
        zoom: Whether to show the surroundings of the mask alone.
    """

    image: str
    donor: str | None = None
    seed: int = 0
    zoom: bool = False


CASES = {
    'copy_move': Case('coffee.png', seed=0),
    'splice': Case('chelsea.png', 'coffee.png', seed=5),
    'paste_thing': Case('rocket.jpg', 'astronaut.png', seed=1),
    'backdrop': Case('rocket.jpg', 'hubble_deep_field.jpg', seed=2),
    'removal': Case('coffee.png', seed=5),
    'object_jitter': Case('coffee.png', seed=1),
    'retouch': Case('chelsea.png', seed=3),
    'recolour': Case('coffee.png', seed=3),
    'local_filter': Case('chelsea.png', seed=2, zoom=True),
    'regenerate': Case('chelsea.png', seed=3, zoom=True),
    'local_resave': Case('motorcycle_left.png', seed=5, zoom=True),
    'write_text': Case('coffee.png', seed=3),
    'text_edit': Case('rendered', seed=5),
    'text_copy': Case('rendered', seed=5),
    'char_copy': Case('rendered', seed=5),
    'text_removal': Case('page.png', seed=0),
    'text_insert': Case('rendered', seed=5),
    'page_splice': Case('rendered', 'rendered', seed=5),
    'block_copy': Case('rendered', seed=5),
    'stamp': Case('page.png', seed=1),
    'face_blend': Case('grace_hopper.jpg', 'astronaut.png', seed=1),
    'region_swap': Case('astronaut.png', 'grace_hopper.jpg', seed=1, zoom=True),
    'face_retouch': Case('astronaut.png', seed=1, zoom=True),
    'word_edit': Case('sign', seed=0),
    'word_copy': Case('sign', seed=0),
    'word_removal': Case('sign', seed=0),
    'word_insert': Case('coffee.png', seed=1, zoom=True),
    'word_splice': Case('sign', 'sign', seed=0),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', nargs='?', type=Path, default=OUT, help='default: docs/images')
    parser.add_argument('--only', nargs='+', choices=CASES, default=list(CASES))
    parser.add_argument('--seed', type=int, help='instead of the chosen ones')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        case = CASES[name] if args.seed is None else CASES[name]._replace(seed=args.seed)
        data = encode(draw(name, case), QUALITY, '4:2:0')
        path = args.out / f'operations_{name}.jpg'
        path.write_bytes(data)
        print(f'{path}: {len(data) / 1000:.0f} kB')


def draw(name: str, case: Case) -> np.ndarray:
    """The picture of an operation, ``uint8`` (H, 3 W + 2 GAP, 3)."""
    rng = np.random.default_rng(case.seed)
    scene = make_scene(case, rng)
    operation = {key: op for group in OPERATIONS.values() for key, op in group.items()}[name]
    edits: Iterator[Edit | None] = (operation(scene, rng) for _ in range(TRIES))
    edit = next((edit for edit in edits if edit is not None), None)
    if edit is None:
        raise ValueError(f'{name} found nothing to do in {case.image}; try another seed')
    mask = np.repeat(edit.mask[..., None].astype(np.uint8) * 255, 3, axis=2)
    window = around(edit.mask) if case.zoom else np.s_[:, :]
    return beside([fitted(image[window]) for image in (scene.image, edit.image, mask)])


def make_scene(case: Case, rng: np.random.Generator) -> Scene:
    if case.image == 'rendered':
        page = render_page(rng, PAGE_SIDE)
        other = render_page(rng, PAGE_SIDE)
        return Scene(compress(page.image, 80), other.image, page.words, donor_words=other.words)
    if case.image == 'sign':
        return Scene(compress(painted_sign(*SIGNS[0], rng), 90), painted_sign(*SIGNS[1], rng))
    image = compress(read(case.image), 80)
    if case.image == 'page.png':
        return Scene(image, None, find_words(image))
    donor = None if case.donor is None else read(case.donor)
    if donor is None:
        return Scene(image, face=find_face(image))
    cut_out = find_object(donor, np.random.default_rng(0), THING_AREA)
    thing = None if cut_out is None else Thing(donor, cut_out)
    return Scene(image, donor, None, find_face(image), find_face(donor), thing)


def read(name: str) -> np.ndarray:
    """A picture that scikit-image or matplotlib ships, at most ``WORK_SIDE`` pixels a side.

    Raises:
        FileNotFoundError: This version of the package does not ship it.
    """
    import matplotlib as mpl
    import skimage

    folders = (Path(skimage.__file__).parent / 'data', Path(mpl.get_data_path()) / 'sample_data')
    for folder in folders:
        if (folder / name).is_file():
            image = decode((folder / name).read_bytes(), name)
            scale = min(1.0, WORK_SIDE / max(image.shape[:2]))
            return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    raise FileNotFoundError(
        f'expected {name} in {" or ".join(map(str, folders))}, found none; '
        '`pip install "scikit-image>=0.22" matplotlib`'
    )


def painted_sign(
    lines: tuple[str, ...],
    typeface: str,
    board: tuple[int, int, int],
    paint: tuple[int, int, int],
    slope: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """A wall of bricks with a sign in evening light, ``uint8`` (H, W, 3)."""
    wall = cv2.rotate(read('brick.png'), cv2.ROTATE_90_CLOCKWISE)[60:360].astype(np.float32)
    wall = wall * (1.25, 0.85, 0.7)
    height, width = wall.shape[:2]
    sign = Image.new('RGB', (400, 40 + 56 * len(lines)), board)
    draw, font = ImageDraw.Draw(sign), fonts.load_font(typeface, 36)
    for row, text in enumerate(lines):
        draw.text((200, 48 + 56 * row), text, font=font, fill=paint, anchor='mm')
    draw.rectangle((5, 5, sign.width - 6, sign.height - 6), outline=paint, width=2)
    middle = sign.width / 2, sign.height / 2
    turn = np.array(cv2.getRotationMatrix2D(middle, slope, 1), np.float64)
    turn[:, 2] += ((width - sign.width) / 2, (height - sign.height) / 2)
    content = cv2.warpAffine(np.array(sign).astype(np.float32), turn, (width, height))
    there = np.asarray(cv2.warpAffine(np.ones(sign.size[::-1]), turn, (width, height)))[..., None]
    moved = np.ascontiguousarray(np.roll(there, (6, 4), (0, 1)), np.float32)
    shadow = np.asarray(cv2.GaussianBlur(moved, (0, 0), 4))[..., None]
    image = wall * (1 - 0.5 * shadow) * (1 - there) + content * there
    image = image * np.linspace(1.05, 0.75, width)[:, None] + rng.normal(0, 2.5, (height, width, 1))
    seen = np.round(image).clip(0, 255).astype(np.uint8)
    return cv2.GaussianBlur(seen, (0, 0), 0.7)


def around(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a mask, with half of its size around."""
    y, x = np.nonzero(mask)
    room = max(int(np.ptp(y)), int(np.ptp(x)), 40) // 2
    return (
        slice(max(int(y.min()) - room, 0), int(y.max()) + room),
        slice(max(int(x.min()) - room, 0), int(x.max()) + room),
    )


def fitted(image: np.ndarray) -> np.ndarray:
    scale = min(PANEL[0] / image.shape[0], PANEL[1] / image.shape[1], LARGEST_ZOOM)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)


def beside(panels: list[np.ndarray]) -> np.ndarray:
    gap = np.full((panels[0].shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([panels[0], gap, panels[1], gap, panels[2]])


if __name__ == '__main__':
    main()
