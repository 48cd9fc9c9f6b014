"""Write docs/api.md from the docstrings (``make docs``).

griffe2md reads the source without importing it. Left to do here: what Sphinx's roles and tables
mean, and links, which would lead nowhere in one file without anchors.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from griffe import Alias, Class, GriffeLoader, Module, Object, Parser
from griffe2md import ConfigDict, render_object_docs

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / 'docs' / 'api.md'
MODULES = {'apis': 'Predict images', 'checkpoints': 'Checkpoints'}
"""Packages whose ``__all__`` is public."""
REGISTRIES = {
    'MODELS': 'Models',
    'TRANSFORMS': 'Transforms',
    'DATASETS': 'Data sets',
    'DATA_SAMPLERS': 'Samplers',
    'METRICS': 'Metrics',
    'HOOKS': 'Hooks',
    'OPTIM_WRAPPER_CONSTRUCTORS': 'Optimisers',
}
"""Registries whose types are named in configs."""
HEAD = """# API

Made from the docstrings by `make docs`; do not edit. Types under [Models](#models) and below are
named in configs with their scope, `type='mmomni.NAME'`; their arguments are the entries of that
dict.
"""
OPTIONS: ConfigDict = {
    'heading_level': 3,
    'filters': ['!^_'],
    'members_order': 'source',
    'show_root_full_path': False,
    'show_root_members_full_path': False,
    'show_object_full_path': False,
    'show_if_no_docstring': False,
    'inherited_members': False,
    'show_signature_annotations': True,
    'show_bases': False,
    'summary': False,
    'line_length': 100,
}
REGISTER = re.compile(r'(\w+)\.register_module\(')
ROLE = re.compile(r':(?:class|func|mod|meth|data|attr):`(~?)([^`]+)`')
LINK = re.compile(r'\[([^][]+)\]\(#[^)]*\)')
CODE = re.compile(r'<code>(.*?)</code>')
LITERAL = re.compile(r'^\s*::\n|:(?=:$)', re.MULTILINE)
RULE = r'=+(?: +=+)+\n'
TABLE = re.compile(f'^{RULE}.+\n{RULE}(?:.+\n)+?{RULE}', re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='only tell whether it is up to date')
    args = parser.parse_args()
    text = reference()
    if not args.check:
        TARGET.write_text(text, encoding='utf-8')
    elif text != TARGET.read_text(encoding='utf-8'):
        sys.exit(f'{TARGET} does not say what the docstrings say; run `make docs`')


def reference() -> str:
    """The whole page."""
    loader = GriffeLoader(docstring_parser=Parser.google, search_paths=[ROOT])
    package = loader.load('mmomni')
    loader.resolve_aliases(external=False)
    parts = [HEAD]
    for name, title in MODULES.items():
        parts.append(f'## {title}: `mmomni.{name}`\n')
        parts += [section(item, whole=True) for item in public(package[name])]
    types = sorted(registered(package), key=lambda found: found[1].name)
    for registry, title in REGISTRIES.items():
        parts.append(f'## {title}\n')
        parts += [section(item, whole=False) for where, item in types if where == registry]
    return '\n'.join(parts)


def public(module: Object) -> Iterator[Object]:
    """What ``__all__`` exports, in its order, constants left out."""
    for name in map(str, module.exports or []):
        item = module[name]
        if item.is_module:  # that hides the function it is named after
            item = item[name]
        item = item.final_target if item.is_alias else item
        if not item.is_attribute:
            yield item


def registered(module: Object | Alias) -> Iterator[tuple[str, Class]]:
    """Registry and class of every registered type."""
    for item in module.members.values():
        if isinstance(item, Class):
            for decorator in item.decorators:
                found = REGISTER.match(str(decorator.value))
                if found:
                    yield found[1], item
        elif isinstance(item, Module):
            yield from registered(item)


def section(item: Object, whole: bool) -> str:
    """Markdown of a class (its methods too if ``whole``) or function."""
    options = OPTIONS if whole else {**OPTIONS, 'members': False}
    if item.docstring is not None:
        item.docstring.value = TABLE.sub(r'```\n\g<0>```\n', item.docstring.value + '\n')
    text = render_object_docs(item, options, format_md=True)
    text = ROLE.sub(lambda role: f'`{role[2].rpartition(".")[2] if role[1] else role[2]}`', text)
    text = LITERAL.sub('', text)
    while LINK.search(text):
        text = LINK.sub(r'\1', text)
    return CODE.sub(lambda code: '`' + code[1].replace('\\', '') + '`', text)


if __name__ == '__main__':
    main()
