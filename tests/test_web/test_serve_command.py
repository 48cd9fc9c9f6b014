import pytest

from mmomni.cli import serve
from mmomni.cli.parser import Parser


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
    assert (args.max_upload_mb, args.max_megapixels) == (50, 50)
    assert not args.trust_checkpoint


@pytest.mark.parametrize(
    'wrong',
    [
        ('--max-upload-mb', '0'),
        ('--max-upload-mb', 'nan'),
        ('--max-megapixels', '-1'),
        ('--max-megapixels', '179'),
        ('--port', 'http'),
    ],
)
def test_wrong_arguments(parse, wrong, capsys):
    with pytest.raises(SystemExit) as error:
        parse(*wrong)
    assert error.value.code == 2
    assert f'argument {wrong[0]}' in capsys.readouterr().err


class Server:
    port = 1234
    served = False

    def serve_forever(self):
        self.served = True


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
    monkeypatch.setattr(serve, 'open_page', lambda args: server)
    args = parse('--host', host)
    assert args.run(args) is None
    assert server.served
    printed = capsys.readouterr()
    assert printed.out.startswith(f'{url} ')
    assert ('without a password' in printed.err) == warned


def test_options_reach_the_page(parse, monkeypatch, tmp_path):
    opened = []

    def open_model(args, **options):
        opened.append(options)
        return None, {}, None

    monkeypatch.setattr(serve, 'open_model', open_model)
    server = serve.open_page(
        parse('--port', '0', '--max-upload-mb', '0.5', '--max-megapixels', '1.5')
    )
    try:
        assert opened == [dict(max_pixels=1_500_000)]
        assert server.app.max_upload == 2**19
        assert server.app.about['checkpoint'] == 'tiny.pth'
        assert server.app.about['max_megapixels'] == 1.5
        assert server.server_address[0] == '127.0.0.1'
        assert {'127.0.0.1', 'localhost', '[::1]'} == set(server.app.hosts)
    finally:
        server.server_close()


@pytest.mark.parametrize(
    ('host', 'hosts'),
    [('127.0.0.2', {'127.0.0.1', '127.0.0.2', 'localhost', '[::1]'}), ('0.0.0.0', set())],
)
def test_only_a_page_of_this_machine_has_names(parse, monkeypatch, host, hosts):
    monkeypatch.setattr(serve, 'open_model', lambda args, **options: (None, {}, None))
    server = serve.open_page(parse('--port', '0', '--host', host))
    server.server_close()
    assert set(server.app.hosts) == hosts


def test_checkpoint_is_asked_for(capsys):
    parser = Parser()
    serve.add_parser(parser.add_subparsers())
    with pytest.raises(SystemExit):
        parser.parse_args(['serve'])
    assert '--checkpoint' in capsys.readouterr().err
