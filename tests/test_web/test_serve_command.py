import pickle
from functools import partial

import pytest

from mmomni import web
from mmomni.apis.weights import packaged
from mmomni.cli import main, serve
from mmomni.cli.parser import Parser
from mmomni.utils.needed import TO_PREDICT, missing


@pytest.fixture
def parse():
    def parse(*arguments):
        parser = Parser()
        serve.add_parser(parser.add_subparsers())
        return parser.parse_args(['serve', '--checkpoint', 'tiny.pth', *arguments])

    return parse


def test_defaults_let_nobody_else_in(parse):
    args = parse()
    assert (args.host, args.port) == ('127.0.0.1', 7860)
    assert (args.max_upload_mb, args.max_megapixels, args.timeout) == (50, 50, 300)
    assert not args.trust_checkpoint


@pytest.mark.parametrize(
    'wrong',
    [
        ('--max-upload-mb', '0'),
        ('--max-upload-mb', 'nan'),
        ('--max-megapixels', '-1'),
        ('--max-megapixels', '179'),
        ('--port', 'http'),
        ('--timeout', '0'),
        ('--timeout', '-1'),
        ('--timeout', 'nan'),
        ('--timeout', 'inf'),
        ('--timeout', '86401'),
    ],
)
def test_wrong_arguments(parse, wrong, capsys):
    with pytest.raises(SystemExit) as error:
        parse(*wrong)
    assert error.value.code == 2
    assert f'argument {wrong[0]}' in capsys.readouterr().err


class Server:
    """Stands in for the server and for the process that examines; notes what is done."""

    port = 1234

    def __init__(self):
        self.done = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done.append('closed')

    def start(self):
        self.done.append('started')

    def wait(self):
        self.done.append('waited')

    def serve_forever(self):
        self.done.append('served')


@pytest.mark.parametrize(
    ('host', 'url', 'warned'),
    [
        ('127.0.0.1', 'http://127.0.0.1:1234', False),
        ('127.0.0.2', 'http://127.0.0.2:1234', False),
        ('localhost', 'http://localhost:1234', False),
        ('::1', 'http://[::1]:1234', False),
        ('0.0.0.0', 'http://0.0.0.0:1234', True),
        ('::', 'http://[::]:1234', True),
        ('192.168.0.7', 'http://192.168.0.7:1234', True),
        ('myhost', 'http://myhost:1234', True),
    ],
)
def test_other_machines_are_warned_of(parse, monkeypatch, capsys, host, url, warned):
    server = Server()
    monkeypatch.setattr(serve, 'open_page', lambda args, examine: server)
    monkeypatch.setattr(web, 'ExaminerProcess', lambda build, timeout: server)
    args = parse('--host', host)
    assert args.run(args) is None
    assert server.done == ['started', 'waited', 'served', 'closed', 'closed']
    printed = capsys.readouterr()
    assert printed.out.startswith(f'{url} ')
    assert ('without a password' in printed.err) == warned


def test_options_reach_the_page(parse):
    args = parse('--port', '0', '--max-upload-mb', '0.5', '--max-megapixels', '1.5')
    examine = web.ExaminerProcess(partial(serve.open_examiner, args), args.timeout)
    with examine, serve.open_page(args, examine) as server:
        page = server.app
        assert page.max_upload == 2**19
        assert page.about['checkpoint'] == 'tiny.pth'
        assert (page.about['max_megapixels'], page.about['timeout']) == (1.5, 300)
        assert server.server_address[0] == '127.0.0.1'
        assert {'127.0.0.1', 'localhost', '[::1]'} == set(page.hosts)
        assert page.examine is examine
        assert page.stoppable


def test_options_reach_the_examiner(parse, monkeypatch):
    opened = []

    def open_model(args, **options):
        opened.append(options)
        return 'predictor', {}, None

    monkeypatch.setattr(serve, 'open_model', open_model)
    args = parse('--max-megapixels', '1.5')
    pickle.loads(pickle.dumps(args))
    assert serve.open_examiner(args).predictor == 'predictor'
    assert opened == [dict(max_pixels=1_500_000)]


@pytest.mark.parametrize(
    ('host', 'hosts'),
    [('127.0.0.2', {'127.0.0.1', '127.0.0.2', 'localhost', '[::1]'}), ('0.0.0.0', set())],
)
def test_only_a_page_of_this_machine_has_names(parse, host, hosts):
    with serve.open_page(parse('--port', '0', '--host', host), None) as server:
        assert set(server.app.hosts) == hosts


def test_without_a_checkpoint_the_page_names_that_of_the_package(monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(web, 'ExaminerProcess', lambda build, timeout: Server())
    monkeypatch.setattr(serve, 'open_page', lambda args, examine: opened.append(args) or Server())
    assert main(['serve']) == 0
    suffix = '.onnx' if missing(TO_PREDICT) else '.safetensors'
    assert opened[0].checkpoint == packaged(suffix)
    line = f'no checkpoint was named: {opened[0].checkpoint.name} of the package is taken'
    assert line in capsys.readouterr().err


@pytest.mark.parametrize('port', ['-1', '65536', '99999'])
def test_a_port_that_there_is_not_is_refused(parse, capsys, port):
    with pytest.raises(SystemExit, match='2'):
        parse('--port', port)
    assert f'expected a port from 0 to 65535, got {port}' in capsys.readouterr().err
