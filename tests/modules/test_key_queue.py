"""The queue of keys: appendix C's walk, what may enter, what stays candidates, precision."""

from __future__ import annotations

import multiprocessing

import torch
import torch.distributed as dist

from fairseq_xling.modules.key_queue import EMPTY, RANDOM, KeyQueue


def enter(queue: KeyQueue, *values: float, entities: list[int] | None = None) -> None:
    keys = torch.tensor(values, dtype=torch.float32)[:, None].expand(-1, queue.keys.size(1))
    numbers = torch.tensor(entities or [int(value) for value in values], dtype=torch.int64)
    queue.enqueue(keys, numbers, numbers * 0)


def in_order(queue: KeyQueue) -> list[int]:
    """Entities from the oldest to the newest."""
    return queue.entities.roll(-int(queue.position)).tolist()


def test_the_walk_of_appendix_c() -> None:
    """A positive a step takes the place of the oldest random one."""
    queue = KeyQueue(3, 2)
    assert in_order(queue) == [RANDOM] * 3
    enter(queue, 1.0)
    assert in_order(queue) == [RANDOM, RANDOM, 1]
    enter(queue, 2.0)
    assert in_order(queue) == [RANDOM, 1, 2]
    enter(queue, 3.0)
    enter(queue, 4.0)
    assert in_order(queue) == [2, 3, 4]
    assert queue.keys.roll(-int(queue.position), 0)[:, 0].tolist() == [2, 3, 4]


def test_several_at_a_time_and_more_than_there_is_room() -> None:
    queue = KeyQueue(3, 2)
    enter(queue, 1.0, 2.0)
    enter(queue, 3.0, 4.0)
    assert in_order(queue) == [2, 3, 4]
    enter(queue, 5.0, 6.0, 7.0, 8.0, 9.0)
    assert in_order(queue) == [7, 8, 9]


def test_what_leaves_with_this_batch_is_no_candidate() -> None:
    queue = KeyQueue(3, 2, is_random=False)
    assert queue.remaining(0).tolist() == [False] * 3
    enter(queue, 1.0, 2.0)
    assert queue.entities[queue.remaining(0)].tolist() == [1, 2]
    enter(queue, 3.0)
    assert queue.entities[queue.remaining(1)].tolist() == [2, 3]
    assert not queue.remaining(3).any()
    assert KeyQueue(3, 2).remaining(1).sum() == 2  # random keys are candidates


def test_a_key_that_is_not_finite_does_not_enter() -> None:
    queue = KeyQueue(3, 2, is_random=False)
    enter(queue, 1.0, float("nan"), float("inf"), entities=[1, 2, 3])
    assert in_order(queue) == [1, EMPTY, EMPTY]
    assert torch.isfinite(queue.keys).all()
    assert queue.remaining(0).sum() == 1


def test_no_slots() -> None:
    queue = KeyQueue(0, 2)
    enter(queue, 1.0)
    assert queue.remaining(1).shape == (0,)


def test_keys_stay_in_fp32_and_numbers_whole() -> None:
    queue = KeyQueue(4, 8)
    before = queue.keys.clone()
    queue.half()
    assert torch.equal(queue.keys, before)
    assert queue.entities.dtype == torch.int64
    state = queue.state_dict()
    other = KeyQueue(4, 8, is_random=False).half()
    other.load_state_dict(state)
    assert torch.equal(other.keys, before)


def test_every_process_begins_with_the_same_keys() -> None:
    torch.manual_seed(1)
    first = KeyQueue(4, 8).keys
    torch.manual_seed(2)
    assert torch.equal(first, KeyQueue(4, 8).keys)
    lengths = KeyQueue(1000, 64).keys.norm(dim=1)
    assert abs(float(lengths.mean()) - 1) < 0.02


def one_rank(rank: int, file: str, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    queue = KeyQueue(6, 2)
    for own in STEPS:
        enter(queue, *own[rank])
    torch.save(queue.state_dict(), f"{out}{rank}")
    dist.destroy_process_group()


# what each of two processes lets in, step by step
STEPS = [([1.0, 2.0], [3.0]), ([], [4.0, 5.0]), ([6.0], []), ([7.0, 8.0, 9.0], [10.0])]


def test_two_processes_hold_the_queue_of_one_with_both_batches(tmp_path) -> None:
    """Whatever the sizes of their batches: those of the first rank come first."""
    context = multiprocessing.get_context("fork")
    ranks = [
        context.Process(target=one_rank, args=(rank, tmp_path / "store", str(tmp_path / "queue"))) for rank in range(2)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(60)
        assert process.exitcode == 0
    alone = KeyQueue(6, 2)
    for first, second in STEPS:
        enter(alone, *first, *second)
    for rank in range(2):
        state = torch.load(tmp_path / f"queue{rank}")
        assert all(torch.equal(values, state[key]) for key, values in alone.state_dict().items())
    assert in_order(alone) == [5, 6, 7, 8, 9, 10]
