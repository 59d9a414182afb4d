"""``xling eval restoration``: known predictions, classes by hand, the criterion's accuracy, output files, wrong input."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_xling.data.databin import DataBin
from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.restoration import evaluate as module
from fairseq_xling.evaluation.restoration.evaluate import (
    Restoration,
    class_names,
    evaluate,
    pair_options,
    result_rows,
    training_counts,
)
from fairseq_xling.evaluation.restoration.run import parse_limits
from fairseq_xling.evaluation.tables.collect import collect
from fairseq_xling.evaluation.tables.tables import make_tables
from fairseq_xling.interop.load import load_model
from fairseq_xling.interop.loaded import LoadedModel
from fairseq_xling_preprocess.cli import main
from tests.helpers import (
    FIRST,
    NUM_WORDS,
    make_model,
    make_task,
    mixture_of,
    random_sentences,
    small_data_bin,
    write_data_bin,
)

OPTIONS = {"mask_prob": 0.3, "reset_positions": True, "max_positions": 64}


def save(folder: Path, data: Path, bias: dict[int, float] | None = None, objectives: str = "tlm,camlm") -> Path:
    """A model trained on the data-bin, as files; with ``bias`` its logits are these everywhere, 0 for the other symbols."""
    task = make_task(data, objectives=objectives, **OPTIONS)
    model = make_model(task)
    if bias is not None:
        with torch.no_grad():
            for parameter in model.heads["lm"].layer_norm.parameters():
                parameter.zero_()
            model.heads["lm"].bias.zero_()
            for symbol, value in bias.items():
                model.heads["lm"].bias[symbol] = value
    folder.mkdir()
    for name in ("dict.txt", "languages.txt"):
        (folder / name).write_text((data / name).read_text())
    args = Namespace(task="btmlm", encoder_attention_heads=2, **OPTIONS)
    torch.save({"model": model.state_dict(), "args": args}, folder / "model.pt")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data_bin(tmp_path_factory.mktemp("data-bin"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    return save(tmp_path_factory.mktemp("model") / "model", data)


@pytest.fixture(scope="module")
def loaded(folder: Path) -> LoadedModel:
    return load_model(folder)


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as error:
        main(["eval", "restoration", *map(str, words)])
    return int(error.value.code or 0)


def totals(found: list[Restoration]) -> list[tuple[int, int]]:
    return [(int(one.correct.sum()), int(one.tokens.sum())) for one in found]


def test_classes_of_frequency() -> None:
    assert class_names([1, 4]) == ["0", "1-3", "4+"]
    assert class_names([2]) == ["0-1", "2+"]
    assert class_names([1, 2, 10]) == ["0", "1", "2-9", "10+"]
    assert parse_limits("1,4") == [1, 4]
    for text in ("", "0,4", "4,1", "1,1", "1,x", "-1"):
        with pytest.raises(UserError, match=f"--frequencies {text}: expected increasing numbers"):
            parse_limits(text)


def test_counts_of_the_training_pairs(tmp_path: Path) -> None:
    """Each side of each pair by itself, all shards, none of the validation part."""
    a, b, c = FIRST, FIRST + 1, FIRST + 2
    shards = [tmp_path / "1", tmp_path / "2"]
    for shard, sides in zip(shards, [([[a, a, b]], [[c]]), ([[b], [a]], [[c, c], [a]])], strict=True):
        write_data_bin(shard, para={"de-en": sides, "de-fr": ([[a]], [[b]])})
        write_data_bin(shard, para={"de-en": ([[a]] * 5, [[a]] * 5)}, splits=("valid",))
    counts = training_counts(DataBin(":".join(map(str, shards))))
    assert counts[:, :, [a, b, c]].tolist() == [[[3, 2, 0], [1, 0, 3]], [[2, 0, 0], [0, 2, 0]]]


def test_known_predictions(tmp_path: Path) -> None:
    """A model that always says ``a``: right wherever a is masked, in the class of the side the mask is on."""
    a, b = FIRST, FIRST + 1
    data = write_data_bin(tmp_path / "data", para={"de-en": ([[a] * 2 + [b]], [[b]])})
    write_data_bin(data, para={"de-en": ([[a, a, a, b]] * 30, [[a, b]] * 30)}, splits=("valid",))
    model = load_model(save(tmp_path / "model", data, {a: 3.0, b: 1.0}))
    options = pair_options(model, mask_prob=1.0)
    for one in evaluate(model, DataBin(str(data)), options, limits=[1, 2], passes=2):
        # German: a occurs twice in training, b once; English: a never, b once
        assert one.tokens.tolist() == [[[0, 60, 180], [60, 60, 0]]]
        assert one.correct.tolist() == [[[0, 0, 180], [60, 0, 0]]]


def test_every_chosen_token_becomes_a_mask(loaded: LoadedModel, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[np.ndarray]] = {}

    def collate(self, examples):
        for example in examples:
            assert (example["tokens"][example["predict"]] == loaded.symbols.mask).all()
            seen.setdefault(self.name, []).append(example["target"])
        return type(self).__mro__[2].collate(self, examples)

    for cls in module.OBJECTIVES:
        monkeypatch.setattr(cls, "collate", collate, raising=False)
    found = evaluate(loaded, DataBin(str(data)), pair_options(loaded), passes=2)
    tlm, camlm = (np.concatenate(targets) for targets in seen.values())
    assert np.array_equal(tlm, camlm), "both restore the same tokens"
    assert (found[0].tokens == found[1].tokens).all()
    assert found[0].tokens.sum() == len(tlm)


def test_the_accuracy_is_that_of_the_criterion(
    loaded: LoadedModel, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {}

    def collate(self, examples):
        batch = type(self).__mro__[2].collate(self, examples)
        table = mixture_of(self, loaded.model, batch).terms[self.name].by_group
        expected[self.name] = expected.get(self.name, 0) + table
        return batch

    for cls in module.OBJECTIVES:
        monkeypatch.setattr(cls, "collate", collate, raising=False)
    for one in evaluate(loaded, DataBin(str(data)), pair_options(loaded, 0.5), passes=10):
        assert one.pairs == ["de-en", "en-fr"]
        table = expected[one.objective]
        assert one.correct.sum((1, 2)).tolist() == table[:, 1].tolist()
        assert one.tokens.sum((1, 2)).tolist() == table[:, 2].tolist()
        assert one.correct.sum() > 0


def test_neither_batches_nor_chance_change_anything(loaded: LoadedModel, data: Path) -> None:
    data_bin, options = DataBin(str(data)), pair_options(loaded)
    first = totals(evaluate(loaded, data_bin, options, max_tokens=4096))
    assert totals(evaluate(loaded, data_bin, options, max_tokens=1)) == first
    assert totals(evaluate(loaded, data_bin, options, seed=2)) != first


def test_options_are_those_of_the_training(loaded: LoadedModel) -> None:
    options = pair_options(loaded)
    assert (options.mask_prob, options.reset_positions, options.max_positions) == (0.3, True, 64)
    assert (options.pair_separators, options.lang_embedding) == (2, "mask")
    assert (options.leave_unmasked_prob, options.random_token_prob) == (0, 0)
    assert pair_options(loaded, 0.1).mask_prob == 0.1


def test_unknown_tokens_are_left_out(tmp_path: Path) -> None:
    unk = 3
    data = write_data_bin(
        tmp_path / "data", para={"de-en": ([[FIRST] * 29 + [unk]], [[FIRST] * 30])}, splits=("train", "valid")
    )
    model = load_model(save(tmp_path / "model", data, {unk: 1.0}))
    (one, _) = evaluate(model, DataBin(str(data)), pair_options(model, 1.0), passes=1)
    assert (one.unknown, one.tokens.sum(), one.correct.sum()) == (1, 59, 0)


def test_rows() -> None:
    one = Restoration("tlm", ["de-en"], [("de", "en")], np.array([[[2, 4], [0, 2]]]), np.array([[[1, 1], [0, 2]]]), 0)
    rows = result_rows([one], [3])
    assert {(row["language"], row["frequency"]): (row["correct"], row["tokens"], row["value"]) for row in rows} == {
        ("all", "0-2"): (1, 2, 0.5),
        ("all", "3+"): (3, 6, 0.5),
        ("all", "all"): (4, 8, 0.5),
        ("de", "0-2"): (1, 2, 0.5),
        ("de", "3+"): (1, 4, 0.25),
        ("de", "all"): (2, 6, pytest.approx(1 / 3)),
        ("en", "0-2"): (0, 0, None),
        ("en", "3+"): (2, 2, 1.0),
        ("en", "all"): (2, 2, 1.0),
    }
    assert {row["metric"] for row in rows} == {"restoration_acc_tlm"}


def test_command(folder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contents = []
    for out in (tmp_path / "1", tmp_path / "2"):
        assert run("--checkpoint", folder, "--data", data, "--passes", 2, "--out", out) == 0
        contents.append(json.loads((out / "results.json").read_text()))
    assert contents[0]["rows"] == contents[1]["rows"]
    assert (contents[0]["evaluation"], contents[0]["seed"], contents[0]["unknown"]) == ("restoration", 1, 0)
    assert contents[0]["settings"]["mask_prob"] == 0.3
    assert len(contents[0]["data"]) == 8, "two pairs, two sides, two splits"
    report = (tmp_path / "1" / "report.md").read_text()
    assert "| occurrences in the training pairs | 0 | 1-3 | 4+ | all |" in report
    cells = {row["frequency"]: row for row in contents[0]["rows"] if row["pair"] == "all"}
    assert f"| masked tokens | {' | '.join(str(cell['tokens']) for cell in cells.values())} |" in report
    assert "entences; camlm" in capsys.readouterr().out
    (table,) = make_tables(collect([f"model={tmp_path / '1'}"])[0])
    assert table.metrics == ("tlm", "camlm")
    assert table.rows[0].average("camlm").mean == pytest.approx(100 * cells["all"]["value"])


def test_a_model_without_pairs(data: Path, tmp_path: Path) -> None:
    """MMLM alone: no language embedding."""
    model = load_model(save(tmp_path / "model", data, objectives="mmlm"))
    assert model.model.encoder.sentence_encoder.embed_languages is None
    assert totals(evaluate(model, DataBin(str(data)), pair_options(model)))[0][1] > 0


@pytest.mark.parametrize(
    ("make", "words", "message"),
    [
        (lambda path: small_data_bin(path, splits=("train",)), (), "no 'valid' pairs"),
        (lambda path: small_data_bin(path), ("--split", "test"), "no 'test' pairs"),
        (
            lambda path: write_data_bin(path, mono={"de": random_sentences(3), "en": [[5]], "fr": [[5]]}),
            (),
            "no 'valid' pairs",
        ),
        (
            lambda path: write_data_bin(path, para={"de-en": ([[5]], [[5]])}, splits=("valid",)),
            (),
            "languages.txt differ",
        ),
        (
            lambda path: write_data_bin(
                path, para={"de-en": ([[5]], [[5]])}, splits=("valid",), words=[f"v{i}" for i in range(NUM_WORDS)]
            ),
            (),
            "has another dictionary",
        ),
        (lambda path: small_data_bin(path), ("--frequencies", "4,1"), "--frequencies 4,1: expected increasing numbers"),
    ],
)
def test_wrong_input_is_one_line(
    folder: Path, tmp_path: Path, capsys, make, words: tuple[str, ...], message: str
) -> None:
    data = make(tmp_path / "data")
    capsys.readouterr()
    assert run("--checkpoint", folder, "--data", data, "--out", tmp_path / "out", *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_model_without_the_head(loaded: LoadedModel, data: Path, tmp_path: Path, folder: Path, capsys) -> None:
    content = torch.load(folder / "model.pt", weights_only=False)
    content["model"] = {key: value for key, value in content["model"].items() if not key.startswith("heads.lm")}
    other = tmp_path / "model"
    other.mkdir()
    for name in ("dict.txt", "languages.txt"):
        (other / name).write_text((data / name).read_text())
    torch.save(content, other / "model.pt")
    assert run("--checkpoint", other, "--data", data, "--out", tmp_path / "out") == 2
    assert "has no LM head" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
