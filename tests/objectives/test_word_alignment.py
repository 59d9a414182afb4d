"""word_alignment: squared distances of aligned states, drift from the initial model, wrong options."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.models import XlingModel
from fairseq_xling.objectives.word_alignment import squared_distance
from tests.helpers import (
    BOS,
    EOS,
    NUM_WORDS,
    build_examples,
    gradients,
    make_model,
    make_task,
    mixture_of,
    randomize,
    small_data_bin,
    write_data_bin,
    write_dict,
)
from tests.objectives import reference


@pytest.fixture
def task(data_bin: Path, initial: Path) -> Any:
    return make_task(data_bin, "word_alignment", initial_model=str(initial))


def loss(task: Any, model: XlingModel, count: int = 30) -> tuple[torch.Tensor, dict[str, Any], dict[str, Any]]:
    objective = task.objectives["word_alignment"]
    batch = objective.collate(build_examples(task, "word_alignment", count=count))
    found = mixture_of(objective, model, batch)
    return found.total, found.terms, batch


def test_squared_distance_by_hand():
    x, y = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[4.0, 6.0], [0.0, 1.0]])
    assert squared_distance(x, y).tolist() == [25.0, 1.0]


def test_values_and_gradients_of_the_slow_reference(task, data_bin):
    """Each sentence by itself; English, whichever side it is, is held to the initial model."""
    model = make_model(task).double().train()
    anchor = task.objectives["word_alignment"].initial.double()
    randomize(model, seed=3)
    source = task.objectives["word_alignment"].source("train", 1)
    close, drift, links, anchored = 0.0, 0.0, 0, 0
    for index in (*range(4), *range(24, 28)):  # de-en, then en-fr
        x, y, pair, aligned = source[index]
        states = []
        for sentence, language in ((x, pair.a), (y, pair.b)):
            tokens = [BOS, *sentence.tolist(), EOS]
            sees = {i: range(len(tokens)) for i in range(len(tokens))}
            states.append(reference.encode(model, tokens, sees)[1:-1])
            if language == "en":
                for now, before in zip(states[-1], reference.encode(anchor, tokens, sees)[1:-1], strict=True):
                    drift = drift + (now - before.detach()).square().sum()
                    anchored += 1
        for i, j in aligned:
            close = close + (states[0][i] - states[1][j]).square().sum()
            links += 1
    expected = (close + drift) / anchored
    expected.backward()
    slow = gradients(model)
    objective = task.objectives["word_alignment"]
    task.load_dataset("train")
    part = task.datasets["train"].parts["word_alignment"]
    batch = objective.collate([part.example(index, 1) for index in (*range(4), *range(24, 28))])
    loss_found = mixture_of(objective, model, batch)
    found, figures = loss_found.total, loss_found.terms
    found.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    assert (figures["word_alignment"].count, figures["word_alignment_drift"].count) == (links, anchored)
    fast = gradients(model)
    assert fast.keys() == slow.keys() == dict(model.named_parameters()).keys()
    for name in slow:
        torch.testing.assert_close(fast[name], slow[name], rtol=1e-4, atol=1e-6, msg=name)


def test_the_model_holds_no_head_and_not_the_initial_model(task):
    model = make_model(task)
    names = " ".join(model.state_dict())
    assert "heads" not in names
    assert names.count("embed_tokens") == 1
    assert not any(p.requires_grad for p in task.objectives["word_alignment"].initial.parameters())


def test_the_initial_model_has_not_drifted(task, initial):
    model = make_model(task)
    model.load_state_dict(torch.load(initial)["model"])
    _, figures, _ = loss(task, model)
    assert figures["word_alignment_drift"].total == 0
    assert figures["word_alignment"].total > 0


def test_it_learns_and_the_drift_is_what_holds_it(task, initial):
    """The distances shrink to a tenth; the states of English stay nearer the initial ones than these were to each other."""
    model = make_model(task).train()
    model.load_state_dict(torch.load(initial)["model"])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = None
    for _ in range(60):
        total, figures, _ = loss(task, model)
        first = first or figures
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert figures["word_alignment"].mean < 0.3 * first["word_alignment"].mean
    assert figures["word_alignment_drift"].mean < 0.5 * first["word_alignment"].mean


def test_pairs_without_links_do_no_harm(tmp_path, initial):
    data = write_data_bin(tmp_path, para={"de-en": ([[5, 6]] * 2, [[7]] * 2)}, links={"de-en": [[(0, 0)], []]})
    for language in ("fr",):
        (data / "languages.txt").write_text(f"de\nen\n{language}\n")
    task = make_task(data, "word_alignment", initial_model=str(initial))
    model = make_model(task).train()
    objective = task.objectives["word_alignment"]
    batch = objective.collate(build_examples(task, "word_alignment", count=2)[1:])
    loss_found = mixture_of(objective, model, batch)
    total, figures = loss_found.total, loss_found.terms
    total.backward()
    assert (figures["word_alignment"].count, figures["word_alignment"].total) == (0, 0)
    assert figures["word_alignment_drift"].count == 1
    assert gradients(model).keys() == dict(model.named_parameters()).keys()


def test_distances_are_logged_as_they_are(data_bin, initial, tmp_path):
    """No perplexity, no bits; the total loss of validation is in bits as in training."""
    from fairseq.logging import metrics

    task = make_task(data_bin, "word_alignment", initial_model=str(initial))
    model = make_model(task)
    criterion = task.build_criterion(type("Cfg", (), {"_name": "word_alignment"})())
    objective = task.objectives["word_alignment"]
    batch = objective.collate(build_examples(task, "word_alignment", "valid", count=30))
    _, _, log = criterion(model, {"word_alignment": batch})
    with metrics.aggregate(new_root=True) as found:
        task.reduce_metrics([log], criterion)
    values = found.get_smoothed_values()
    mean = log["word_alignment_by_group"].sum(0)
    assert values["loss_word_alignment"] == pytest.approx(float(mean[0] / mean[2]), abs=1e-3)
    assert {"loss_word_alignment_de-en", "loss_word_alignment_drift_en-fr"} <= values.keys()
    assert not [name for name in values if name.startswith(("ppl", "acc"))]
    sums = [log[f"{term.name}_by_group"].sum(0)[0] for term in objective.terms]
    assert values["loss"] == pytest.approx(float(sum(sums)) / len(batch["anchored"]) / math.log(2), rel=1e-3)


# ---- wrong options --------------------------------------------------------------------------------------------------


def test_no_initial_model(data_bin):
    with pytest.raises(UserError, match="--initial-model is missing: word_alignment holds the model to the one"):
        make_task(data_bin, "word_alignment")


def test_an_unreadable_initial_model(data_bin, tmp_path):
    task = make_task(data_bin, "word_alignment", initial_model=str(tmp_path / "none.pt"))
    with pytest.raises(UserError, match=r"--initial-model \S+none\.pt: no such checkpoint file"):
        make_model(task)
    (tmp_path / "bad.pt").write_bytes(b"not a model")
    task = make_task(data_bin, "word_alignment", initial_model=str(tmp_path / "bad.pt"))
    with pytest.raises(UserError, match=r"--initial-model \S+bad\.pt: not a readable checkpoint"):
        make_model(task)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_an_initial_model_of_transformers(data_bin, tmp_path, name):
    if name.endswith(".bin"):
        torch.save({"embeddings.word_embeddings.weight": torch.zeros(2, 2)}, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(b"{}")
    task = make_task(data_bin, "word_alignment", initial_model=str(tmp_path / name))
    with pytest.raises(
        UserError, match=rf"--initial-model \S+{name}: not a fairseq checkpoint; .* run `xling convert`"
    ):
        make_model(task)


def test_an_initial_model_of_another_shape(data_bin, initial):
    task = make_task(data_bin, "word_alignment", initial_model=str(initial))
    with pytest.raises(
        UserError, match=r"--initial-model \S+model\.pt: the checkpoint has .* --arch and the --encoder-"
    ):
        make_model(task, layers=1)


def test_an_initial_model_of_another_vocabulary(data_bin, initial, tmp_path):
    content = torch.load(initial)
    key = "encoder.sentence_encoder.embed_tokens.weight"
    content["model"][key] = content["model"][key][:-1]
    torch.save(content, tmp_path / "other.pt")
    task = make_task(data_bin, "word_alignment", initial_model=str(tmp_path / "other.pt"))
    with pytest.raises(UserError, match=r"--initial-model \S+other\.pt: the checkpoint's vocabulary has \d+ symbols"):
        make_model(task)


def test_an_initial_model_of_other_symbols_of_the_same_number(data_bin, initial, tmp_path):
    shutil.copyfile(initial, tmp_path / "model.pt")
    write_dict(tmp_path / "dict.txt", [f"w{number}" for number in reversed(range(NUM_WORDS))])
    task = make_task(data_bin, "word_alignment", initial_model=str(tmp_path / "model.pt"))
    with pytest.raises(
        UserError, match=r"--initial-model \S+model\.pt: the dict\.txt beside it .*: symbol 4 is 'w39' against 'w0'"
    ):
        make_model(task)


def test_a_pair_without_the_anchor_language(tmp_path, initial):
    data = small_data_bin(tmp_path)
    with pytest.raises(
        UserError, match="--anchor-language de: the pair en-fr is without it; name a language that every"
    ):
        make_task(data, "word_alignment", initial_model=str(initial), anchor_language="de")
