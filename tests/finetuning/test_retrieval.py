"""The retrieval task: losses against loops, masking, pooling, layers, learning on real data, whole runs."""

from __future__ import annotations

import gzip
import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.retrieval import RetrievalCriterion, RetrievalTask, RetrievalTaskConfig
from fairseq_xling.finetuning.retrieval_loss import (
    hardest_negative_loss,
    hardest_negatives,
    in_batch_loss,
    shared_sentences,
    similarities,
)
from fairseq_xling.interop.load import load_model
from fairseq_xling.models import XlingModel, XlingModelConfig
from fairseq_xling_preprocess import spm, vocab
from tests.helpers import BOS, EOS, PAD, gradients, make_model, random_sentences, small_data_bin, write_data_bin


def retrieval_task(folder, **options) -> RetrievalTask:
    cfg = RetrievalTaskConfig(data=str(folder), seed=1, save_dir=str(folder), update_freq=[1], max_positions=64)
    for option, value in options.items():
        setattr(cfg, option, value)
    return RetrievalTask.setup_task(cfg)


def batch_of(task, *pairs, split="train"):
    """A batch of (x, y) or (x, y, group)."""
    if split not in task.datasets:
        task.load_dataset(split)
    samples = [
        {"x": np.array(x), "y": np.array(y), "group": group[0] if group else 0, "id": number}
        for number, (x, y, *group) in enumerate(pairs)
    ]
    return task.datasets[split].collater(samples)


@pytest.fixture
def task(tmp_path):
    return retrieval_task(small_data_bin(tmp_path))


# ---- losses -----------------------------------------------------------------------------------------------------------


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def random_scores(size=5, seed=0):
    scores = 3 * torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scores[0, 2] = scores[2, 0] = scores[1, 3] = -torch.inf
    return scores


def test_hardest_negative_equals_a_loop():
    scores = random_scores()
    expected = []
    for i in range(5):
        row = max(float(scores[i, j]) for j in range(5) if j != i)
        column = max(float(scores[j, i]) for j in range(5) if j != i)
        expected.append(
            -2 * math.log(sigmoid(scores[i, i])) - math.log(1 - sigmoid(row)) - math.log(1 - sigmoid(column))
        )
    assert hardest_negative_loss(scores).tolist() == pytest.approx(expected)


def test_in_batch_equals_a_loop():
    scores = random_scores()
    expected = []
    for i in range(5):
        row = sum(math.exp(scores[i, j]) for j in range(5))
        column = sum(math.exp(scores[j, i]) for j in range(5))
        expected.append(-math.log(math.exp(scores[i, i]) / row) - math.log(math.exp(scores[i, i]) / column))
    assert in_batch_loss(scores).tolist() == pytest.approx(expected)


def test_by_hand():
    scores = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    of_x, of_y = hardest_negatives(scores)
    assert (of_x.tolist(), of_y.tolist()) == ([1, 0], [0, 1])
    assert hardest_negative_loss(torch.zeros(3, 3)).tolist() == pytest.approx([4 * math.log(2)] * 3)
    assert in_batch_loss(torch.zeros(4, 4)).tolist() == pytest.approx([2 * math.log(4)] * 4)


@pytest.mark.parametrize("loss", [hardest_negative_loss, in_batch_loss])
def test_no_negative_at_all_is_no_accident(loss):
    """One pair, or a batch of one sentence repeated: finite losses and gradients."""
    for size in (1, 3):
        x, y = torch.randn(size, 4, requires_grad=True), torch.randn(size, 4)
        value = loss(similarities(x, y, torch.ones(size, size, dtype=torch.bool), 20, 0.5)).sum()
        value.backward()
        assert value.isfinite()
        assert x.grad.isfinite().all()


def test_similarities_are_scaled_cosines_with_false_negatives_masked():
    x, y = torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    same = torch.tensor([[True, False], [True, True]])
    scores = similarities(x, y, same, 20, 0.5)
    assert scores[0].tolist() == pytest.approx([10, 20 / math.sqrt(2) - 10])
    assert scores[1].tolist() == pytest.approx([-torch.inf, 20 / math.sqrt(2) - 10])


def test_pairs_that_share_a_sentence_on_any_side_are_no_negatives(task):
    a, b, c, d, e, f = ([k, k + 1] for k in range(5, 11))
    batch = batch_of(task, (a, b), (c, b), (d, a), (e, f))
    same = shared_sentences(batch["left"], batch["right"])
    expected = np.eye(4, dtype=bool)
    expected[[0, 1, 0, 2], [1, 0, 2, 0]] = True
    assert same.tolist() == expected.tolist()


