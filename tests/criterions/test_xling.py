"""The weighted sum of the objectives' means, what is logged of it, and what is said when it is not finite."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from fairseq.logging import metrics

from fairseq_xling.criterions import XlingCriterion
from fairseq_xling.models import EncoderInput
from fairseq_xling.tasks import XlingTask
from fairseq_xling.training.throughput import encoder_flops, output_flops
from tests.helpers import build_examples, gradients, loss_of, make_model, make_task, small_data_bin

NAMES = ["mmlm", "tlm", "camlm", "btmlm"]


@pytest.fixture(scope="module")
def data_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data_bin(tmp_path_factory.mktemp("criterion"))


def batches(task: XlingTask, split: str = "train", max_tokens: int = 400) -> list[dict[str, Any]]:
    task.load_dataset(split)
    iterator = task.get_batch_iterator(task.datasets[split], max_tokens=max_tokens, epoch=1)
    return list(iterator.next_epoch_itr(shuffle=False))


def reduced(task: XlingTask, logs: list[dict[str, Any]]) -> dict[str, float]:
    with metrics.aggregate(new_root=True) as aggregate:
        for log in logs:
            task.reduce_metrics([log], XlingCriterion(task))
        return {key: float(value) for key, value in aggregate.get_smoothed_values().items()}


def test_total_is_the_weighted_sum_of_means(data_bin):
    task = make_task(data_bin, objective_weights="1,2,0.5,3")
    model = make_model(task).train()
    batch = batches(task)[0]
    total, size, log = XlingCriterion(task)(model, batch)
    means = {name: loss_of(task.objectives[name], model, batch[name]).mean for name in NAMES}
    expected = sum(w * mean for w, mean in zip((1, 2, 0.5, 3), means.values(), strict=True))
    assert size == log["sample_size"] == 1
    torch.testing.assert_close(total, expected)
    total.backward()
    found = gradients(model)
    expected.backward()
    for name, grad in gradients(model).items():
        torch.testing.assert_close(found[name], grad)


def test_what_training_logs(data_bin):
    task = make_task(data_bin)
    model = make_model(task).train()
    found = [XlingCriterion(task)(model, batch) for batch in batches(task)[:3]]
    shown = reduced(task, [log for _, _, log in found])
    for name in NAMES:
        total = sum(log[f"{name}_total"] for *_, log in found) / sum(log[f"{name}_count"] for *_, log in found)
        assert shown[f"loss_{name}"] == pytest.approx(total.item() / math.log(2), abs=1e-3)
        assert shown[f"ppl_{name}"] == pytest.approx(2 ** shown[f"loss_{name}"], rel=1e-2)
    assert shown["loss"] == pytest.approx(sum(shown[f"loss_{name}"] for name in NAMES), abs=5e-3)


def test_a_batch_without_predictions_adds_nothing_to_the_logged_loss(data_bin):
    task = make_task(data_bin, "mmlm", mask_prob=0.5)
    model, criterion = make_model(task).train(), XlingCriterion(task)
    batch = batches(task)[0]
    nothing = task.objectives["mmlm"].collate(
        [
            {**build, "predict": build["predict"][:0], "target": build["target"][:0]}
            for build in build_examples(task, "mmlm")
        ]
    )
    logs = [criterion(model, sample)[2] for sample in (batch, {"mmlm": nothing})]
    assert reduced(task, logs)["loss"] == reduced(task, logs[:1])["loss"] > 5


def test_padding_and_tokens(data_bin):
    task = make_task(data_bin)
    batch = batches(task)[0]
    _, _, log = XlingCriterion(task)(make_model(task).train(), batch)
    real = sum(int(part["tokens"].ne(1).sum()) for part in batch.values())
    model = make_model(task)
    layers = sum(encoder_flops(model, EncoderInput(b["tokens"], num_tokens=b["num_tokens"]), 2) for b in batch.values())
    assert log["flops"] == layers + output_flops(model, sum(len(part["target"]) for part in batch.values())) > 0
    cells = sum(part["tokens"].numel() for part in batch.values())
    assert (log["ntokens"], log["cells"]) == (real, cells)
    assert reduced(task, [log])["padding"] == pytest.approx(100 * (1 - real / cells), abs=0.06)


def test_validation_reports_means_over_the_whole_split_by_group(data_bin):
    """Also where the last batches lack the shorter objectives; the total is Σ weight · mean all the same."""
    task = make_task(data_bin, objective_weights="1,2,0.5,3", mask_prob=0.5)
    model = make_model(task)
    parts = batches(task, "valid", max_tokens=160)
    assert len(parts[0]) == 4
    assert len(parts[-1]) < 4
    shown = reduced(task, [XlingCriterion(task)(model, batch)[2] for batch in parts])
    stats = {
        name: sum(loss_of(objective, model, batch[name]).by_group for batch in parts if name in batch)
        for name, objective in task.objectives.items()
    }
    for name, objective in task.objectives.items():
        assert len(stats[name]) == len(objective.groups)
        rows = {name: stats[name].sum(0)} | {
            f"{name}_{group}": row for group, row in zip(objective.groups, stats[name], strict=True)
        }
        for key, (nats, correct, count) in rows.items():
            assert shown[f"loss_{key}"] == pytest.approx((nats / count / math.log(2)).item(), abs=2e-3)
            assert shown[f"acc_{key}"] == pytest.approx((100 * correct / count).item(), abs=1e-2)
            assert f"ppl_{key}" in shown
    weights = dict(zip(NAMES, (1, 2, 0.5, 3), strict=True))
    assert shown["loss"] == pytest.approx(sum(weights[name] * shown[f"loss_{name}"] for name in NAMES), abs=1e-2)


def test_validation_does_not_depend_on_the_batch_size(data_bin):
    task = make_task(data_bin, mask_prob=0.5)
    model = make_model(task)
    few, many = (
        reduced(task, [XlingCriterion(task)(model, batch)[2] for batch in batches(task, "valid", size)])
        for size in (4000, 160)
    )
    for key, value in few.items():
        if key.startswith(("loss", "acc")):
            assert many[key] == pytest.approx(value, abs=5e-3), key


def test_an_objective_that_has_not_started_is_not_logged(data_bin):
    task = make_task(data_bin, btmlm_start_update=10)
    model = make_model(task).train()
    total, _, log = XlingCriterion(task)(model, batches(task)[0])
    assert (log["btmlm_total"], log["btmlm_count"]) == (0, 0)
    assert "loss_btmlm" not in reduced(task, [log])
    model.set_num_updates(10)
    later, _, log = XlingCriterion(task)(model, batches(task)[0])
    assert later > total
    assert "loss_btmlm" in reduced(task, [log])


def test_an_empty_batch_is_harmless_and_logs_the_same_keys(data_bin):
    task = make_task(data_bin)
    for model in (make_model(task).train(), make_model(task)):
        full, empty = (XlingCriterion(task)(model, batch) for batch in (batches(task)[0], {}))
        assert list(full[2]) == list(empty[2])
        assert empty[0] == 0


def test_diagnosis(data_bin):
    task = make_task(data_bin, mask_prob=0.5)
    model, criterion = make_model(task).train(), XlingCriterion(task)
    batch = batches(task)[0]
    criterion(model, batch)
    assert "all objectives' losses were finite: mmlm " in criterion.diagnose()
    model.set_num_updates(1)
    word = int(batch["tlm"]["tokens"][0, 1])
    only_tlm = {name: part for name, part in batch.items() if name == "tlm"}
    with torch.no_grad():
        model.encoder.sentence_encoder.embed_tokens.weight[word] = float("nan")
    for _ in range(2):  # fairseq runs the batch again to find the layer
        criterion(model, only_tlm)
    examples = list(dict.fromkeys(batch["tlm"]["id"].tolist()))
    assert f"tlm: loss nan on examples {examples}" in criterion.diagnose()
    assert criterion.diagnose().count("tlm") == 1
    assert "mmlm" not in criterion.diagnose()


def test_diagnosis_of_an_update_of_several_micro_batches(data_bin):
    task = make_task(data_bin, "mmlm", mask_prob=0.5)
    model, criterion = make_model(task).train(), XlingCriterion(task)
    first, second, third = batches(task, max_tokens=100)[:3]
    with torch.no_grad():
        model.heads["lm"].bias[0] = float("nan")
    for batch in (first, second):
        criterion(model, batch)
    said = criterion.diagnose()
    assert all(f"on examples {batch['mmlm']['id'].tolist()}" in said for batch in (first, second))
    model.set_num_updates(1)
    criterion(model, third)
    assert f"{first['mmlm']['id'].tolist()}" not in criterion.diagnose()


def test_an_interval_that_holds_nothing_of_a_term(data_bin):
    """Meters are reset at every line of the log; an update may have nothing to predict."""
    task = make_task(data_bin, "mmlm", mask_prob=1e-9)
    _, _, log = XlingCriterion(task)(make_model(task).train(), batches(task)[0])
    assert log["mmlm_count"] == 0
    full = {**log, "mmlm_count": 4, "mmlm_normaliser": 4, "mmlm_total": torch.tensor(8.0)}
    with metrics.aggregate(new_root=True) as found:
        task.reduce_metrics([full], XlingCriterion(task))
        found.reset()
        task.reduce_metrics([log], XlingCriterion(task))
        assert found.get_smoothed_values()["loss"] == 0
        task.reduce_metrics([full], XlingCriterion(task))
        assert found.get_smoothed_values()["loss"] == pytest.approx(2 / math.log(2), abs=1e-3)


def test_a_total_of_an_older_checkpoint_gives_way(data_bin):
    """Its meter is an average, which nothing would be added to any more."""
    task = make_task(data_bin, "mmlm")
    _, _, log = XlingCriterion(task)(make_model(task).train(), batches(task)[0])
    with metrics.aggregate(new_root=True) as found:
        found.load_state_dict([(500, "loss", "AverageMeter", {"val": 9.0, "sum": 9.0, "count": 1, "round": 3})])
        for _ in range(2):
            task.reduce_metrics([log], XlingCriterion(task))
    values = found.get_smoothed_values()
    assert values["loss"] == pytest.approx(values["loss_mmlm"], abs=1e-3)
