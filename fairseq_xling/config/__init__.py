"""Hydra's configuration groups of the plugin: named model shapes; tasks and criterions register themselves."""
