"""Hydra finds this module by its place: it makes ``task=btmlm model=xling_base`` work with ``fairseq-hydra-train``.

Hydra composes the configuration before fairseq imports ``--user-dir``, so the plugin has to be registered earlier than
that. In any other Hydra program, fairseq is not loaded at this point and nothing happens.
"""

from __future__ import annotations

import sys

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class FairseqXlingSearchPath(SearchPathPlugin):
    """Registers the tasks, criterions and models with Hydra's store and adds the folder of model shapes."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append ``fairseq_xling/config`` to ``search_path`` if this is a fairseq program."""
        if "fairseq_cli.hydra_train" not in sys.modules and "fairseq_cli.hydra_validate" not in sys.modules:
            return
        import fairseq_xling  # noqa: F401

        search_path.append(provider="fairseq_xling", path="pkg://fairseq_xling.config")
