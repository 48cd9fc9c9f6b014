"""A model that goes on learning from somebody's own forgeries: ``mmomni finetune``.

::

    folder, lists ─ data ─ split ─┬─ own_train.txt, own_val.txt ───┐
                   (the doctor)   └─ known_train.txt, known_val.txt ┴─ recipe ─ running ─ outcome
                                     (given, or made by `known`)     (a config)  (Runner)  (a file;
                                                                               less of it: `mixing`)
"""

from .data import OwnData, demand_data, split_data, survey, write_lists
from .known import forge_known
from .mixing import mixed
from .outcome import Outcome, publish_best, read_outcome, table_of
from .recipe import Start, recipe_of, start_of
from .running import run, schedule

__all__ = [
    'Outcome', 'OwnData', 'Start', 'demand_data', 'forge_known', 'mixed', 'publish_best',
    'read_outcome', 'recipe_of', 'run', 'schedule', 'split_data', 'start_of', 'survey', 'table_of',
    'write_lists',
]  # fmt: skip
