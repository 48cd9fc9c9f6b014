from . import adapters
from .protocol import Stagewise, adapts, build_stagewise

__all__ = ['Stagewise', 'adapters', 'adapts', 'build_stagewise']
