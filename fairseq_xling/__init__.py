"""A fairseq plugin (``--user-dir fairseq_xling``) for cross-lingual pre-training.

Importing the package registers its tasks, criterions and models with fairseq. Without fairseq the package can still be
imported, so that its light modules (``fairseq_xling.errors``, the commands of ``xling``) work anywhere.
"""

from __future__ import annotations

from importlib.util import find_spec

from ._checkout import register_preprocess

register_preprocess()

if find_spec("fairseq") is not None:
    from . import compat

    compat.apply()

    # explicit, because fairseq itself imports tasks/ and models/ only when it is the first to import this package
    from . import criterions, finetuning, models, optim, tasks
    from .tasks import register_objective

    __all__ = ["compat", "criterions", "finetuning", "models", "optim", "register_objective", "tasks"]
