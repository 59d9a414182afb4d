"""Fine-tuning tasks and their criterions; importing the package registers them with fairseq."""

from .retrieval import RetrievalCriterion, RetrievalTask, RetrievalTaskConfig

__all__ = ["RetrievalCriterion", "RetrievalTask", "RetrievalTaskConfig"]
