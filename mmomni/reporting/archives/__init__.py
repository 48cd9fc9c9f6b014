"""Archives of a million images: predicted by the workers of a Ray cluster into shards of Parquet.

The files are listed once, in ``plan.parquet``, whose row groups are the shards. A worker examines a
shard and writes its two Parquet files, ``records`` last, each whole or not at all. So a shard with
records is done, whatever is killed when, and the account of all files is the sum of the shards'.
"""

from .account import ArchiveAccount
from .archive import Archive
from .examiner import Opener, Options, ShardExaminer
from .job import Cluster, RayJob
from .lists import digests, listed_files
from .shards import Count, Shard

__all__ = [
    'Archive', 'ArchiveAccount', 'Cluster', 'Count', 'Opener', 'Options', 'RayJob', 'Shard',
    'ShardExaminer', 'digests', 'listed_files',
]  # fmt: skip
