"""Everything the doctor can find: how bad it is, what it means, how to mend it."""

from typing import NamedTuple

LEVELS = ('error', 'warning', 'note')
"""From bad to harmless: breaks or falsifies a run, probably wrong, worth knowing."""


class Kind(NamedTuple):
    """One kind of finding.

    Attributes:
        level: Of :data:`LEVELS`.
        title: What was found, in words.
        remedy: What it does to a run, and how to mend it.
    """

    level: str
    title: str
    remedy: str


KINDS: dict[str, Kind] = {
    'set-missing': Kind(
        'error', 'set cannot be opened',
        'Training would stop at the start: it is not there, or empty, or cannot be split. Correct '
        'data_root, ann_file, data_prefix, img_suffix, seg_map_suffix, held_out, split or indices.',
    ),
    'list-line': Kind(
        'error', 'line of a list file cannot be understood',
        'The dataset refuses the list. Write `image mask` or `image -`, separated by a tab.',
    ),
    'list-contradiction': Kind(
        'error', 'list file contradicts itself',
        'The dataset refuses the list: two masks of one image, an image as its own mask, or a '
        'label that does not agree with the mask. Correct the line; a wholly generated image '
        'needs a mask that is white all over.',
    ),
    'stem-collision': Kind(
        'error', 'images share a stem',
        'Masks cannot be paired with them and the dataset refuses the folder. Rename one, or use a '
        'list file.',
    ),
    'mask-orphan': Kind(
        'error', 'mask without an image',
        'The dataset refuses the folder. Rename the mask like its image, or remove it.',
    ),
    'mask-unrecognised': Kind(
        'error', 'file among the masks that is no mask',
        'The dataset refuses the folder, because the image would count as authentic. Save it as '
        'PNG (or .npy, .mat), or move it away.',
    ),
    'mask-is-image': Kind(
        'error', 'mask is its own image',
        'The dataset refuses the set. Correct the pairing; where masks lie beside their images, '
        'say how the names of both end with img_suffix and seg_map_suffix.',
    ),
    'image-is-mask': Kind(
        'error', 'image looks like a mask',
        'It would count as an authentic image. Move it to the masks, or say how the names of '
        'images and masks end; where only its pixels say so, it is a warning.',
    ),
    'label-contradiction': Kind(
        'error', 'same file with different labels',
        'One of the labels is wrong, and the network is taught both. Keep one.',
    ),
    'image-missing': Kind(
        'error', 'image file missing',
        'Training skips it, testing counts it as unreadable. Correct the list or restore the file.',
    ),
    'image-unreadable': Kind(
        'error', 'image cannot be read',
        'Training skips it, testing counts it as unreadable. Download or convert it again; saving '
        'a damaged one again hides what is missing.',
    ),
    'mask-missing': Kind(
        'error', 'mask file missing',
        'The pair is skipped. Correct the list; for an authentic image write `-`.',
    ),
    'mask-unreadable': Kind(
        'error', 'mask cannot be read',
        'The pair is skipped. Download or convert the mask again, or say how it is to be read.',
    ),
    'mask-size': Kind(
        'error', 'mask has another size than its image',
        'The pair is skipped. Check the pairing; a mask that belongs to a resized image may be '
        'resized with nearest-neighbour interpolation.',
    ),
    'train-test-exact': Kind(
        'error', 'same file in training and testing',
        'Results on these images measure memory. Remove them from the training set.',
    ),
    'train-test-similar': Kind(
        'warning', 'look-alikes in training and testing',
        'Probably copies of one picture (resized, compressed again, or forged from the same '
        'original): results on them are too good. Look at them; remove the training ones.',
    ),
    'mask-inverted': Kind(
        'warning', 'mask looks inverted',
        'Not 0 means tampered, and here that is most of the frame. Where black marks the '
        'tampering, invert the file; a replaced background is fine.',
    ),
    'mask-empty': Kind(
        'warning', 'mask marks nothing',
        'The image counts as authentic. If it is, list it with `-` or drop the mask; else the '
        'mask is lost.',
    ),
    'mask-full': Kind(
        'warning', 'mask marks every pixel',
        'Right for wholly generated images only. Often the background is not 0 but another '
        'colour: write the mask as 0/255.',
    ),
    'mask-not-binary': Kind(
        'warning', 'mask has more than two values',
        'Every value but 0 counts as tampered, classes and noise included. Decide which values '
        'mean tampered and write the mask as 0/255, or name those that do not count (mask_ignore).',
    ),
    'mask-elsewhere': Kind(
        'warning', 'mask is not in the colours',
        'They are one colour all over, so alpha or the indices of the palette were read. Look '
        'whether the right part is marked; mask_channel says what counts.',
    ),
    'mask-jpeg': Kind(
        'warning', 'mask saved as JPEG, or with other loss',
        'Compression blurred its edges; it is cut at 127. Prefer the lossless original.',
    ),
    'image-rotated': Kind(
        'warning', 'EXIF orientation is set',
        'The loader ignores it, so that pixels match their DCT coefficients; a mask drawn on the '
        'upright view does not match. The report shows both views; turn the mask if need be.',
    ),
    'image-tiny': Kind(
        'warning', 'image under 32 px',
        'Less than one pixel at the coarsest level of the network. Leave it out.',
    ),
    'image-misnamed': Kind(
        'warning', 'image whose name says something else',
        'Without the suffix of an image that training reads, it is left out of its folder: rename '
        'it, or use a list file. With that of another format it is read as what it is (a note).',
    ),
    'duplicate-exact': Kind(
        'warning', 'same file more than once',
        'It is drawn more often than others. Keep one.',
    ),
    'duplicate-similar': Kind(
        'note', 'look-alikes',
        'Copies, video frames, or forgeries of one original: harmless on one side of a split, '
        'but do not split them.',
    ),
    'stem-shared': Kind(
        'note', 'listed images differ in the suffix only',
        'Fine in a list file; as a folder the set would be refused.',
    ),
    'mask-soft-edge': Kind(
        'note', 'mask has grey edges',
        'Anti-aliasing: the rim counts as tampered, so the region grows by a pixel or two.',
    ),
    'large-steps': Kind(
        'note', 'quantisation steps above 63',
        'Strong compression; the network clamps these steps to 63.',
    ),
    'image-odd': Kind(
        'note', 'image is odd beside its pixels',
        'Its pixels are whole, and it is trained on. The oddity may tell where it comes from.',
    ),
    'alpha': Kind('note', 'image has transparency', 'The loader drops the alpha channel.'),
    'deep': Kind(
        'note', 'image has more than 8 bits a channel', 'The loader keeps 8 bits of each.'
    ),
    'image-assumed': Kind(
        'note', 'picture or white not told by the file',
        'A TIFF of several pictures (a preview, a mask), or 16 bits of which few are in use: what '
        'was taken is what training sees. Convert the file if it is not what the mask belongs to.',
    ),
    'cmyk': Kind(
        'note', 'CMYK image',
        'Converted to RGB; its coefficients are no luma and come from a transcoded copy.',
    ),
    'files-left-out': Kind(
        'note', 'files that are no samples',
        'Hidden files, notes, or images of formats that training does not read (then a warning): '
        'convert these.',
    ),
    'set-unchecked': Kind(
        'note', 'dataset type not known',
        'Its images were not looked at. List files and folders can be checked directly.',
    ),
}  # fmt: skip
