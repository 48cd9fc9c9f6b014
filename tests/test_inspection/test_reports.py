"""Two files, whatever is in the names and the images."""

import json
import warnings

import hand_made
from PIL import Image
from planting import Builder

from mmomni.inspection import Diagnosis, check_data, write_reports


def test_reports_are_written_into_a_new_folder_and_again_over_the_old(tmp_path):
    folder = tmp_path / 'deep' / 'report'
    for kind in ('deep', 'alpha'):
        write_reports(Diagnosis([hand_made.summary()], [hand_made.finding(kind)]), folder)
        assert list(json.loads((folder / 'report.json').read_text())['kinds']) == [kind]
        assert f'<code>{kind}</code>' in (folder / 'report.html').read_text()
    assert sorted(path.name for path in folder.iterdir()) == ['report.html', 'report.json']


def test_the_json_is_the_diagnosis(planted, tmp_path):
    diagnosis = check_data([str(planted[0])], [str(planted[1])])
    write_reports(diagnosis, tmp_path / 'out')
    text = (tmp_path / 'out' / 'report.json').read_text(encoding='utf-8')
    assert text.endswith('}\n')
    read = json.loads(text)
    assert [(each['kind'], each['file'], tuple(each['related'])) for each in read['findings']] == [
        (each.kind, each.file, each.related) for each in diagnosis.findings
    ]
    assert [row['images'] for row in read['sets']] == [row.images for row in diagnosis.sets]


def test_sets_of_which_no_image_can_be_read_have_a_report(tmp_path):
    """The one that is needed most."""
    (tmp_path / 'list.txt').write_text('absent.png -\n')
    diagnosis = check_data([str(tmp_path / 'list.txt')])
    write_reports(diagnosis, tmp_path / 'out')
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert '<svg' not in page
    assert 'image file missing: 1' in page


def test_names_of_any_script_are_kept(tmp_path):
    name = 'Größe 画像.png'
    found = hand_made.finding('mask-size', name)
    write_reports(Diagnosis([hand_made.summary()], [found]), tmp_path)
    assert json.loads((tmp_path / 'report.json').read_text())['findings'][0]['file'] == name
    assert name in (tmp_path / 'report.html').read_text(encoding='utf-8')


def test_warnings_of_pillow_do_not_reach_the_terminal(tmp_path, monkeypatch):
    path = Builder(tmp_path).add('a.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 96 * 128 - 1)
    found = hand_made.finding('duplicate-exact', str(path))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        write_reports(Diagnosis([hand_made.summary()], [found]), tmp_path / 'out')
    assert Image.DecompressionBombWarning not in {each.category for each in caught}
    assert 'data:image/jpeg' in (tmp_path / 'out' / 'report.html').read_text()