# ---- batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_both_sides_each_on_its_own(task):
    batch = batch_of(task, ([5, 6], [7]), ([8], [9, 10, 11], 1))
    assert batch["tokens"].tolist() == [
        [BOS, 5, 6, EOS, PAD],
        [BOS, 8, EOS, PAD, PAD],
        [BOS, 7, EOS, PAD, PAD],
        [BOS, 9, 10, 11, EOS],
    ]
    assert (batch["num_tokens"], batch["padded"], batch["group"].tolist()) == (15, True, [0, 1])


def test_epoch_batches_fit_and_hold_every_pair_once(tmp_path):
    task = retrieval_task(small_data_bin(tmp_path), sampling_alpha=1.0)
    task.load_dataset("train")
    dataset = task.datasets["train"]
    dataset.set_epoch(1)
    batches = dataset.batches(1, max_tokens=80, max_sentences=4)
    assert sorted(int(item) for batch in batches for item in batch) == list(range(40))
    for items in batches:
        batch = dataset.collater([dataset[item] for item in items])
        assert len(items) <= 4
        assert batch["tokens"].numel() <= 80
    with pytest.raises(UserError, match="--max-tokens 5 is less than the longest pair"):
        dataset.batches(1, max_tokens=5, max_sentences=None)
    with pytest.raises(UserError, match="--batch-size 1 leaves a pair without negatives"):
        dataset.batches(1, max_tokens=None, max_sentences=1)


def test_each_side_may_use_all_positions_and_is_cut_to_them(tmp_path, caplog):
    folder = write_data_bin(tmp_path, para={"de-en": ([[5] * 30, [6] * 14], [[7] * 3, [8] * 14])})
    task = retrieval_task(folder, max_positions=16)
    task.load_dataset("train")
    lengths = [(len(e["x"]), len(e["y"])) for e in (task.datasets["train"][i] for i in range(2))]
    assert lengths == [(14, 3), (14, 14)]
    assert "1 of 2 pairs are cut to --max-positions 16" in caplog.text


def test_wrong_input_is_named(tmp_path):
    folder = small_data_bin(tmp_path / "a", splits=("train",))
    for options, message in (
        ({"retrieval_scale": 0.0}, "--retrieval-scale 0.0"),
        ({"retrieval_threshold": 1.0}, "--retrieval-threshold 1.0 must be a cosine"),
        ({"retrieval_warmup_updates": -1}, "--retrieval-warmup-updates -1"),
    ):
        with pytest.raises(UserError, match=message):
            retrieval_task(folder, **options)
    with pytest.raises(UserError, match="--retrieval-layer 3: the model has the layers 1 to 2"):
        make_model(retrieval_task(folder, retrieval_layer=3))
    with pytest.raises(UserError, match="no 'valid' sentence pairs"):
        retrieval_task(folder).load_dataset("valid")
    with pytest.raises(UserError, match="needs sentence pairs"):
        retrieval_task(write_data_bin(tmp_path / "b", mono={"en": random_sentences(5)}))


# ---- criterion --------------------------------------------------------------------------------------------------------


def reference(model, batch, layer):
    """Scores of the batch from sentences encoded one by one, at the default scale and threshold."""
    pooled = []
    with torch.no_grad():
        for row in batch["tokens"]:
            tokens = row[row != PAD][None]
            pooled.append(model(tokens, all_layers=True)[layer][0, 1:-1].mean(0))
    half = len(pooled) // 2
    return torch.stack(
        [20 * (F.cosine_similarity(x, y, dim=0) - 0.5) for x in pooled[:half] for y in pooled[half:]]
    ).view(half, half)


@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("layer", [1, 2])
def test_loss_is_that_of_sentences_encoded_alone(tmp_path, layer, pre_norm):
    task = retrieval_task(small_data_bin(tmp_path), retrieval_layer=layer)
    model = make_model(task, encoder_normalize_before=pre_norm)
    batch = batch_of(task, ([5, 6], [7]), ([8], [9, 10, 11], 1), ([12] * 6, [13, 14]))
    loss, size, log = RetrievalCriterion(task)(model, batch)
    scores = reference(model, batch, layer)
    assert loss.item() == pytest.approx(hardest_negative_loss(scores).sum().item(), rel=1e-4)
    assert size == 3
    right = sum((scores.argmax(dim) == torch.arange(3)).sum().item() for dim in (0, 1))
    assert log["correct"] == right
    assert log["by_group"][:, 2].tolist() == [2, 1]
    assert log["by_group"].sum(0).tolist() == pytest.approx([loss.item(), right, 3])


