"""``replace`` wraps once per shim, keeps static methods static and can be undone for tests."""

import types

from fairseq_xling import compat
from fairseq_xling.compat._replace import original, replace


def add_one(found):
    return lambda value: found(value) + 1


def double(found):
    return lambda value: found(value) * 2


class Owner:
    @staticmethod
    def identity(value):
        return value


def test_a_shim_is_applied_once_and_shims_stack():
    module = types.SimpleNamespace(f=lambda value: value)
    before = module.f
    replace(module, "f", add_one)
    replace(module, "f", add_one)
    replace(module, "f", double)
    replace(module, "f", add_one)
    assert module.f(1) == 4
    assert original(module.f) is before


def test_static_methods_stay_static():
    replace(Owner, "identity", add_one)
    assert Owner.identity(1) == Owner().identity(1) == 2


def test_applying_all_shims_again_changes_nothing():
    from fairseq.data import iterators
    from fairseq.distributed import utils
    from fairseq.trainer import Trainer

    before = (Trainer.train_step, utils.call_main, iterators.BackgroundConsumer)
    compat.apply()
    assert (Trainer.train_step, utils.call_main, iterators.BackgroundConsumer) == before
