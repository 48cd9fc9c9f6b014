from .dynamic_weight_decoder import DynamicWeightDecoder

__all__ = ['DynamicWeightDecoder']
