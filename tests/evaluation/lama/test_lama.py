"""``xling eval lama``: known predictions, averages by hand, output files, wrong input."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

from fairseq_xling.data.sentences import pad_sentences
from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.lama.cloze import Fact, Relation
from fairseq_xling.evaluation.lama.evaluate import evaluate, result_rows
from fairseq_xling.evaluation.lama.formats import read_source
from fairseq_xling.evaluation.lama.report import render_report
from fairseq_xling.evaluation.lama.run import read_vocabulary
from fairseq_xling.interop.load import load_model
from fairseq_xling.interop.loaded import LoadedModel
from fairseq_xling_preprocess import vocab
from fairseq_xling_preprocess.cli import main
from tests.evaluation.lama.lama_files import write_jsonl, write_lama, write_vocabulary
from tests.interop.models import POSITIONS, checkpoint_of, xling_model


def save_model(folder: Path, bias: dict[str, float] | None = None, **options) -> Path:
    """model.pt beside the vocabulary; with ``bias`` its logits are these at every mask, 0 for the other symbols."""
    symbols = [line.split(" ")[0] for line in (folder / "dict.txt").read_text().splitlines()]
    symbols = ["<s>", "<pad>", "</s>", "<unk>", *symbols, "<mask>"]
    model = xling_model(len(symbols), **options)
    if bias is not None:
        with torch.no_grad():
            for parameter in model.heads["lm"].layer_norm.parameters():
                parameter.zero_()
            model.heads["lm"].bias.copy_(torch.tensor([bias.get(symbol, 0.0) for symbol in symbols]))
    torch.save(checkpoint_of(model), folder / "model.pt")
    return folder


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory) -> Path:
    return write_vocabulary(tmp_path_factory.mktemp("lama"))


@pytest.fixture
def river_folder(vocabulary, tmp_path) -> Path:
    """A model that always says ▁river, then ▁town; special symbols would score higher."""
    folder = tmp_path / "model"
    shutil.copytree(vocabulary, folder)
    bias = {"▁river": 5.0, "▁town": 4.0, "born": 3.0, "<s>": 9.0, "</s>": 9.0, "<unk>": 9.0, "<mask>": 9.0}
    return save_model(folder, bias)


@pytest.fixture
def river(river_folder) -> LoadedModel:
    return load_model(river_folder)


def relation(
    name: str, *objects: str, corpus: str = "T-REx", kind: str = "N-1", text: str = "{} is in [MASK] ."
) -> Relation:
    facts = [Fact(str(number), word, (text.format(number),)) for number, word in enumerate(objects)]
    return Relation(corpus, name, kind, facts)


def test_known_predictions(river):
    found = evaluate(river, [relation("P1", "river", "town", "river"), relation("P2", "stone")])
    assert [(entry["n"], entry["value"]) for entry in found.relations] == [(3, pytest.approx(2 / 3)), (1, 0.0)]
    assert found.predictions[1] == {
        "corpus": "T-REx",
        "relation": "P1",
        "subject": "1",
        "object": "town",
        "sentence": "1 is in [MASK] .",
        "predicted": "▁river",
        "correct": False,
    }
    assert found.num_candidates == len(river.dictionary) - 5


def test_without_a_blank_the_piece_without_one_is_right(vocabulary, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(vocabulary, folder)
    loaded = load_model(save_model(folder, {"born": 5.0, "▁born": 4.0}))
    before, after = relation("P1", "born", text="{}[MASK]"), relation("P2", "born", text="{} [MASK]")
    assert [entry["value"] for entry in evaluate(loaded, [before, after]).relations] == [1.0, 0.0]


def test_common_vocabulary_restricts_objects_and_candidates(river):
    relations = [relation("P1", "river", "town", "stone", "town dog")]
    found = evaluate(river, relations, common_vocabulary=["town", "stone", "town dog", "born"])
    (entry,) = found.relations
    assert entry["left_out"] == {"not in the common vocabulary": 1, "not one piece": 1}
    assert (entry["n"], entry["value"]) == (2, 0.5)
    assert {line["predicted"] for line in found.predictions} == {"▁town"}
    assert found.num_candidates == 3


def test_what_is_left_out_is_counted(river):
    long = Fact("long", "river", ("of " * POSITIONS + "[MASK]",))
    given = relation("P1", "river", "town dog", "Ω", "1815")
    given.facts.append(long)
    given.left_out["repeated"] = 2
    (entry,) = evaluate(river, [given]).relations
    assert entry["left_out"] == {"repeated": 2, "not one piece": 2, "beyond the positions": 1}
    assert (entry["n"], entry["value"]) == (2, 0.5)
    assert given.left_out == {"repeated": 2}
    with pytest.raises(UserError, match=r"no fact is left to ask for \(1 not one piece\)"):
        evaluate(river, [relation("P1", "town dog")])


def test_the_longest_sentence_that_fits_is_asked(river):
    fits = Fact("x", "river", ("of " * (POSITIONS - 3) + "[MASK]",))
    assert evaluate(river, [Relation("T-REx", "P1", "N-1", [fits])]).relations[0]["value"] == 1.0


def test_several_patterns_are_averaged(river):
    """One of the patterns has no blank before the gap, where the model says born."""
    fact = Fact("x", "born", ("x is [MASK] .", "x is (born [MASK])", "x([MASK])"))
    found = evaluate(river, [Relation("T-REx", "P1", "N-1", [fact])])
    assert found.relations[0]["value"] == 0.0
    loaded_right = Fact("x", "river", ("x is [MASK] .", "[MASK] is x"))
    found = evaluate(river, [Relation("T-REx", "P1", "N-1", [loaded_right, fact])])
    assert (found.relations[0]["n"], found.relations[0]["value"]) == (2, 0.5)
    assert len(found.predictions) == 5


def entry(corpus: str, name: str, kind: str, n: int, value: float | None) -> dict:
    return {"corpus": corpus, "relation": name, "type": kind, "n": n, "value": value, "left_out": {}}


def averages(relations: list[dict]) -> dict:
    return {
        (row["corpus"], row["relation"], row["type"]): (row["n"], row["relations"], row["value"])
        for row in result_rows(relations)
        if "relations" in row
    }


def test_averages_by_hand():
    """Over relations, whatever their size; ConceptNet over its facts; a relation without facts is in none."""
    rows = averages(
        [
            entry("T-REx", "P36", "1-1", 10, 0.5),
            entry("T-REx", "P17", "N-1", 100, 0.2),
            entry("T-REx", "P19", "N-1", 300, 0.4),
            entry("T-REx", "P20", "N-1", 0, None),
            entry("T-REx", "P47", "N-M", 50, 0.1),
            entry("ConceptNet", "IsA", "", 30, 0.1),
            entry("ConceptNet", "HasA", "", 10, 0.5),
            entry("SQuAD", "SQuAD", "", 0, None),
        ]
    )
    assert rows == {
        ("T-REx", "average", "1-1"): (10, 1, 0.5),
        ("T-REx", "average", "N-1"): (400, 2, pytest.approx(0.3)),
        ("T-REx", "average", "N-M"): (50, 1, 0.1),
        ("T-REx", "total", ""): (460, 4, pytest.approx((0.5 + 0.2 + 0.4 + 0.1) / 4)),
        ("ConceptNet", "total", ""): (40, 2, pytest.approx((30 * 0.1 + 10 * 0.5) / 40)),
        ("SQuAD", "total", ""): (0, 0, None),
    }


def test_totals_follow_from_the_types_as_in_table_5():
    """XLM-K's T-REx column: the mean over 41 relations of 2, 23 and 16 with these means is the printed total."""
    types = [("1-1", 2, 0.620), ("N-1", 23, 0.294), ("N-M", 16, 0.261)]
    relations = [entry("T-REx", f"{kind}{i}", kind, 1, value) for kind, count, value in types for i in range(count)]
    n, relations_, total = averages(relations)["T-REx", "total", ""]
    assert (n, relations_, round(total, 3)) == (41, 41, 0.297)


