"""The small model: the tool that lays out its data, and the one that compares recipes."""

import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
DOMAINS = ('natural', 'document', 'face')
LITE0 = 'configs/lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'


def write(path, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('L', size).save(path)
    return path


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / 'sources'
    for domain in DOMAINS:
        for number in range(15):
            write(folder / domain / f'{number:02} a.png')
    for part in ('forged_train', 'forged_dev'):
        for name in ('casia2_1.png', 'casia2_2.png', 'own_1.png'):
            for kind in ('images', 'masks'):
                write(folder / part / kind / name)
    return folder


class TestLayout:
    @pytest.fixture
    def tool(self, load_tool):
        return load_tool('lite_data.py')

    @pytest.fixture
    def out(self, tool, sources, tmp_path):
        out = tmp_path / 'lite'
        tool.list_authentic(tool.split_sources(sources, out), out)
        tool.link_real(sources, out)
        return out

    @staticmethod
    def listed(out, part):
        rows = [
            line.split('\t')
            for line in (out / f'authentic_{part}.txt').read_text().splitlines()
        ]
        assert all(mask == '-' and (out / image).is_file() for image, mask in rows)
        return {image for image, _ in rows}

    def test_every_fifth_source_is_for_testing_alone(self, out):
        for domain in DOMAINS:
            train, test = (
                {path.name for path in (out / 'sources' / part / domain).iterdir()}
                for part in ('train', 'test')
            )
            assert test == {'00 a.png', '05 a.png', '10 a.png'}
            assert len(train) == 12
            assert not train & test

    def test_authentic_images_are_listed_by_part(self, out):
        train, test = self.listed(out, 'train'), self.listed(out, 'test')
        assert len(train) == 36
        assert len(test) == 6  # as many as are left
        assert all(image.startswith('sources/test/') for image in test)
        assert not {Path(image).resolve() for image in train} & {Path(i).resolve() for i in test}

    def test_authentic_images_to_validate_on_are_none_to_test_on(self, out):
        val, test = self.listed(out, 'val'), self.listed(out, 'test')
        assert len(val) == 3
        assert not val & test

    def test_real_forgeries_are_linked_and_listed_by_source(self, out):
        assert (out / 'forged_train/images/own_1.png').is_file()
        lines = (out / 'forged_dev/casia2.txt').read_text().splitlines()
        assert [line for line in lines if not line.startswith('#')] == [
            'images/casia2_1.png\tmasks/casia2_1.png', 'images/casia2_2.png\tmasks/casia2_2.png'
        ]  # fmt: skip

    def test_again(self, tool, sources, out):
        before = (out / 'authentic_train.txt').read_text()
        tool.list_authentic(tool.split_sources(sources, out), out)
        assert (out / 'authentic_train.txt').read_text() == before

    def test_more_sources_split_anew_and_equal_names_are_kept_apart(self, tool, sources, out):
        for name in ('00a.png', 'sub/05 a.png'):
            write(sources / 'face' / name)
        tool.split_sources(sources, out)
        train, test = (
            {p.resolve() for p in (out / 'sources' / part / 'face').rglob('*.png')}
            for part in ('train', 'test')
        )
        assert not train & test
        assert len(train | test) == 17

    def test_sets_are_those_of_the_config_and_made_of_their_own_sources(
        self, tool, tmp_path, monkeypatch
    ):
        commands = []
        monkeypatch.setattr(tool, 'run', lambda *words: commands.append([str(w) for w in words]))
        tool.synthesize(Path('from'), Path('to'), 1000, 2)
        made = {Path(words[4]).relative_to('to').as_posix(): words for words in commands}
        trained = Config.fromfile(ROOT / LITE0).train_sets
        assert set(made) == {f'train/{name}' for name in trained} | {
            f'{part}/{domain}' for part in ('val', 'test') for domain in DOMAINS
        }
        numbers = [int(w[w.index('--num') + 1]) for n, w in made.items() if n.startswith('train')]
        assert sum(numbers) == 1000
        for name, words in made.items():
            part = 'train' if name.startswith('train') else 'test'
            assert words[3] == 'rendered' or words[3].startswith(f'to/sources/{part}/')
            assert ('--donors' in words) == (words[words.index('--domain') + 1] == 'natural')
            assert part == 'train' or words[words.index('--authentic') + 1] == '0.0'
        assert made['train/portrait'][3] == 'to/sources/train/face'
        assert made['train/rendered'][3] == 'rendered'

    def test_too_few_sources(self, tool, sources, tmp_path):
        for path in sorted((sources / 'face').iterdir())[:3]:
            path.unlink()
        with pytest.raises(SystemExit, match='at least 15 authentic images, got 12'):
            tool.split_sources(sources, tmp_path / 'out')

    def test_without_real_forgeries(self, tool, tmp_path):
        with pytest.raises(SystemExit, match='forged_train/images, found no folder'):
            tool.link_real(tmp_path, tmp_path / 'out')


class TestBenchmark:
    @pytest.fixture
    def tool(self, load_tool, monkeypatch):
        monkeypatch.chdir(ROOT)  # it names the configs from there
        return load_tool('analysis_tools/lite_benchmark.py')

    @pytest.fixture
    def recipe(self, tool):
        return tool.make_config('recipe', 0, 1200)

    @pytest.mark.parametrize('iterations', [4, 1200])
    def test_budget(self, tool, iterations):
        cfg = tool.make_config('recipe', 3, iterations)
        assert cfg.train_cfg.max_iters == iterations
        assert cfg.train_cfg.val_begin > iterations
        assert cfg.randomness.seed == 3
        warmup, decay = cfg.param_scheduler
        assert warmup.end == decay.begin < decay.end

    def test_rows_differ_from_the_recipe_and_from_each_other(self, tool, recipe):
        # Not `pretty_text`: yapf takes seconds of each.
        texts = {row: str(tool.make_config(row, 0, 1200).to_dict()) for row in tool.ROWS}
        assert texts['recipe'] == str(recipe.to_dict())
        assert len(set(texts.values())) == len(texts)

    def test_crops_are_changed_wherever_they_are_cut(self, tool):
        cfg = tool.make_config('crops of 256', 0, 1200)
        text = str(cfg.train_dataloader)
        assert "'crop_size': (256, 256)" in text
        assert "'crop_size': (512, 512)" in text  # before cameras shrink it
        assert '192' not in text
        assert '384' not in text
        assert cfg.model.data_preprocessor.size == (256, 256)
        assert 0.9 < cfg.train_dataloader.batch_size * 256**2 / (12 * 192**2) < 1.1

    def test_losses_are_those_of_decoder_and_gate(self, tool):
        model = tool.make_config('cross-entropy alone', 0, 1200).model
        wanted = [dict(type='CrossEntropyLoss', avg_non_ignore=True)]
        assert model.decode_head.loss_decode == model.auxiliary_head[0].loss_decode == wanted

    def test_without_real_forgeries_none_is_drawn(self, tool):
        weights = tool.make_config('no real forgeries', 0, 1200).train_dataloader.sampler['weights']
        assert 'real' not in weights
        assert 'natural' in weights

    def test_other_synthesised_images_take_the_place_of_ours(self, tool, recipe):
        cfg = tool.make_config('earlier synthesiser', 0, 1200)
        sets, ours = (c.train_dataloader.dataset.datasets for c in (cfg, recipe))
        assert [s.data_root.replace('lite-earlier', 'lite') for s in sets] == [
            s.data_root for s in ours
        ]
        assert sum('lite-earlier' in s.data_root for s in sets) == 5

    def test_frequency_head_from_scratch_learns_at_the_full_rate(self, tool, recipe):
        cfg = tool.make_config('frequency head from scratch', 0, 1200)
        assert cfg.model.backbone.frequency_head.init_cfg is None
        rates = recipe.optim_wrapper.paramwise_cfg.custom_keys
        assert set(rates) - set(cfg.optim_wrapper.paramwise_cfg.custom_keys) == {'backbone.fph'}

    def test_table(self, tool, tmp_path):
        real = dict(
            a=dict(AUC=0.5, IoU=0.2, IoU_fixed=0.4, tampered=1),
            b=dict(AUC=0.9, IoU=0.6, IoU_fixed=0.6, tampered=3),
        )
        domains = dict(real=dict(IoU=0.4), face=dict(IoU=0.1), authentic=dict(false_area=0.01))
        content = dict(datasets=dict(real=real), domains=domains, average=dict(threshold=0.25))
        path = tmp_path / 'results.json'
        path.write_text(json.dumps(dict(selection=content)))
        row = tool.figures(path)
        assert row == pytest.approx(
            {'AUC': 0.8, 'IoU': 0.5, 'best fixed': 0.55, 'threshold': 0.25, 'a': 0.2, 'b': 0.6,
             'face': 0.1, 'false area': 0.01}
        )  # fmt: skip
        first, _, line = tool.table({'recipe': [row, dict(row, IoU=0.7)]}).splitlines()
        assert first.startswith('| row | AUC | IoU |')
        assert line.startswith('| recipe | 0.800 | 0.600 | 0.550 |')
        assert line.endswith('| 2 |')

    @pytest.fixture
    def started(self, tool, monkeypatch, tmp_path):
        """A row that was begun."""

        def run(_, config, *options):
            """As mmengine's runner, which writes the config with what the command line adds."""
            work_dir = options[options.index('--work-dir') + 1]
            (work_dir / config.name).write_text('resume = True')
            sys.exit('it ran')

        monkeypatch.setattr(tool, 'WORK_DIRS', tmp_path)
        monkeypatch.setattr(tool, 'run', run)
        with pytest.raises(SystemExit, match='it ran'):
            tool.train_and_test('recipe', 1, 7)
        return tmp_path / 'recipe_seed1_7'

    def test_what_is_begun_goes_on_and_what_is_finished_is_not_done_again(self, tool, started):
        assert Config.fromfile(f'{started}.py').train_cfg.max_iters == 7
        with pytest.raises(SystemExit, match='it ran'):
            tool.train_and_test('recipe', 1, 7)
        (started / 'results.json').write_text('{}')
        assert tool.train_and_test('recipe', 1, 7) == started / 'results.json'

    def test_results_of_another_recipe_are_refused(self, tool, started, monkeypatch):
        (started / 'results.json').write_text('{}')
        monkeypatch.setitem(tool.ROWS, 'recipe', {'model.backbone.high_pass': False})
        with pytest.raises(SystemExit, match='recipe_seed1_7 is of another recipe'):
            tool.train_and_test('recipe', 1, 7)


COOLDOWNS = sorted((ROOT / 'configs/lite').glob('cooldown*.py'))


@pytest.mark.parametrize('path', COOLDOWNS, ids=lambda path: path.stem)
def test_a_cooldown_ends_at_a_rate_of_nothing_and_sees_all_kinds(path):
    cfg = Config.fromfile(path)
    last = cfg.param_scheduler[-1]
    assert (last.end, last.eta_min) == (cfg.train_cfg.max_iters, 0)
    assert cfg.model.auxiliary_head[0].loss_decode == cfg.model.decode_head.loss_decode
    weights = cfg.train_dataloader.sampler.weights
    assert weights == cfg.mixture
    kinds = set(Config.fromfile(ROOT / LITE0).mixture)
    if 'pasted' in path.stem:
        kinds.add('pasted')
    assert weights.keys() == kinds
    assert sum(weights.values()) == pytest.approx(1)
