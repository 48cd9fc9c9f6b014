"""What a model costs: operations, time, memory, synchronisations. Of any mmseg segmentor."""