def test_report_is_laid_out_as_table_5():
    relations = [
        entry("Google-RE", "date_of_birth", "", 4, 0.25),
        entry("T-REx", "P36", "1-1", 10, 0.5),
        {**entry("T-REx", "P20", "N-1", 0, None), "left_out": {"not one piece": 3}},
    ]
    results = {
        "settings": {"format": "lama", "patterns": "first", "common_vocabulary": None, "candidates": 1234},
        "rows": result_rows(relations),
        "relations": relations,
        "without_template": ["T-REx P999"],
        "command": "xling",
        "date": "today",
        "versions": {},
    }
    report = render_report(results)
    table = [line for line in report.split("## Every relation")[0].splitlines() if line.startswith("|")]
    assert table[2:] == [
        "| Google-RE | date_of_birth | 4 | 1 | 25.0 |",
        "| Google-RE | **total** | 4 | 1 | **25.0** |",
        "| T-REx | 1-1 | 10 | 1 | 50.0 |",
        "| T-REx | **total** | 10 | 1 | **50.0** |",
    ]
    assert "all 1,234 ordinary symbols" in report
    assert "Facts left out: 3 not one piece. In no average, since no fact is left: T-REx P20." in report
    assert "no template: T-REx P999" in report
    assert "| T-REx | P20 | N-1 | 0 | 3 | – |" in report


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as error:
        main(["eval", "lama", *map(str, words)])
    return int(error.value.code or 0)


