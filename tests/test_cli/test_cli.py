import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hostile_files import make_hostile
from odd_folders import close_folders, make_odd_folder
from PIL import Image

import mmomni
from mmomni.cli import main


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / 'photos'
    folder.mkdir()
    for name in 'ab':
        noise = rng.integers(0, 256, (50, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((240, 200), Image.Resampling.BICUBIC).save(
            folder / f'{name}.png'
        )
    return folder


def test_synthesize_writes_and_sums_up(photos, tmp_path, capsys):
    out = tmp_path / 'out'
    command = ['synthesize', str(photos), str(out), '--domain', 'natural', '--num', '5']
    assert main([*command, '--seed', '3', '--max-side', '200']) == 0
    lines = (out / 'meta.jsonl').read_text().splitlines()
    assert len(lines) == 5
    captured = capsys.readouterr()
    (summary,) = captured.out.splitlines()
    assert summary.startswith(f'5 tampered images in {out}: ')
    for operation in {json.loads(line)['operation'] for line in lines}:
        count = sum(json.loads(line)['operation'] == operation for line in lines)
        assert f'{operation} {count}' in summary
    assert 'synthesize 5/5' in captured.err


@pytest.mark.host
def test_synthesize_tells_where_it_found_no_face(photos, tmp_path, capsys):
    out = tmp_path / 'out'
    command = ['synthesize', str(photos), str(out), '--domain', 'face', '--max-side', '100']
    assert main([*command, '--num', '2']) == 0
    assert 'no face was found in 2, whose middle was blended' in capsys.readouterr().out
    assert main([*command, '--num', '3', '--resume']) == 0
    assert 'no face was found in 3, whose middle was blended' in capsys.readouterr().out


def test_synthesize_resumes_with_workers_and_authentic_images(photos, tmp_path, capsys):
    out = tmp_path / 'out'
    command = ['synthesize', str(photos), str(out), '--domain', 'natural', '--max-side', '200']
    command += ['--authentic', '0.5', '--post-probability', '1']
    assert main([*command, '--num', '3']) == 0
    first = (out / 'meta.jsonl').read_bytes()
    assert main([*command, '--num', '8']) == 1
    assert '--resume' in capsys.readouterr().err
    assert main([*command, '--num', '8', '--resume', '--workers', '2']) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f'8 images in {out}: authentic ')
    assert 'images/s' in captured.err
    assert (out / 'meta.jsonl').read_bytes().startswith(first)
    metas = [json.loads(line) for line in (out / 'meta.jsonl').read_text().splitlines()]
    assert all(meta['post'] for meta in metas)
    assert main([*command, '--num', '8', '--resume', '--seed', '1']) == 1
    assert 'its seed is 0, got 1' in capsys.readouterr().err


@pytest.mark.host
def test_several_sources_go_before_the_folder(photos, tmp_path):
    sources = [str(photos / 'a.png'), str(photos / 'b.png')]
    out = tmp_path / 'out'
    assert main(['synthesize', *sources, str(out), '--domain', 'face', '--num', '1']) == 0
    assert len(list((out / 'images').iterdir())) == 1


def test_rendered_pages_need_no_files(tmp_path):
    out = tmp_path / 'out'
    command = ['synthesize', 'rendered', str(out), '--domain', 'document', '--num', '2']
    command += ['--histories', 'double', '--first-quality', '60', '60']
    assert main([*command, '--max-side', '256']) == 0
    for line in (out / 'meta.jsonl').read_text().splitlines():
        assert json.loads(line)['qualities'][0] == 60


def test_unreadable_sources_are_counted(photos, tmp_path, capsys):
    (photos / 'broken.jpg').write_bytes(b'no image')
    out = tmp_path / 'out'
    main(['synthesize', str(photos), str(out), '--domain', 'natural', '--num', '8'])
    assert '1 unreadable source left out' in capsys.readouterr().out


def test_all_else_in_the_folders_of_synthesize_is_accounted_for(
    photos, tmp_path, capsys, caplog, monkeypatch
):
    for kind in ('pipe', 'endless', 'scans', 'bomb'):
        make_hostile(photos, kind)
    (photos / 'gone.jpg').symlink_to('nowhere')
    make_odd_folder(photos / 'odd', np.array(Image.open(photos / 'a.png')))
    (photos / 'closed').mkdir()
    close_folders(monkeypatch, 'closed')
    command = ['synthesize', str(photos), str(tmp_path / 'out'), '--domain', 'natural']
    assert main([*command, '--num', '12', '--max-side', '100']) == 0
    printed = capsys.readouterr().out
    assert '; 7 unreadable sources left out; not images: 2 hidden, 1 pdf, 1 pipe, 1 txt' in printed
    for name in ('pipe', 'endless', 'scans', 'bomb', 'gone', 'd'):
        assert f'/{name}.jpg: ' in caplog.text
    assert 'closed: a folder that cannot be entered (Permission denied)' in caplog.text


def test_errors_of_the_user_end_in_one_line(photos, tmp_path, capsys):
    command = ['synthesize', str(photos), str(photos), '--domain', 'natural', '--num', '1']
    assert main(command) == 1
    error = capsys.readouterr().err
    assert error.startswith('mmomni synthesize: expected a new or empty folder')
    assert len(error.splitlines()) == 1


def test_rendered_cannot_be_mixed_with_folders(photos, tmp_path, capsys):
    command = ['synthesize', 'rendered', str(photos), str(tmp_path / 'out')]
    assert main([*command, '--domain', 'document', '--num', '1']) == 1
    assert './rendered' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['synthesize', 'a', 'b', '--domain', 'video', '--num', '1'], 'invalid choice'),
        (['synthesize', 'a', 'b', '--domain', 'face'], '--num'),
        (['synthesize', 'a', '--domain', 'face', '--num', '1'], 'OUT'),
        (['calibrate', 'a.py', 'b.pth'], 'AUTHENTIC'),
        (['calibrate', 'a.py', 'b.pth', 'c', '--pooling', 'median'], 'invalid choice'),
        (['calibrate', 'a.py', 'b.pth', 'c', '--fpr', '0'], 'a rate above 0 and below 1, got 0'),
        ([], 'command'),
    ],
)
def test_usage_errors(argv, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_domains_and_defaults_of_the_command_are_those_of_the_library():
    from mmomni.cli import parse_args
    from mmomni.cli.synthesize import HISTORIES
    from mmomni.synthesis import DOMAINS, POST_PROBABILITY, jpeg_history
    from mmomni.synthesis.synthesizer import GREY_SHARE, PNG_SHARE

    for domain in DOMAINS:
        args = parse_args(['synthesize', 'a', 'b', '--domain', domain, '--num', '1'])
        assert args.domain == domain
    assert args.post_probability == POST_PROBABILITY
    assert HISTORIES == jpeg_history.HISTORIES
    assert tuple(args.first_quality) == jpeg_history.FIRST_QUALITY
    assert tuple(args.second_quality) == jpeg_history.SECOND_QUALITY
    assert (args.png, args.grey) == (PNG_SHARE, GREY_SHARE)


@pytest.mark.host
def test_poolings_of_the_command_are_those_of_the_library():
    from mmomni.cli.calibrate import POOLINGS
    from mmomni.evaluation.functional import IMAGE_POOLINGS

    assert POOLINGS == IMAGE_POOLINGS


def test_neither_command_nor_synthesis_loads_torch():
    # mmomni/__init__.py imports mmengine.config; a bare package stands in for it here.
    code = (
        'import sys, types, importlib.util as u\n'
        'package = types.ModuleType("mmomni")\n'
        'package.__path__ = list(u.find_spec("mmomni").submodule_search_locations)\n'
        'sys.modules["mmomni"] = package\n'
        'import mmomni.cli, mmomni.synthesis, mmomni.jpeg, mmomni.datasets.list_files\n'
        'import mmomni.utils.files, mmomni.utils.tables, mmomni.utils.workers\n'
        'import mmomni.utils.templates\n'
        'loaded = {name.split(".")[0] for name in sys.modules}\n'
        'sys.exit(str(loaded & {"torch", "mmengine", "mmcv", "mmseg", "mmdet", "matplotlib"})'
        ' if loaded & {"torch", "mmengine", "mmcv", "mmseg", "mmdet", "matplotlib"} else 0)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.host
def test_what_is_spelt_out_for_speed_is_what_the_library_says():
    from mmomni.cli import calibrate, model, predict
    from mmomni.evaluation.functional import IMAGE_POOLINGS
    from mmomni.reporting.folder import FORMATS

    assert calibrate.POOLINGS == IMAGE_POOLINGS
    assert model.DEFAULT_POOLING in IMAGE_POOLINGS
    assert predict.FORMATS == FORMATS


@pytest.mark.parametrize('given', [None, 'active'])
def test_threads_wait_without_spinning_unless_told_to(given, monkeypatch, tmp_path, capsys):
    if given is None:
        monkeypatch.delenv('OMP_WAIT_POLICY', raising=False)
    else:
        monkeypatch.setenv('OMP_WAIT_POLICY', given)
    main(['check-data', str(tmp_path)])
    assert os.environ.pop('OMP_WAIT_POLICY') == (given or 'passive')


@pytest.mark.parametrize('module', ['mmomni', 'mmomni.cli'])
def test_the_version_is_told(module, tmp_path):
    command = [sys.executable, '-m', module, '--version']
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == f'mmomni {mmomni.__version__}\n'
