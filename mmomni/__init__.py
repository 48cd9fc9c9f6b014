"""Omni-IML in OpenMMLab: localise tampering in photos, documents and faces."""

from .utils.needed import explain_missing
from .utils.package_names import tell_mmengine
from .version import __version__

explain_missing()
tell_mmengine()

__all__ = ['__version__']
