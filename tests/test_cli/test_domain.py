"""Which calibration `serve` and `predict-archive` take by ``--domain``; no page, no cluster."""

import json

import pytest

from mmomni.apis import open_predictor
from mmomni.apis.weights import packaged
from mmomni.cli import main, predict_archive, serve
from mmomni.cli.parser import Parser
from mmomni.utils.files import file_sha256


def limit_of_archive(args):
    """The threshold that a worker has, in whatever folder it runs."""
    settings, limit = predict_archive._told(predict_archive._opener(args))
    assert settings['checkpoint_sha256'] == file_sha256(args.checkpoint)
    return limit


COMMANDS = {
    'serve': (serve, lambda args: serve.open_examiner(args).image_threshold),
    'predict-archive': (predict_archive, limit_of_archive),
}


@pytest.fixture(scope='module')
def predictor():
    return open_predictor(packaged('.onnx'))


@pytest.fixture(params=COMMANDS)
def limit(request, predictor, monkeypatch):
    """The threshold of images that options lead to."""
    module, opened = COMMANDS[request.param]
    monkeypatch.setattr('mmomni.apis.open_predictor', lambda *_, **__: predictor)
    parser = Parser()
    module.add_parser(parser.add_subparsers())
    lists = ['list.txt'] if request.param == 'predict-archive' else []

    def limit(*options):
        arguments = [request.param, *lists, '--checkpoint', packaged('.onnx'), *options]
        return opened(parser.parse_args(list(map(str, arguments))))

    return limit


@pytest.fixture
def of_faces(tmp_path):
    path = tmp_path / 'c.json'
    digest = file_sha256(packaged('.onnx'))
    told = dict(threshold=0.75, pooling='max', fpr=0.02, domain='face', checkpoint_sha256=digest)
    path.write_text(json.dumps(told))
    return path


def test_a_calibration_that_the_weights_carry_is_chosen(limit):
    """Those of the package carry one for documents, and another for images of any kind."""
    document, of_any = limit('--fpr', '0.05', '--domain', 'document'), limit('--fpr', '0.05')
    assert (document.fpr, document.domain) == (0.05, 'document')
    assert (of_any.fpr, of_any.domain) == (0.05, None)
    assert document.value != of_any.value


def test_a_calibration_file_is_of_that_kind(limit, of_faces):
    found = limit('--calibration', of_faces, '--domain', 'face')
    assert (found.value, found.domain) == (0.75, 'face')
    with pytest.raises(ValueError, match='for --domain document, got one for face; leave out one'):
        limit('--calibration', of_faces, '--domain', 'document')


def test_a_kind_that_the_weights_do_not_carry_is_refused(limit):
    with pytest.raises(ValueError, match=r'for --fpr 0\.05 --domain posters, it carries '):
        limit('--fpr', '0.05', '--domain', 'posters')


def test_a_kind_alone_chooses_nothing_and_is_refused(limit):
    with pytest.raises(ValueError, match='give --fpr or --calibration with it'):
        limit('--domain', 'face')


@pytest.mark.parametrize('command', [['serve'], ['predict-archive', 'list.txt']])
@pytest.mark.parametrize(
    ('values', 'words'),
    [(['a', 'b'], 'expected --domain once, got it again'), (['a b'], 'expected a word of up to')],
)
def test_a_kind_is_one_word_once(command, values, words, capsys):
    with pytest.raises(SystemExit, match='2'):
        main([*command, *(word for value in values for word in ('--domain', value))])
    assert words in capsys.readouterr().err