def test_command_writes_results_report_and_predictions(river_folder, tmp_path, capsys):
    data, out = write_lama(tmp_path / "data"), tmp_path / "out"
    assert run("--checkpoint", river_folder, "--data", data, "--out", out, "--device", "cpu") == 0
    assert sorted(path.name for path in out.iterdir()) == ["predictions.jsonl", "report.md", "results.json"]
    results = json.loads((out / "results.json").read_text())
    values = {(row["corpus"], row["relation"], row["type"]): (row["n"], row["value"]) for row in results["rows"]}
    assert all(row["metric"] == "P@1" for row in results["rows"])
    assert values == {
        ("Google-RE", "place_of_birth", ""): (1, 1.0),
        ("Google-RE", "date_of_birth", ""): (1, 0.0),
        ("Google-RE", "total", ""): (2, 0.5),
        ("T-REx", "P36", "1-1"): (1, 0.0),
        ("T-REx", "P101", "N-M"): (2, 0.0),
        ("T-REx", "average", "1-1"): (1, 0.0),
        ("T-REx", "average", "N-M"): (2, 0.0),
        ("T-REx", "total", ""): (3, 0.0),
        ("ConceptNet", "AtLocation", ""): (1, 1.0),
        ("ConceptNet", "IsA", ""): (1, 0.0),
        ("ConceptNet", "total", ""): (2, 0.5),
        ("SQuAD", "SQuAD", ""): (1, 1.0),
        ("SQuAD", "total", ""): (1, 1.0),
    }
    assert results["settings"]["format"] == "lama"
    assert results["settings"]["candidates"] == 52
    assert results["checkpoint"]["sha256"] == hashlib.sha256((river_folder / "model.pt").read_bytes()).hexdigest()
    assert len(results["data"]) == 7
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert len(lines) == 8
    assert sum(line["correct"] for line in lines) == 3
    assert "| Google-RE | place_of_birth | 1 | 1 | 100.0 |" in capsys.readouterr().out


def test_command_with_a_common_vocabulary(river_folder, tmp_path, capsys):
    words = tmp_path / "words"
    words.write_text("town\nstone\n\ntown\n")
    assert read_vocabulary(words) == ["town", "stone"]
    data, out = write_lama(tmp_path / "data"), tmp_path / "out"
    assert run("--checkpoint", river_folder, "--data", data, "--out", out, "--common-vocabulary", words) == 0
    results = json.loads((out / "results.json").read_text())
    total = next(row for row in results["rows"] if (row["corpus"], row["relation"]) == ("T-REx", "total"))
    assert (total["n"], total["value"]) == (3, pytest.approx((1.0 + 0.5) / 2))
    assert results["data"][-1]["path"] == str(words)
    assert "the 2 words of the common vocabulary" in capsys.readouterr().out


