"""BTMLM: pseudo tokens in one forward pass (ERNIE-M, Figures 3 and 4), then masked words with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.models import EncoderInput
from fairseq_xling.modules.visibility import cross_sentence_visibility
from fairseq_xling.objectives.pairs import mask_at
from tests.helpers import (
    EOS,
    FIRST,
    MASK,
    batch_of,
    build_examples,
    gradients,
    loss_of,
    make_model,
    make_task,
    random_sentences,
    write_data_bin,
)
from tests.objectives import reference

# <s> x1 x2 x3 x4 </s> | </s> M5 M6 M7 </s>: the paper's example with XLM-R's special symbols
FIGURE_4 = """
    <s> x1 x2 x3 x4 /s  /s M5 M6 M7 /s
<s>  1  1  1  1  1  1   0  0  0  0  0
x1   1  1  1  1  1  1   0  0  0  0  0
x2   1  1  1  1  1  1   0  0  0  0  0
x3   1  1  1  1  1  1   0  0  0  0  0
x4   1  1  1  1  1  1   0  0  0  0  0
/s   1  1  1  1  1  1   0  0  0  0  0
/s   0  0  0  0  0  0   1  0  0  0  1
M5   1  1  1  1  1  1   0  1  0  0  0
M6   1  1  1  1  1  1   0  0  1  0  0
M7   1  1  1  1  1  1   0  0  0  1  0
/s   0  0  0  0  0  0   1  0  0  0  1
"""


def example(x: list[int], placeholders: int, predict: list[int], languages: tuple[int, int] = (1, 2)) -> dict[str, Any]:
    """x with <mask>s at ``predict`` (positions counted from <s>)."""
    clean = np.array([0, *x, EOS, EOS, *[MASK] * placeholders, EOS])
    tokens = clean.copy()
    tokens[predict] = MASK
    return {
        "clean": clean,
        "tokens": tokens,
        "segment": np.array([0] * (len(x) + 2) + [1] * (placeholders + 2)),
        "predict": np.array(predict, dtype=int),
        "placeholders": len(x) + 3 + np.arange(placeholders),
        "target": clean[predict],
        "languages": languages,
    }


FIGURE_3 = example([11, 12, 13, 14], 3, [2])
EXAMPLES = [FIGURE_3, example(list(range(5, 15)), 2, [1, 9], (3, 2)), example([40], 1, [1], (2, 1))]


def test_figure_4_cell_by_cell():
    batch = batch_of(FIGURE_3)
    visible = cross_sentence_visibility(batch["segment"], mask_at(batch["clean"], batch["placeholders"]))
    rows = [[int(cell) for cell in line.split()[1:]] for line in FIGURE_4.strip().splitlines()[1:]]
    assert torch.equal(visible[0], torch.tensor(rows).bool())


def test_stage_1_hands_the_matrix_to_the_encoder(task, model, monkeypatch):
    seen: list[EncoderInput] = []
    original = model.encoder.sentence_encoder.forward
    monkeypatch.setattr(
        model.encoder.sentence_encoder,
        "forward",
        lambda batches, *args: seen.extend(batches) or original(batches, *args),
    )
    batch = batch_of(FIGURE_3)
    loss_of(task.objectives["btmlm"], model, batch)
    assert len(seen) == 2  # one forward pass for all pseudo tokens, one for the loss
    rows = [[int(cell) for cell in line.split()[1:]] for line in FIGURE_4.strip().splitlines()[1:]]
    assert torch.equal(seen[0].visible[0], torch.tensor(rows).bool())
    assert torch.equal(seen[0].tokens, batch["clean"])
    assert seen[0].languages.tolist() == [[0] * 7 + [2, 2, 2, 0]]
    assert seen[1].visible is None
    assert seen[1].languages.tolist() == [[0, 0, 1] + [0] * 8]  # <mask>s of x only: the pseudo tokens are words


def stage_1_reference(model: Any, one: dict[str, Any]) -> list[int]:
    """One placeholder at a time: it reads x and itself, x reads x."""
    tokens, end = one["clean"].tolist(), one["clean"].tolist().index(EOS) + 1
    pseudo = []
    for place in one["placeholders"].tolist():
        kept = [*tokens[:end], MASK]
        sees = {i: list(range(end)) for i in range(end)} | {end: list(range(end + 1))}
        languages = [0] * end + [one["languages"][1]]
        states = reference.encode(model, kept, sees, languages, [*range(1, end + 1), place + 1])
        scores = reference.log_probabilities(model, states[end])
        pseudo.append(FIRST + int(scores[FIRST:MASK].argmax()))
    return pseudo


def test_stage_1_equals_one_placeholder_at_a_time(task, model):
    with torch.no_grad():  # let positions and languages matter more
        model.encoder.sentence_encoder.embed_positions.weight.mul_(5)
        model.heads["lm"].bias.zero_()
    expected = [token for one in EXAMPLES for token in stage_1_reference(model, one)]
    assert task.objectives["btmlm"].generate(model, batch_of(*EXAMPLES)).tolist() == expected
    assert len(set(expected)) > 1  # else the test could not tell positions apart


def test_pseudo_tokens_are_never_special(task, model):
    with torch.no_grad():
        model.heads["lm"].bias[[0, 1, 2, 3, MASK]] = 1e4
    pseudo = task.objectives["btmlm"].generate(model, batch_of(*EXAMPLES))
    assert ((pseudo >= FIRST) & (pseudo < MASK)).all()


def test_stage_1_has_no_gradient_and_no_dropout_and_leaves_the_mode_alone(data_bin):
    task = make_task(data_bin)
    model = make_model(task, dropout=0.5, attention_dropout=0.5)
    objective, batch = task.objectives["btmlm"], batch_of(*EXAMPLES)
    expected = objective.generate(model, batch)
    assert not model.training
    model.train()
    state = torch.get_rng_state()
    pseudo = objective.generate(model, batch)
    assert torch.equal(pseudo, expected)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())
    assert not pseudo.requires_grad


def test_stage_2_loss_and_gradients_of_the_slow_reference(task):
    """Full attention over x with its <mask>s and the pseudo tokens, loss on x only."""
    objective, model = task.objectives["btmlm"], make_model(task, layers=2).double().train()
    loss = loss_of(objective, model, batch_of(*EXAMPLES)).mean
    loss.backward()
    fast = gradients(model)
    expected = 0.0
    for one in EXAMPLES:
        tokens = one["tokens"].copy()
        with torch.no_grad():
            tokens[one["placeholders"]] = stage_1_reference(model, one)
        languages = [one["languages"][0] if token == MASK else 0 for token in tokens]
        everybody = {i: range(len(tokens)) for i in range(len(tokens))}
        states = reference.encode(model, tokens.tolist(), everybody, languages)
        expected = expected + reference.nll(model, states, dict(zip(one["predict"], one["target"], strict=True)))
    expected = expected / 4
    expected.backward()
    slow = gradients(model)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert fast.keys() == slow.keys()
    for name in slow:
        torch.testing.assert_close(
            fast[name], slow[name], rtol=1e-5, atol=1e-7, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_stage_2_sees_the_pseudo_tokens(task, model, final_states, monkeypatch):
    objective, batch = task.objectives["btmlm"], batch_of(FIGURE_3)
    states = final_states(objective, model, batch)
    monkeypatch.setattr(objective, "generate", lambda model, batch: torch.tensor([5, 6, 7]))
    first = final_states(objective, model, batch)
    monkeypatch.setattr(objective, "generate", lambda model, batch: torch.tensor([5, 6, 8]))
    assert not torch.equal(first, final_states(objective, model, batch))
    assert states.shape == (1, 16)


def test_a_masked_word_is_predicted_from_the_input_not_from_the_label(task, model, final_states, monkeypatch):
    """The label is in the clean sentence of stage 1 (as in the paper), but reaches stage 2 through the pseudo tokens only."""
    objective = task.objectives["btmlm"]
    monkeypatch.setattr(objective, "generate", lambda model, batch: torch.tensor([5, 6, 7]))
    states = final_states(objective, model, batch_of(FIGURE_3))
    relabelled = final_states(objective, model, batch_of(example([11, 30, 13, 14], 3, [2])))
    assert torch.equal(states, relabelled)


@pytest.mark.parametrize("ratio", [0.05, 0.15, 0.2, 1.0])
def test_number_of_placeholders(data_bin, ratio):
    task = make_task(data_bin, btmlm_pseudo_ratio=ratio)
    task.load_dataset("train")
    part = task.datasets["train"].parts["btmlm"]
    for index in range(len(part.sizes)):
        built = part.example(index, 1)
        length = int((built["segment"] == 0).sum()) - 2
        assert len(built["placeholders"]) == max(1, round(ratio * length))
        assert len(built["clean"]) == len(built["tokens"]) == part.sizes[index]
        assert (built["clean"][built["placeholders"]] == MASK).all()
        assert (built["segment"][built["placeholders"]] == 1).all()
        assert (built["segment"][built["predict"]] == 0).all()
        assert (built["clean"] == MASK).sum() == len(built["placeholders"])


@pytest.mark.parametrize("ratio", [1e-17, 0.05, 0.15, 0.35, 1.0])
@pytest.mark.parametrize("max_positions", [8, 13, 32, 63])
def test_long_sentences_leave_room_for_placeholders(tmp_path, ratio, max_positions):
    data = write_data_bin(
        tmp_path,
        mono={"de": random_sentences(3, 100, 120), "en": [[5] * n for n in range(1, 70)]},
        para={"de-en": (random_sentences(2), random_sentences(2))},
    )
    task = make_task(data, objectives="btmlm", btmlm_pseudo_ratio=ratio, max_positions=max_positions)
    task.load_dataset("train")
    part = task.datasets["train"].parts["btmlm"]
    lengths = [len(part.example(index, 1)["tokens"]) for index in range(len(part.sizes))]
    assert lengths == part.sizes.tolist()
    assert max_positions - 1 <= max(lengths) <= max_positions


def test_target_languages_are_partners_drawn_evenly(task):
    """en has de and fr as partners; de and fr have en only."""
    part_examples = build_examples(task, "btmlm", count=90)
    found: dict[int, set[int]] = {}
    for built in part_examples:
        found.setdefault(built["languages"][0], set()).add(built["languages"][1])
    assert found == {1: {2}, 2: {1, 3}, 3: {2}}
    part = task.datasets["train"].parts["btmlm"]
    drawn = [part.example(45, epoch)["languages"][1] for epoch in range(400)]
    assert abs(drawn.count(1) - 200) < 4 * 10


def test_80_10_10(task):
    task.load_dataset("train")
    part = task.datasets["train"].parts["btmlm"]
    counts, ordinary = np.zeros(3, dtype=int), 0
    for epoch in range(1, 50):
        for index in range(90):
            built = part.example(index, epoch)
            shown, target = built["tokens"][built["predict"]], built["target"]
            counts += [(shown == MASK).sum(), (shown == target).sum(), ((shown != MASK) & (shown != target)).sum()]
            ordinary += int((built["segment"] == 0).sum()) - 2
    total = counts.sum()
    assert abs(total / ordinary - 0.15) < 4 * (0.15 * 0.85 / ordinary) ** 0.5
    for count, share in zip(counts, (0.8, 0.1 + 0.1 / 40, 0.1 - 0.1 / 40), strict=True):
        assert abs(count / total - share) < 4 * (share * (1 - share) / total) ** 0.5, counts


def test_start_update(data_bin):
    """test_xling.py has what the criterion does with it."""
    assert make_task(data_bin, btmlm_start_update=3).objectives["btmlm"].first_update == 3
    assert make_task(data_bin).objectives["btmlm"].first_update == 0


@pytest.mark.parametrize("ratio", [0.0, -0.1, 1.5])
def test_ratio_out_of_range(data_bin, ratio):
    with pytest.raises(UserError, match=r"--btmlm-pseudo-ratio .* must be above 0 and at most 1"):
        make_task(data_bin, btmlm_pseudo_ratio=ratio)


def data(folder: Path, mono: str, pairs: str) -> Path:
    sentences = random_sentences(4)
    return write_data_bin(
        folder, dict.fromkeys(mono.split(), sentences), dict.fromkeys(pairs.split(), (sentences,) * 2)
    )


def test_language_without_a_pair(tmp_path):
    with pytest.raises(
        UserError, match=r"mono/fr: btmlm has no pair with 'fr' in .*/para; add one, .*--btmlm-languages"
    ):
        make_task(data(tmp_path, "de en fr", "de-en"))


def test_language_without_monolingual_text(tmp_path):
    with pytest.raises(UserError, match=r"para/en-fr: btmlm needs monolingual text of 'fr', .*/mono/fr is missing"):
        make_task(data(tmp_path, "de en", "de-en en-fr"))


def test_no_monolingual_text_at_all(tmp_path):
    with pytest.raises(UserError, match=r"/mono: no language in it; the objective btmlm needs monolingual text"):
        make_task(data(tmp_path, "", "de-en"), objectives="btmlm")
    with pytest.raises(UserError, match=r"btmlm needs monolingual text of 'en'"):
        make_task(data(tmp_path / "half", "de", "de-en"), objectives="btmlm")
    empty = data(tmp_path / "none", "", "")
    (empty / "languages.txt").write_text("de\n")
    with pytest.raises(UserError, match=r"/mono: no language in it; the objective btmlm needs monolingual text"):
        make_task(empty, objectives="btmlm")


def test_chosen_languages(tmp_path):
    folder = data(tmp_path, "de en fr", "de-en")
    objective = make_task(folder, btmlm_languages="en, de").objectives["btmlm"]
    assert objective.groups == ["en", "de"]
    assert sorted(objective.source("train", 1).groups) == ["de", "en"]
    with pytest.raises(UserError, match=r"--btmlm-languages: 'xx' is not in .*/mono, which holds de en fr"):
        make_task(folder, btmlm_languages="en,xx")
    with pytest.raises(UserError, match=r"no pair with 'fr'"):
        make_task(folder, btmlm_languages="en,fr")
    with pytest.raises(UserError, match=r"--btmlm-languages en,en: 'en' is named 2 times"):
        make_task(folder, btmlm_languages="en,en")
