import pytest
from planting import (
    Builder,
    make_mask,
    plant_copies,
    plant_images,
    plant_masks,
    plant_strangers,
)


@pytest.fixture
def clean(tmp_path):
    """A sound training and a sound test set."""
    train, test = Builder(tmp_path / 'clean'), Builder(tmp_path / 'clean_test', 100)
    for index in range(4):
        train.add(f'{index}.jpg', quality=90)
        test.add(f'{index}.png', mask=make_mask(value=1 + index))
    train.add('authentic.jpg', mask=False, quality=75)
    return train.root, test.root


@pytest.fixture
def planted(tmp_path):
    """A training and a test set full of defects, and the file of each: ``{kind: name}``."""
    train, test = Builder(tmp_path / 'planted'), Builder(tmp_path / 'planted_test', 100)
    plant_masks(train)
    plant_images(train)
    plant_strangers(train)
    plant_copies(train, test)
    files = {
        'mask-size': 'size.png', 'mask-unreadable': 'broken_mask.png', 'mask-empty': 'empty.png',
        'mask-full': 'full.png', 'mask-inverted': 'inverted.png', 'mask-jpeg': 'lossy.jpg',
        'mask-not-binary': 'classes.png', 'mask-soft-edge': 'soft.png',
        'mask-orphan': 'orphan.png', 'mask-unrecognised': 'exr.exr', 'mask-is-image': 'own.png',
        'mask-elsewhere': 'white.png', 'image-is-mask': 'shown_gt.png', 'files-left-out': 'images',
        'image-misnamed': 'nameless',
        'label-contradiction': 'said_a.png',
        'image-unreadable': 'truncated.jpg', 'image-odd': 'followed.jpg', 'image-tiny': 'tiny.png',
        'image-rotated': 'rotated.jpg', 'stem-collision': 'twice.jpg', 'large-steps': 'coarse.jpg',
        'alpha': 'alpha.png', 'deep': 'deep.png', 'cmyk': 'cmyk.jpg',
        'train-test-exact': 'leaked.jpg', 'train-test-similar': 'seen.jpg',
        'duplicate-exact': 'copy_a.png', 'duplicate-similar': 'alike_a.jpg',
    }  # fmt: skip
    return train.root, test.root, files
