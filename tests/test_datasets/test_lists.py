"""List files in every form: how many images are tampered, how many authentic, and what is wrong."""

import codecs
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmomni.apis.calibration import authentic_images
from mmomni.datasets import ManipulationDataset
from mmomni.datasets.lists import pairs_of_list, read_list
from mmomni.inspection import check_data
from mmomni.inspection.opening import open_sets

NAMES = ('Tp/a.jpg', 'Tp/b c.jpg', 'Tp/d,e.jpg', 'Tp/ünï.jpg', 'Au/f.jpg', 'Au/g.jpg')
MASKS = ('Gt/a.png', 'Gt/b c.png', 'Gt/d,e.png', 'Gt/ünï.png')
A, B, D, U = zip(NAMES, MASKS, strict=False)
F, G = NAMES[4:]
UTF16 = 'utf-16-le'


def lines(*rows, separator=' '):
    return ''.join(f'{separator.join(row)}\n' for row in rows)


PLAIN = lines(A, (F, '-'))
FORMS = {
    'blanks': ('l.txt', PLAIN, (A, F)),
    'tabs': ('l.txt', lines(A, B, D, U, (F, '-'), separator='\t'), (A, B, D, U, F)),
    'runs of blanks': ('l.txt', f'  {A[0]}    {A[1]}\n\t{F}  -\n', (A, F)),
    'runs of tabs': ('l.txt', f'{B[0]}\t\t{B[1]}\n{F} \t -\n', (B, F)),
    'blanks and tabs at the ends': ('l.txt', f'{A[0]} {A[1]}  \n{F}\t-\t\n{G} - \t \n', (A, F, G)),
    'blanks in names': ('l.txt', lines(B, A, ('Tp/d,e.jpg', D[1])), (B, A, D)),
    'CRLF': ('l.txt', PLAIN.replace('\n', '\r\n'), (A, F)),
    'CR': ('l.txt', PLAIN.replace('\n', '\r'), (A, F)),
    'UTF-8': ('l.txt', lines(U, (F, '-')), (U, F)),
    'BOM': ('l.txt', codecs.BOM_UTF8 + lines(U, (F, '-')).encode(), (U, F)),
    'BOM before a comment': ('l.txt', codecs.BOM_UTF8 + b'# two\n' + PLAIN.encode(), (A, F)),
    'BOM in joined files': ('l.txt', f'{A[0]} {A[1]}\n\ufeff{F} -\n', (A, F)),
    'UTF-16 LE': ('l.txt', codecs.BOM_UTF16_LE + lines(U, (F, '-')).encode(UTF16), (U, F)),
    'UTF-16 BE': ('l.txt', codecs.BOM_UTF16_BE + lines(U).encode('utf-16-be'), (U,)),
    'comma': ('l.txt', lines(A, (F, 'None'), separator=','), (A, F)),
    'comma and blank': ('l.txt', lines(A, B, (F, '-'), separator=', '), (A, B, F)),
    'comma in names': ('l.txt', lines(D, A, separator=','), (D, A)),
    'comma at the end': ('l.txt', f'{A[0]},{A[1]},\n{F},\n', (A, F)),
    'semicolon': ('l.csv', lines(A, B, (F, ''), separator=';'), (A, B, F)),
    'quotes': ('l.csv', f'"{D[0]}","{D[1]}"\n{F},"None"\n', (D, F)),
    'quotes, blanks and commas': ('l.txt', f'"{D[0]}" , "{D[1]}"\n"{F}" ,"-"\n', (D, F)),
    'quotes and blanks': ('l.txt', f'"{B[0]}"  "{B[1]}"\n"{F}" -\n', (B, F)),
    'comments behind': (
        'l.txt', f'{A[0]} {A[1]}  # fake\n{F} - #real\n{B[0]}\t{B[1]} # x.png\n{G},None # y\n',
        (A, F, B, G),
    ),
    'comments': ('l.txt', f'# x\n  # y -\n\t#z\n\n  \n{PLAIN}#{G} -\n', (A, F)),
    'backslashes': ('l.txt', 'Tp\\a.jpg Gt\\a.png\n.\\Au\\f.jpg -\n', (A, F)),
    'dots': ('l.txt', f'./{A[0]} ././{A[1]}\n.//{F} -\n', (A, F)),
    **{
        f'authentic: {word}': ('l.txt', lines(A, (F, word)), (A, F))
        for word in ('-', 'Negative', 'None', 'NONE', 'null', 'nan', '<NA>', 'real', 'False')
    },
    'label': ('l.txt', lines((*A, '1'), (F, 'None', '0'), (G, '-', '0')), (A, F, G)),
    'label alone': ('l.txt', lines((F, '0'), (G, '0')), (F, G)),
    'label after tabs': ('l.txt', f'{B[0]}\t{B[1]}\t1\n{F}\t\t0\n', (B, F)),
    'CSV': ('l.csv', 'image,mask\n' + lines(A, (F, ''), separator=','), (A, F)),
    'CSV of pandas': ('l.csv', f',image,mask\n0,{A[0]},{A[1]}\n1,{F},\n', (A, F)),
    'CSV called as the folders': ('l.csv', f'Gt,Tp\n{A[1]},{A[0]}\n', (A,)),
    'CSV, longer': (
        'l.csv', f'image_path,mask_path,label\n{A[0]},{A[1]},1\n"{D[0]}","{D[1]}",1\n{F},,0\n',
        (A, D, F),
    ),
    'CSV of a spreadsheet': (
        'l.csv', codecs.BOM_UTF8 + f'Image Path;Mask\r\n{B[0]};{B[1]}\r\n{F};\r\n'.encode(), (B, F),
    ),
    'CSV of other order': (
        'l.csv', f'id,label,gt,filename\n1,1,{A[1]},{A[0]}\n2,fake,{B[1]},{B[0]}\n3,real,,{F}\n',
        (A, B, F),
    ),
    'CSV of labels': ('l.csv', f'path,label\n{F},0\n{G},0.0\n', (F, G)),
    'TSV': ('l.tsv', f'# made by hand\nimage\tmask\n{D[0]}\t{D[1]}\n{F}\t\n', (D, F)),
    'header of blanks': ('l.txt', f'image mask\n{PLAIN}', (A, F)),
    'JSON of IMDL-BenCo': ('l.json', [[*A], [*B], [F, 'Negative']], (A, B, F)),
    'JSON, marked': ('l.json', codecs.BOM_UTF8 + json.dumps([A, (F, 'Negative')]).encode(), (A, F)),
    'JSON called a text': ('l.txt', json.dumps([[*A], [F, None]], indent=1), (A, F)),
    'JSON of ForensicHub': (
        'l.json', [{'path': F, 'label': 0}, {'path': G, 'label': False}], (F, G),
    ),
    'JSON of ForensicHub, masks': (
        'l.json',
        [dict(path=A[0], mask=A[1], label=1), dict(path=F, mask='Negative', label=0)], (A, F),
    ),
    'JSON of objects': (
        'l.json',
        [dict(image=A[0], mask=A[1], label=1, width=8), dict(image=F, mask=None, label=0)], (A, F),
    ),
    'lines of JSON': (
        'l.jsonl', f'{json.dumps(dict(image=D[0], mask=D[1]))}\n\n["{F}", "Negative"]\n', (D, F),
    ),
    'one line of JSON': ('l.jsonl', json.dumps(dict(image=D[0], mask=D[1], w=6, h=8)), (D,)),
    'CAT-Net': (
        'CASIA.txt', f'{A[0]},{A[1]},{A[0]}\n{B[0]},{B[1]},Au/f.jpg\n{F},None,{F}\n', (A, B, F),
    ),
    'CAT-Net, four columns': (
        'IMD.txt', f'{A[0]},{A[1]},{F},{G}\n{B[0]},{B[1]},None,{G}\n', (A, B),
    ),
    'CAT-Net, no JPEG copies': ('IMD.txt', lines(A, B, (F, 'None'), separator=','), (A, B, F)),
    'MVSS-Net and MMFusion': (
        'l.txt', f'./{A[0]} ./{A[1]} 1\n./{U[0]} ./{U[1]} 1\n./{F} None 0\n', (A, U, F),
    ),
}  # fmt: skip


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Six images, each another one, and four masks; lists lie beside them."""
    root = tmp_path_factory.mktemp('set')
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 20:40] = 255
    for number, name in enumerate((*NAMES, *MASKS)):
        noise = np.random.default_rng(number).integers(0, 256, (3, 4, 3), np.uint8)
        image = Image.fromarray(noise).resize((64, 48)) if number < 6 else Image.fromarray(mask)
        (root / name).parent.mkdir(exist_ok=True)
        image.save(root / name)
    return root


def write(root, name, content):
    path = root / name
    if isinstance(content, list):
        content = json.dumps(content, ensure_ascii=False)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def built(root, name):
    options = dict(pipeline=[], serialize_data=False)  # which spares a walk over all objects
    return ManipulationDataset('x', data_root=str(root), ann_file=name, **options)


def expected(root, pairs):
    both = ((pair, None) if isinstance(pair, str) else pair for pair in pairs)
    return [(str(root / image), mask and str(root / mask)) for image, mask in both]


@pytest.mark.parametrize('form', FORMS)
def test_a_form_is_read_alike_by_training_and_check_data(form, root):
    name, content, pairs = FORMS[form]
    path = write(root, name, content)

    dataset = built(root, name)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [(info['img_path'], info['seg_map_path']) for info in infos] == expected(root, pairs)

    (data_set,) = open_sets([str(path)])
    assert data_set.pairs == expected(root, pairs)
    assert [finding.kind for finding in data_set.findings if finding.level == 'error'] == []


def test_check_data_counts_what_each_list_says_and_finds_no_errors(root):
    paths = [
        write(root, f'{number:02d}{name}', content)
        for number, (name, content, _) in enumerate(FORMS.values())
    ]

    diagnosis = check_data(list(map(str, paths)))

    assert [each.kind for each in diagnosis.findings if each.level == 'error'] == []
    for row, (_, _, pairs) in zip(diagnosis.sets, FORMS.values(), strict=True):
        authentic = sum(isinstance(pair, str) for pair in pairs)
        assert (row.tampered, row.authentic) == (len(pairs) - authentic, authentic)


@pytest.mark.parametrize(
    'content',
    [
        lines([F], [G]), f'path\n{F}\n{G}\n', f'{F} -\n{G}\n', f'{F},None\n{G},0\n',
        codecs.BOM_UTF16_LE + lines([F], [G]).encode(UTF16), f'image,label\n{F},0\n{G},real\n',
        [F, G], [[F], [G, 'Negative']], f'./{F}\r\nAu\\g.jpg\r\n', f'{F}\n{G}\n{F}\n',
    ],
)  # fmt: skip
def test_calibration_reads_authentic_images_of_any_form(content, root):
    path = write(root, 'authentic.txt', content)

    assert authentic_images(path) == [str(root / F), str(root / G)]


@pytest.mark.parametrize('name', ['Tp/b c.jpg', 'Tp/d,e.jpg'])
def test_calibration_reads_names_with_blanks_and_commas_alone_on_a_line(name, root):
    assert authentic_images(write(root, 'one.txt', f'{name}\n')) == [str(root / name)]


def test_absolute_paths_stay(root):
    path = write(root, 'l.txt', f'{root / A[0]},{root / A[1]}\n{root / F},-\n')

    found = pairs_of_list(path, '/elsewhere')

    assert [(image, mask) for image, mask, _ in found.pairs] == expected(root, (A, F))


CONTRADICTIONS = {
    'two masks': (lines(A, (A[0], B[1]), separator='\t'), 'line 2', 'a.png in line 1'),
    'a mask and none': (lines(A, (f'./{A[0]}', '-')), 'line 2', 'no mask here and .*a.png in'),
    'its own mask': (lines((F, '-'), (A[0], f'./{A[0]}')), 'line 2', 'got one file as both'),
    'authentic with label 1': (lines(A, (F, 'Negative', '1')), 'line 2', 'a mask beside the label'),
    'a word for label 1': (f'{F},real\n{A[0]},fake\n', 'line 2', 'a mask beside the label fake'),
    'a flag for a mask': (f'image,mask\n{F},0\n{A[0]},1\n', 'line 3', 'a mask beside the label 1'),
    'label 1 alone': (lines((F, '0'), (G, '1')), 'line 2', 'a mask beside the label 1'),
    'tampered with label 0': (lines((*A, '0')), 'line 1', 'no mask beside the label 0'),
    'CSV with label 1': (f'image,mask,label\n{A[0]},,1\n', 'line 2', 'a mask beside the label'),
    'JSON with label 1': ([{'path': F, 'label': 1}], 'entry 1', 'a mask beside the label'),
    'JSON, two masks': ([[*A], [A[0], B[1]]], 'entry 2', 'a.png in entry 1'),
}
UNCLEAR = {
    'one column': (f'{A[0]}\n', 'line 1', 'got 1 column'),
    'four columns': (lines(A, (*A, '1', 'x')), 'line 2', 'got 4 columns'),
    'five columns': (lines((*A, F, F, F), separator=','), 'line 1', 'got 5 columns'),
    'an image and two masks': (lines((*A, B[1].replace(' ', ''))), 'line 1', 'got 3 columns'),
    'an index': (f'0,{A[0]},{A[1]}\n', 'line 1', 'a number or label in the place of a file'),
    'a label in front': (f'1 {A[0]} {A[1]}\n', 'line 1', 'a number or label in the place'),
    'a label before masks': (f'{A[0]},1,{A[1]}\n', 'line 1', 'a number or label in the place'),
    'a label of -1': (f'{F} -1\n', 'line 1', 'a number or label in the place'),
    'an index in JSON': ([[0, *A]], 'entry 1', 'got something else'),
    'the source first': (f'{A[0]},{F},{A[1]}\n', 'line 1', 'called like a mask, behind Au/f.jpg'),
    'a label of 2': (f'image,mask,label\n{A[0]},{A[1]},2\n', 'line 2', 'a label of 0 or 1'),
    'a short row': (f'image,mask\n{F},\n{A[0]}\n', 'line 3', 'got 1 columns, but the header has 2'),
    'an unquoted comma': (f'image,mask\n{D[0]},{D[1]}\n', 'line 2', 'but the header has 2'),
    'an open quote': (f'image,mask\n"{A[0]},{A[1]}\n', 'line 2', 'quotes that cannot be read'),
    'a header without images': ('mask,label\nx.png,1\n', 'line 1', 'a header without one of'),
    'a header with two': (f'image,path,mask\n{F},{F},\n', 'line 1', "both 'image' and 'path'"),
    'two readings': ('x.jpg,y.jpg z.png\n', 'line 1', 'can be read as x.jpg | y.jpg z.png or'),
    'a number in JSON': ([[*A], 3], 'entry 2', 'got something else'),
    'an object without an image': ([{'mask': A[1]}], 'entry 1', 'got no image'),
    'a NUL in JSON': ([['a\0.jpg', '-']], 'entry 1', 'control characters'),
    'a broken line of JSON': (f'["{F}", "-"]\n["{G}", \n', 'line 2', 'Expecting value'),
}
FAULTS = {
    **{name: ('list-contradiction', *case) for name, case in CONTRADICTIONS.items()},
    **{name: ('list-line', *case) for name, case in UNCLEAR.items()},
}


@pytest.mark.parametrize('case', FAULTS)
def test_a_fault_is_refused_by_training_and_found_by_check_data(case, root):
    kind, content, place, words = FAULTS[case]
    path = write(root, 'bad.txt', content)
    number = place.split()[1]

    where = rf'bad\.txt(?::{number}|, entry {number}): '
    with pytest.raises(ValueError, match=rf'{where}expected .*{words.replace("|", ".")}'):
        built(root, 'bad.txt')

    (data_set,) = open_sets([str(path)])
    (finding,) = [each for each in data_set.findings if each.kind == kind]
    assert (finding.file, finding.level) == (str(path), 'error')
    assert finding.message.startswith(f'{place}: expected ')


NO_LISTS = {
    'LATIN1': (f'{U[0]} {U[1]}\n'.encode('latin-1'), '1: expected text in UTF-8.*iconv'),
    'UTF-16 unmarked': (lines(A).encode(UTF16), 'expected text.*iconv -f UTF-16'),
    'a pickle': (b'\x80\x04\x95\x0b\0\0\0', 'got a pickle, which may run code'),
    'a spreadsheet': (b'PK\x03\x04\x14\0\x08\x08\xff', 'the sheet of a spreadsheet program'),
    'a picture': (b'\xff\xd8\xff\xe0', 'got an image'),
    'sets of IMDL-BenCo': ([['JsonDataset', 'x.json']], r'lists data sets \(JsonDataset\)'),
    'tests of IMDL-BenCo': ('{"Columbia": "c.json"}', 'an object with the keys Columbia'),
    'COCO': ('{"images": [], "annotations": [], "info": 1, "x": 2}', 'keys images, annotations'),
}


@pytest.mark.parametrize('case', NO_LISTS)
def test_what_is_no_list_is_named(case, root):
    content, words = NO_LISTS[case]
    path = write(root, 'l.txt', content)

    with pytest.raises(ValueError, match=rf'l\.txt: ?.*{words}'):
        pairs_of_list(path, str(root))
    (data_set,) = open_sets([str(path)])
    assert [finding.kind for finding in data_set.findings] == ['set-missing']


def test_broken_json_says_where(root):
    path = write(root, 'l.json', '[["a.jpg", "-"],\n["b.jpg"')

    with pytest.raises(ValueError, match=r'l\.json: the JSON cannot be read .*line 2'):
        pairs_of_list(path, str(root))
    (data_set,) = open_sets([str(path)])
    assert 'the JSON cannot be read' in data_set.findings[0].message


@pytest.mark.parametrize('content', ['', '# nothing\n', 'image,mask\n', '[]', codecs.BOM_UTF8])
def test_a_list_of_nothing_is_an_error_everywhere(content, root):
    path = write(root, 'l.txt', content)

    with pytest.raises(ValueError, match=r'no images found in .*l\.txt'):
        built(root, 'l.txt')
    with pytest.raises(ValueError, match='found none in it'):
        authentic_images(path)
    (data_set,) = open_sets([str(path)])
    assert [finding.kind for finding in data_set.findings] == ['set-missing']


def test_the_first_faults_are_named_and_the_others_counted(root):
    path = write(root, 'l.txt', lines(*[(F, '1')] * 5))

    with pytest.raises(ValueError, match='and 2 more of its lines') as error:
        pairs_of_list(path, str(root))
    assert str(error.value).count('l.txt:') == 3


def test_repeated_rows_and_columns_that_nobody_reads_are_one_note_each(root):
    path = write(root, 'l.txt', f'{A[0]},{A[1]},{F}\n{A[0]},{A[1]},{F}\n./{A[0]},{A[1]},{F}\n')

    found = pairs_of_list(path, str(root))

    assert len(found.pairs) == 3
    repeated, unread = found.notes
    assert '2 rows repeat earlier ones, the first is line 2' in repeated
    assert 'columns after the mask' in unread
    table = write(root, 't.csv', f'image,mask,width\n{F},,8\n{G},,8\n')
    assert "'width'" in pairs_of_list(table, str(root)).notes[0]


def test_a_tab_is_stronger_than_blanks_but_files_are_stronger_still(root):
    path = write(root, 'l.txt', f'x.jpg y.png\t0\n{A[0]} {A[1]}\t1\n')

    first, second = read_list(path, '').faults, read_list(path, str(root)).pairs[1]

    assert [fault.place for fault in first] == ['line 2']  # the label 1 of an image without a mask
    assert second[:2] == expected(root, [A])[0]


@pytest.mark.parametrize('name', ['#1.jpg', 'a\\b.jpg', 'x.jpg,y.jpg'])
def test_a_name_that_looks_like_something_else_is_what_is_on_the_disk(name, tmp_path):
    for each in (name, 'm.png'):
        (tmp_path / each).touch()
    path = write(tmp_path, 'l.txt', f'{name} m.png\n')

    ((image, mask, _),) = pairs_of_list(path, str(tmp_path)).pairs

    assert (os.path.relpath(image, tmp_path), Path(mask).name) == (name, 'm.png')


def test_names_without_a_suffix_are_columns(tmp_path):
    path = write(tmp_path, 'l.txt', '0001 0001_mask\n0002\t-\n')

    found = read_list(path, '')

    assert [pair[:2] for pair in found.pairs] == [('0001', '0001_mask'), ('0002', None)]


@pytest.mark.parametrize(
    'content',
    [f'{A[1]} {A[0]}\n', f'ground,photo\n{A[1]},{A[0]}\n', f'x/a_gt.png x/a.jpg\n{F} -\n'],
)
def test_masks_in_the_place_of_their_images_are_named(content, root):
    path = write(root, 'turned.txt', content)

    with pytest.raises(ValueError, match=r'1 images look like masks.*a\.jpg like its image'):
        built(root, 'turned.txt')
    (data_set,) = open_sets([str(path)])
    assert [each.kind for each in data_set.findings] == ['image-is-mask']


@pytest.mark.parametrize('names', ['image', 'image/x', 'mask'])
def test_a_header_is_no_folder_of_its_name(names, tmp_path):
    (tmp_path / names).mkdir(parents=True)
    path = write(tmp_path, 'l.csv', 'mask,image\na.png,a.jpg\n')

    assert [pair[:2] for pair in read_list(path, str(tmp_path)).pairs] == [
        (str(tmp_path / 'a.jpg'), str(tmp_path / 'a.png'))
    ]


@pytest.mark.parametrize('middle', [' ', ' ,', ',', '\t ', ' #'])
def test_a_line_of_blanks_costs_no_more_than_its_length(middle, tmp_path):
    text = f'a.jpg{" " * 200_000}{middle}b.png'
    path = write(tmp_path, 'l.txt', '\n'.join([text] * 3))
    start = time.process_time()

    read_list(path, '')

    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ('separator', 'more'), [(' ', ()), ('\t', ()), (',', ('x.jpg',)), (' ', ('1',)), (', ', ())]
)
def test_no_files_are_looked_for_where_a_line_has_one_reading(
    separator, more, tmp_path, monkeypatch
):
    """Lists of millions lie on servers."""
    rows = [(f'{n}.jpg', f'{n}.png', *more) for n in range(50)]
    comments = ''.join(f'# left out: {n} b.jpg: of 8 px, too small\n' for n in range(50))
    path = write(tmp_path, 'l.txt', lines(*rows, separator=separator) + comments)
    asked = []
    monkeypatch.setattr('mmomni.datasets.lists.osp.isfile', asked.append)

    assert len(read_list(path, '').pairs) == 50
    assert asked == []


def test_check_data_reads_folders_of_tampered_images_masks_and_authentic_ones(root):
    diagnosis = check_data([str(root)])

    assert [each.kind for each in diagnosis.findings if each.level == 'error'] == []
    assert (diagnosis.sets[0].tampered, diagnosis.sets[0].authentic) == (4, 2)


def test_folders_that_do_not_match_are_named(tmp_path):
    names = (
        'Tp/a.jpg', 'Tp/b.jpg', 'Tp/d.heic', 'Tp/e.jpg', 'Gt/a_gt.png', 'Gt/a.png', 'Gt/c.png',
        'Gt/b.exr', 'Gt/e_gt.npy', 'Gt/Thumbs.db', 'Au/f.jpg', 'Au/g.avif',
    )  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    (data_set,) = open_sets([str(tmp_path)])

    read = (('Tp/a.jpg', 'Gt/a.png'), ('Tp/e.jpg', 'Gt/e_gt.npy'), 'Au/f.jpg')
    assert data_set.pairs == expected(tmp_path, read)
    found = {(finding.kind, Path(finding.file).name) for finding in data_set.findings}
    assert found == {
        ('mask-missing', 'b.jpg'), ('mask-orphan', 'c.png'), ('mask-orphan', 'a_gt.png'),
        ('mask-unrecognised', 'b.exr'), ('files-left-out', 'Tp'), ('files-left-out', 'Au'),
    }  # fmt: skip
