"""Fine-tuning tasks and their criterions; importing the package registers them with fairseq."""

from .retrieval import RetrievalCriterion, RetrievalTask, RetrievalTaskConfig
from .task import FinetuneCriterion, FinetuneTask

__all__ = ["FinetuneCriterion", "FinetuneTask", "RetrievalCriterion", "RetrievalTask", "RetrievalTaskConfig"]
