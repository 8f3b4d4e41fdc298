"""Annotations to records: which clips there are, what they show, who trains on them. Opens no video."""

from vidlstm.datasets.formats import DATASETS, load_dataset
from vidlstm.datasets.records import SPLITS, ClipDataset, ClipRecord
from vidlstm.datasets.splits import Split, split_records

__all__ = ["DATASETS", "SPLITS", "ClipDataset", "ClipRecord", "Split", "load_dataset", "split_records"]