def test_warm_up_trains_in_batch_and_validation_never_does(tmp_path):
    task = retrieval_task(small_data_bin(tmp_path), retrieval_warmup_updates=10)
    model, criterion = make_model(task), RetrievalCriterion(task)
    batch = batch_of(task, ([5, 6], [7]), ([8], [9, 10, 11]), ([12] * 6, [13, 14]))
    scores = reference(model, batch, 2)
    soft, hard = in_batch_loss(scores).sum().item(), hardest_negative_loss(scores).sum().item()
    for update, training, expected in ((9, True, soft), (10, True, hard), (0, False, hard)):
        model.set_num_updates(update)
        model.train(training)
        assert criterion(model, batch)[0].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("pre_norm", [False, True])
def test_every_trainable_parameter_gets_a_gradient(tmp_path, layer, pre_norm):
    task = retrieval_task(small_data_bin(tmp_path), retrieval_layer=layer)
    model = make_model(task, encoder_normalize_before=pre_norm).train()
    RetrievalCriterion(task)(model, batch_of(task, ([5, 6], [7]), ([8], [9, 10, 11])))[0].backward()
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    assert set(gradients(model)) == trainable
    frozen = {name for name, _ in model.named_parameters()} - trainable
    assert all("layers.1." in name or ".layer_norm." in name for name in frozen)
    assert bool(frozen) == (layer == 1)


def test_identical_sentences_are_no_negatives_of_each_other(task):
    """Two pairs with the same translation: each alone with the third pair has the same loss as all three together."""
    model, criterion = make_model(task), RetrievalCriterion(task)
    first, second, third = ([5, 6], [7, 8]), ([9, 10], [7, 8]), ([11], [12, 13])
    scores = reference(model, batch_of(task, first, second, third), 2)
    scores[0, 1] = scores[1, 0] = -torch.inf
    loss = criterion(model, batch_of(task, first, second, third))[0].item()
    assert loss == pytest.approx(hardest_negative_loss(scores).sum().item(), rel=1e-4)


def test_training_and_validation_log_the_same_keys_whatever_the_batch(task):
    model, criterion = make_model(task), RetrievalCriterion(task)
    for training in (True, False):
        model.train(training)
        keys = {
            tuple(criterion(model, batch_of(task, *pairs))[2])
            for pairs in ([([5], [6])], [([5], [6]), ([7, 8], [9], 1)])
        }
        assert len(keys) == 1


# ---- learning and whole runs ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def multi30k(shared_data, tmp_path_factory):
    """A data-bin of Multi30k's validation part, de-en: 900 pairs to train on, 114 held out."""
    folder = tmp_path_factory.mktemp("multi30k")
    sides = {}
    for language in ("de", "en"):
        with gzip.open(shared_data / "parallel" / f"multi30k.val.{language}.gz", "rt", encoding="utf-8") as lines:
            sides[language] = [line.strip() for line in lines]
        (folder / language).write_text("\n".join(sides[language]), encoding="utf-8")
    vocab.train({language: [str(folder / language)] for language in sides}, folder, 1000)
    dictionary, model = load_dictionary(folder / "dict.txt"), spm.load(str(folder / "sentencepiece.bpe.model"))
    encoded = [
        [[dictionary.index(piece) for piece in model.encode(text, out_type=str)] for text in sides[language]]
        for language in ("de", "en")
    ]
    words = dictionary.symbols[dictionary.nspecial : -1]
    for split, part in (("train", slice(0, 900)), ("valid", slice(900, None))):
        write_data_bin(folder, para={"de-en": (encoded[0][part], encoded[1][part])}, splits=(split,), words=words)
    return folder


def held_out(task, model, criterion):
    """Accuracy in batches of 32 on the held-out pairs."""
    model.eval()
    dataset = task.datasets["valid"]
    with torch.no_grad():
        logs = [
            criterion(model, dataset.collater([dataset[item] for item in items]))[2]
            for items in dataset.batches(1, None, 32)
        ]
    return float(sum(log["correct"] for log in logs)) / sum(2 * log["sample_size"] for log in logs)


