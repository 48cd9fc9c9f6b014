"""Training and prediction in half precision: on a CPU with values, on a fake card without."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import DefaultScope
from mmengine.utils import digit_version
from mmseg.registry import MODELS