def test_command_with_all_patterns_of_one_language(river_folder, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    patterns = [{"pattern": "[X] is [Y] ."}, {"pattern": "([Y]) is [X]"}]
    for language in ("de", "en"):
        write_jsonl(data / "tuples" / language / "P17.jsonl.gz", [{"sub_label": "Ada", "obj_label": "born"}])
        write_jsonl(data / "patterns" / language / "P17.jsonl.gz", patterns)
    save_model(river_folder, {"born": 5.0, "▁river": 4.0})
    common = ("--checkpoint", river_folder, "--data", data, "--out", out, "--all-patterns", "--languages", "de")
    assert run(*common) == 0
    results = json.loads((out / "results.json").read_text())
    assert [(row["corpus"], row["relation"], row["n"]) for row in results["rows"]] == [
        ("mParaRel de", "P17", 1),
        ("mParaRel de", "average", 1),
        ("mParaRel de", "total", 1),
    ]
    # right only where no blank went into the mask
    assert results["rows"][-1]["value"] == 0.5
    assert results["settings"]["patterns"] == "all"
    assert results["settings"]["languages"] == ["de"]
    assert len((out / "predictions.jsonl").read_text().splitlines()) == 2


def test_command_reports_wrong_input_with_exit_code_2(river_folder, vocabulary, tmp_path, capsys):
    data, out = write_lama(tmp_path / "data"), tmp_path / "out"
    headless = tmp_path / "headless"
    shutil.copytree(vocabulary, headless)
    save_model(headless, head=False)
    broken = tmp_path / "broken"
    write_jsonl(broken / "Squad" / "test.jsonl", [{"obj_label": "a"}])
    common = ("--checkpoint", river_folder, "--out", out)
    for words, message in [
        ((*common, "--data", tmp_path / "no"), "no such folder"),
        ((*common, "--data", tmp_path), "holds neither TREx"),
        ((*common, "--data", broken), "test.jsonl:1: 'masked_sentences' is None"),
        ((*common, "--data", data, "--languages", "de"), "--languages: lama is English only"),
        ((*common, "--data", data, "--common-vocabulary", tmp_path / "no"), "no: no such file"),
        ((*common, "--data", data, "--format", "mpararel"), "tuples: no such folder"),
        (("--checkpoint", headless, "--out", out, "--data", data), "model.pt: has no LM head, so it cannot fill masks"),
        (("--checkpoint", tmp_path / "none.pt", "--out", out, "--data", data), "no such checkpoint"),
    ]:
        assert run(*words) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error
        assert not out.exists()
    (river_folder / "sentencepiece.bpe.model").unlink()
    assert run(*common, "--data", data) == 2
    assert "raw text cannot be encoded without it" in capsys.readouterr().err


def test_nothing_is_half_written(river_folder, tmp_path, monkeypatch, capsys):
    """Predictions that fail on the way leave no file."""
    from fairseq_xling.evaluation.lama import run as lama_run

    def fail(entry, **options):
        raise OSError(28, "No space left on device")

    data, out = write_lama(tmp_path / "data"), tmp_path / "out"
    monkeypatch.setattr(lama_run.json, "dumps", fail)
    assert run("--checkpoint", river_folder, "--data", data, "--out", out) == 2
    assert "no space left on device" in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_real_facts(shared_data, tmp_path):
    """A model that always says Antarctica, over a vocabulary of the facts' own words."""
    source = read_source(shared_data / "lama" / "pararel")
    relations = [relation for relation in source.relations if relation.name in ("P17", "P30")]
    texts = [text.replace("[MASK]", fact.object) for r in relations for fact in r.facts for text in fact.sentences]
    (tmp_path / "text").write_text("\n".join(texts), encoding="utf-8")
    vocab.train({"en": [str(tmp_path / "text")]}, tmp_path, 1000)
    found = evaluate(load_model(save_model(tmp_path, {"▁Antarctica": 5.0}, max_positions=64)), relations)
    country, continent = found.relations
    assert (country["relation"], country["value"], country["n"] > 50) == ("P17", 0.0, True)
    objects = [fact.object for fact in relations[1].facts]
    assert objects.count("Antarctica") > 700
    assert continent["n"] >= objects.count("Antarctica") + objects.count("Europe")
    assert continent["value"] == pytest.approx(objects.count("Antarctica") / continent["n"])
    assert continent["n"] + sum(continent["left_out"].values()) == len(objects) + relations[1].left_out["repeated"]


def test_a_model_that_learnt_the_facts_scores_full_marks(vocabulary, tmp_path):
    """Trained on the cloze sentences themselves, a small model knows the facts; asked for others, it does not."""
    words = ["river", "town", "stone", "dog", "bridge", "book"]
    subjects = [f"{a} of {b}" for a in words for b in words][:30]
    objects = [words[(7 * number) % 6] for number in range(30)]
    facts = [Fact(s, o, (f"the {s} is [MASK] .",)) for s, o in zip(subjects, objects, strict=True)]
    shutil.copytree(vocabulary, tmp_path / "model")
    loaded = load_model(save_model(tmp_path / "model"))
    learn(loaded, facts)
    wrong = [Fact(fact.subject, words[(words.index(fact.object) + 1) % 6], fact.sentences) for fact in facts]
    found = evaluate(loaded, [Relation("T-REx", "P1", "N-1", facts), Relation("T-REx", "P2", "N-1", wrong)])
    assert [entry["value"] for entry in found.relations] == [1.0, 0.0]


def learn(loaded: LoadedModel, facts: list[Fact]) -> None:
    """Full-batch training on whole sentences, without this evaluation's code for masks."""
    mask = loaded.symbols.mask
    texts = [fact.sentences[0].replace("[MASK]", fact.object) for fact in facts]
    tokens = pad_sentences(loaded.encode_text(texts), loaded.symbols)
    at = torch.tensor([len(row) - 2 for row in loaded.encode_text(texts)]) + 1  # the object, before the full stop
    rows = torch.arange(len(facts))
    targets = tokens[rows, at]
    tokens[rows, at] = mask
    optimizer = torch.optim.Adam(loaded.model.parameters(), lr=3e-3)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(loaded.model.heads["lm"](loaded.model(tokens)[rows, at]), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
