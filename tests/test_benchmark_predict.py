import pytest


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/benchmark_predict.py')


def test_table(tool, monkeypatch, capsys):
    """Starting takes 2 s with ONNX Runtime and 6 s with torch, an image half a second with both."""
    commands = []

    def predict(inputs, out, backend, checkpoint):
        images = len(list(inputs.iterdir()))
        commands.append((backend, images))
        return tool.Run(dict(onnx=2, torch=6)[backend] + images / 2, 100 * images)

    monkeypatch.setattr(tool, 'predict', predict)
    assert tool.main(['--images', '3', '--rounds', '2']) == 0
    assert commands == [('onnx', 1), ('onnx', 3), ('torch', 1), ('torch', 3)] * 2
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ['backend', 'first,', 's', 'images/s', 'then', 'memory,', 'MB']
    assert [row.split() for row in rows] == [
        ['onnx', '2.50', '2.00', '300'], ['torch', '6.50', '2.00', '300'],
    ]  # fmt: skip


def test_what_fails_is_told_in_its_own_words(tool, tmp_path):
    with pytest.raises(SystemExit, match=r'predict .*(?s:.)*none\.onnx'):
        tool.predict(tmp_path, tmp_path / 'out', 'onnx', tmp_path / 'none.onnx')


@pytest.mark.parametrize('arguments', [['--images', '1'], ['--rounds', '0'], ['none.jpg']])
def test_arguments_that_make_no_sense(tool, arguments):
    with pytest.raises(SystemExit):
        tool.parse_args(arguments)
