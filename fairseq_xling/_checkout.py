"""Make a plain checkout work: its ``preprocess/`` folder is what an installation calls ``fairseq_xling_preprocess``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

NAME = "fairseq_xling_preprocess"


def register_preprocess() -> None:
    """Import the checkout's ``preprocess/`` as ``fairseq_xling_preprocess`` unless that package is installed."""
    if NAME in sys.modules or importlib.util.find_spec(NAME) is not None:
        return
    folder = Path(__file__).resolve().parents[1] / "preprocess"
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not folder.is_dir():
        raise ImportError(f"{NAME} is not installed and {folder} is missing: run `pip install .` in the checkout")
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