@pytest.mark.parametrize(("warmup", "least"), [(60, 0.5), (0, 0.4)])
def test_learns_on_real_sentences(multi30k, warmup, least):
    """From random weights, with and without the warm-up, held-out sentences find their translation among 32 (chance 3 %)."""
    torch.manual_seed(1)
    task = retrieval_task(multi30k, retrieval_warmup_updates=warmup)
    cfg = XlingModelConfig(
        encoder_layers=1,
        encoder_embed_dim=64,
        encoder_ffn_embed_dim=128,
        encoder_attention_heads=4,
        dropout=0.0,
        attention_dropout=0.0,
        max_positions=task.cfg.max_positions,
    )
    model = XlingModel.build_model(cfg, task)
    criterion = RetrievalCriterion(task)
    for split in ("train", "valid"):
        task.load_dataset(split)
    dataset = task.datasets["train"]
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    before = held_out(task, model, criterion)
    updates = 0
    for epoch in range(1, 8):
        dataset.set_epoch(epoch)
        for items in dataset.batches(epoch, None, 32):
            model.train()
            model.set_num_updates(updates)
            loss, size, _ = criterion(model, dataset.collater([dataset[item] for item in items]))
            optimizer.zero_grad()
            (loss / size).backward()
            optimizer.step()
            updates += 1
    after = held_out(task, model, criterion)
    print(updates, before, after)
    assert before < 0.2
    assert after > least


def test_fine_tuning_continues_a_pretrained_checkpoint_at_a_middle_layer(train, tmp_path, data_bin):
    """--restore-file with the --reset-* flags and --finetune-from-model both start from the pre-trained weights."""
    pretrained = train(tmp_path / "pre", "--encoder-layers", "2", "--max-update", "3")
    file = tmp_path / "pre" / "checkpoint_last.pt"
    reset = ("--reset-optimizer", "--reset-dataloader", "--reset-meters", "--reset-lr-scheduler")
    top = "encoder.sentence_encoder.layers.1.fc1.weight"
    bottom = top.replace("layers.1", "layers.0")
    ends = []
    for name, how in (("restore", ("--restore-file", file, *reset)), ("model", ("--finetune-from-model", file))):
        tuned = train(
            tmp_path / name,
            *(
                "--encoder-layers",
                "2",
                "--retrieval-layer",
                "1",
                "--retrieval-warmup-updates",
                "2",
                "--max-update",
                "4",
            ),
            *how,
            task="retrieval",
        )
        assert torch.equal(tuned["model"][top], pretrained["model"][top])
        difference = (tuned["model"][bottom] - pretrained["model"][bottom]).abs().max()
        assert 0 < difference < 0.05
        assert not any("heads" in key for key in tuned["model"])
        loaded = load_model(tmp_path / name)
        assert loaded.options["retrieval_layer"] == 1
        ends.append(tuned["model"])
    assert all(torch.equal(tensor, ends[1][key]) for key, tensor in ends[0].items())


def test_a_resumed_run_equals_a_straight_one(train, tmp_path):
    straight = train(tmp_path / "straight", "--max-update", "8", task="retrieval")
    train(tmp_path / "resumed", "--max-update", "5", task="retrieval")
    resumed = train(tmp_path / "resumed", "--max-update", "8", task="retrieval")
    assert all(torch.equal(tensor, resumed["model"][key]) for key, tensor in straight["model"].items())


def test_two_processes_train_one_model(ranks, tmp_path):
    save_dir = tmp_path / "run"
    ranks(
        save_dir,
        *(
            "--encoder-layers",
            "2",
            "--retrieval-layer",
            "1",
            "--max-update",
            "4",
            "--required-batch-size-multiple",
            "1",
        ),
        task="retrieval",
    )
    state = torch.load(save_dir / "checkpoint_last.pt")
    assert state["optimizer_history"][-1]["num_updates"] == 4
    log = save_dir.with_name("run.log").read_text()
    sizes = [float(size) for size in re.findall(r"bsz=([\d.]+)", log)]
    assert max(sizes) > 24  # pairs of both processes


def test_the_task_is_registered():
    from fairseq.criterions import CRITERION_REGISTRY
    from fairseq.tasks import TASK_REGISTRY

    assert TASK_REGISTRY["retrieval"] is RetrievalTask
    assert CRITERION_REGISTRY["retrieval"] is RetrievalCriterion
