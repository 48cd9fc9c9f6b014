from typing import ClassVar

from .contract import ComparatorTester

TERMS = ('', 'round_0_', 'round_1_', 'round_2_')


class TestAPSCNet(ComparatorTester):
    paper = 'apscnet_convnext-base'
    lite = 'apscnet_efficientnet-lite0'
    parameters = 139.78
    multiply_adds = 407.0
    losses: ClassVar = {f'decode.{term}loss_ohem' for term in TERMS}
    shares = False
