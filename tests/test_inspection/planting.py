"""Pictures, masks and folders with known defects."""

import io

import cv2
import numpy as np
from PIL import Image

SIZE = (96, 128)


def make_picture(seed, size=SIZE):
    """A smooth colour picture that resembles no other seed's; uint8 (H, W, 3)."""
    rng = np.random.default_rng([7, seed])
    coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def make_mask(size=SIZE, value=255):
    mask = np.zeros(size, np.uint8)
    mask[size[0] * 3 // 10 : size[0] * 6 // 10, size[1] * 3 // 10 : size[1] * 6 // 10] = value
    return mask


def jpeg_bytes(pixels, **kwargs):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, 'JPEG', **kwargs)
    return buffer.getvalue()


def save(path, pixels, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **kwargs)
    return path


class Builder:
    """Writes pairs into ``root/images`` and ``root/masks``, each picture another one."""

    def __init__(self, root, first_seed=0):
        self.root = root
        self.seed = first_seed

    def picture(self, size=SIZE):
        self.seed += 1
        return make_picture(self.seed, size)

    def add(self, name, image=None, mask=None, mask_name=None, **kwargs):
        """A tampered image; a sound one but for the parts that are given."""
        pixels = self.picture() if image is None else image
        path = save(self.root / 'images' / name, pixels, **kwargs)
        if mask is not False:
            mask = make_mask(pixels.shape[:2]) if mask is None else mask
            save(self.root / 'masks' / (mask_name or f'{path.stem}.png'), mask)
        return path


def plant_masks(build):
    classes = make_mask(value=1)
    classes[65:80, 10:30] = 2
    soft = cv2.GaussianBlur(make_mask(), (3, 3), 0)
    build.add('sound.jpg', quality=90)
    build.add('size.png', mask=make_mask((90, 128)))
    build.add('broken_mask.png')
    (build.root / 'masks' / 'broken_mask.png').write_bytes(b'\x89PNG\r\n\x1a\nnothing')
    build.add('empty.png', mask=np.zeros(SIZE, np.uint8))
    build.add('full.png', mask=np.full(SIZE, 255, np.uint8))
    build.add('inverted.png', mask=255 - make_mask())
    build.add('lossy.png', mask_name='lossy.jpg')
    build.add('classes.png', mask=classes)
    build.add('soft.png', mask=soft)
    save(build.root / 'masks' / 'orphan.png', make_mask())
    build.add('exr.png', mask=False)
    (build.root / 'masks' / 'exr.exr').write_bytes(b'v/1\x01 and more')
    build.add('own.png')
    own = build.root / 'images' / 'own.png'
    (build.root / 'masks' / 'own.png').write_bytes(own.read_bytes())
    build.add('white.png', mask=np.dstack([np.full((*SIZE, 3), 255, np.uint8), make_mask()]))


def plant_strangers(build):
    """Files in ``images/`` that are no samples, and one that is no image."""
    build.add('shown.jpg', quality=90)
    save(build.root / 'images' / 'shown_gt.png', make_mask())
    for name in ('Thumbs.db', '._shown.jpg', '.ipynb_checkpoints/shown-checkpoint.jpg'):
        path = build.root / 'images' / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(make_picture(99)[:2].tobytes())
    save(build.root / 'images' / 'nameless.png', make_picture(98))
    (build.root / 'images' / 'nameless.png').rename(build.root / 'images' / 'nameless')


def plant_images(build):
    orientation = Image.Exif()
    orientation[0x0112] = 6
    build.add('truncated.jpg')
    path = build.root / 'images' / 'truncated.jpg'
    path.write_bytes(path.read_bytes()[:600])
    path = build.add('followed.jpg', quality=95)
    path.write_bytes(path.read_bytes() + b'PK\x03\x04 an archive')
    build.add('tiny.png', build.picture((20, 40)))
    build.add('rotated.jpg', exif=orientation.tobytes(), quality=95)
    build.add('twice.jpg', quality=95)
    build.add('twice.png')
    build.add('coarse.jpg', quality=30)
    build.add('alpha.png', np.dstack([build.picture(), make_mask()]))
    cv2.imwrite(str(build.root / 'images' / 'deep.png'), build.picture().astype(np.uint16) * 257)
    cmyk = Image.fromarray(build.picture()).convert('CMYK')
    cmyk.save(build.root / 'images' / 'cmyk.jpg', quality=95)


def plant_copies(train, test):
    train.add('leak_source.jpg', quality=90)
    leaked = test.add('leaked.jpg')
    leaked.write_bytes((train.root / 'images' / 'leak_source.jpg').read_bytes())
    seen = train.picture((192, 256))
    train.add('seen_source.png', seen)
    half = cv2.resize(seen, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    test.add('seen.jpg', half, quality=80)
    copy = train.picture()
    train.add('copy_a.png', copy)
    train.add('copy_b.png', copy)
    alike = train.picture()
    said = train.add('said_a.png')
    twin = train.add('said_b.png', mask=np.roll(make_mask(), 9))
    twin.write_bytes(said.read_bytes())
    train.add('alike_a.jpg', alike, quality=95)
    train.add('alike_b.jpg', alike, quality=80)
