"""``xling eval BENCHMARK``: a model with a random head on small files of every task."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling.finetuning.formulations import FORMULATIONS
from fairseq_xling.interop.labels import LABELS
from fairseq_xling.interop.load import load_model
from fairseq_xling.interop.loaded import LoadedModel
from fairseq_xling.metrics.mlqa import normalizer_of
from fairseq_xling.metrics.squad import score_answer
from fairseq_xling.models.heads import HEADS
from fairseq_xling_preprocess.cli import main
from fairseq_xling_preprocess.evaluation import cli

LABELS_OF = {"sequence": ["0", "1"], "token": ["O", "B-LOC", "I-LOC"], "span": None}
PAIRS = [("The river flows.", "The old town.", "0"), ("Two dogs run.", "Deux chiens courent.", "1")] * 3
TAGGED = [("Sie O", "schrieb O", "Berge B-LOC"), ("A O", "bridge B-LOC", "of I-LOC", "stone I-LOC")]
CONTEXT = "The river flows through the old town. Two dogs run. A bridge of stone."


def finetuned(folder: Path, head: str, loaded: LoadedModel, trained_labels: list[str] | None = None) -> Path:
    """A checkpoint like those of the fine-tuning tasks."""
    torch.manual_seed(3)
    labels = LABELS_OF[head]
    model = load_model(loaded.path).model
    model.add_head(head, outputs=len(labels) if labels else 2)
    for parameter in model.heads.parameters():
        torch.nn.init.normal_(parameter)
    task = {"_name": "any", "max_positions": 20, "max_question_length": 4, "max_answer_length": 3}
    content = {
        "args": None,
        "cfg": {"model": vars(model.cfg), "task": task},
        "model": model.state_dict(),
        "optimizer_history": [{"num_updates": 77}],
        "task_state": {
            "finetuning": {
                "benchmark": "any",
                "model": "m",
                "model_updates": 5,
                "languages": ["en"],
                "seed": 4,
                "labels": trained_labels,
            }
        },
    }
    folder.mkdir()
    torch.save(content, folder / "checkpoint_best.pt")
    for name in ("dict.txt", "sentencepiece.bpe.model"):
        (folder / name).write_bytes((loaded.home / name).read_bytes())
    if labels:
        (folder / LABELS).write_text("".join(f"{label}\n" for label in labels))
    return folder


def squad(path: Path, questions: list[tuple[str, str, str]]) -> Path:
    """A file of (id, question, answer) about `CONTEXT`."""
    qas = [
        {"id": id_, "question": text, "answers": [{"text": answer, "answer_start": CONTEXT.index(answer)}]}
        for id_, text, answer in questions
    ]
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": CONTEXT, "qas": qas}]}]}))
    return path


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what was printed."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed), pytest.raises(SystemExit) as exit_:
        main(["eval", *map(str, arguments)])
    return int(exit_.value.code or 0), printed.getvalue()


def read(out: Path) -> dict:
    return json.loads((out / "results.json").read_text())


def predictions(out: Path, language: str) -> list:
    return [json.loads(line)["prediction"] for line in (out / "predictions" / f"{language}.jsonl").open()]


def test_every_benchmark_has_its_command():
    assert set(BENCHMARKS) <= set(cli.evaluate.commands)
    assert {benchmark.task for benchmark in BENCHMARKS.values()} == set(FORMULATIONS)
    assert {formulation.head for formulation in FORMULATIONS.values()} <= set(HEADS)


def test_classification_equals_counting_by_hand(tmp_path, loaded):
    model = finetuned(tmp_path / "model", "sequence", loaded)
    for language in ("de", "en"):
        lines = PAIRS[: 5 if language == "de" else 6]
        (tmp_path / f"test-{language}.tsv").write_text("".join("\t".join(pair) + "\n" for pair in lines))
    assert run("pawsx", "--checkpoint", model, "--data", tmp_path, "--out", tmp_path / "out")[0] == 0
    results = read(tmp_path / "out")
    assert results["languages"] == ["en", "de"]  # the order of the papers
    values = {}
    for language, gold in (("en", PAIRS), ("de", PAIRS[:5])):
        found = predictions(tmp_path / "out", language)
        assert len(found) == len(gold)
        assert set(found) <= {"0", "1"}
        values[language] = 100 * sum(a == b for a, (*_, b) in zip(found, gold, strict=True)) / len(gold)
    assert {row["language"]: row["value"] for row in results["rows"]} == pytest.approx(values)
    assert [row["n"] for row in results["rows"]] == [6, 5]
    assert results["average"]["accuracy"] == pytest.approx(sum(values.values()) / 2)
    assert results["seed"] == 4
    assert results["finetuning"]["updates"] == 77
    assert results["finetuning"]["model_updates"] == 5
    assert results["settings"]["max_positions"] == 20  # as fine-tuned, not the model's 24
    assert "| en | 6 |" in (tmp_path / "out" / "report.md").read_text()


def test_answers_are_of_the_context_and_scored_in_its_language(tmp_path, loaded):
    model = finetuned(tmp_path / "model", "span", loaded)
    file = squad(tmp_path / "q.json", [("a", "Which river?", "The river"), ("b", "What runs?", "Two dogs")])
    out = tmp_path / "out"
    assert (
        run("mlqa", "--checkpoint", model, "--files", f"en={file},de-en={file}", "--languages", "all", "--out", out)[0]
        == 0
    )
    results = read(out)
    for language in ("en", "de-en"):
        found = predictions(out, language)
        assert all(text in CONTEXT for text in found)
        scores = [
            score_answer(text, [gold], normalizer_of(language[:2]))
            for text, gold in zip(found, ("The river", "Two dogs"), strict=True)
        ]
        f1 = 50 * sum(score.f1 for score in scores)
        assert {row["value"] for row in results["rows"] if (row["language"], row["metric"]) == (language, "f1")} == {f1}


def test_tags_of_every_word(tmp_path, loaded):
    model = finetuned(tmp_path / "model", "token", loaded)
    file = tmp_path / "dev-en.tsv"
    file.write_text("\n\n".join("\n".join(word.replace(" ", "\t") for word in words) for words in TAGGED) + "\n")
    out = tmp_path / "out"
    assert run("wikiann", "--checkpoint", model, "--data", tmp_path, "--split", "dev", "--out", out)[0] == 0
    assert [len(tags) for tags in predictions(out, "en")] == [3, 4]
    assert read(out)["metrics"] == ["f1", "precision", "recall"]


def test_the_size_of_batches_changes_nothing(tmp_path, loaded):
    model = finetuned(tmp_path / "model", "span", loaded)
    file = squad(tmp_path / "q.json", [(str(n), f"{n} river dogs", "old town") for n in range(5)])
    found = []
    for tokens in (1, 10_000):
        run(
            "squad",
            "--checkpoint",
            model,
            "--files",
            f"en={file}",
            "--max-tokens",
            str(tokens),
            "--out",
            tmp_path / str(tokens),
        )
        found.append(predictions(tmp_path / str(tokens), "en"))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no test set: give --data DIR"),
        (["--data", "{tmp}", "--files", "en={tmp}/x"], "not both"),
        (["--data", "{tmp}/none"], "no such folder"),
        (["--data", "{tmp}"], "holds no test-{lang}.tsv"),
        (["--files", "en={tmp}/none"], "there is no file"),
        (["--files", "../../x={tmp}/good.tsv"], "the language '../../x' names files of results"),
        (["--files", "{tmp}/bad.tsv"], "expected LANGUAGE=FILE"),
        (["--files", "en={tmp}/good.tsv", "--languages", "fr"], "--languages fr: no file of this language"),
        (["--files", "en={tmp}/bad.tsv"], "bad.tsv:1: expected 3 columns"),
        (["--files", "en={tmp}/bad.tsv", "--checkpoint", "{tmp}/none"], "bad.tsv:1: expected 3 columns"),
        (["--files", "en={tmp}/label.tsv"], "label.tsv:1: unknown label '7'"),
    ],
)
def test_wrong_input_is_one_clear_line(tmp_path, loaded, arguments, message):
    model = finetuned(tmp_path / "model", "sequence", loaded)
    (tmp_path / "bad.tsv").write_text("one\ttwo\n")
    (tmp_path / "good.tsv").write_text("one\ttwo\t1\n")
    (tmp_path / "label.tsv").write_text("one\ttwo\t7\n")
    arguments = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    code, output = run("pawsx", "--checkpoint", model, *arguments, "--out", tmp_path / "out")
    assert code == 2
    assert message in output
    assert "Traceback" not in output
    assert not (tmp_path / "out").exists()


def test_a_model_without_the_head_or_its_labels(tmp_path, loaded, model_folder):
    (tmp_path / "test-en.tsv").write_text("one\ttwo\t1\n")
    code, output = run("pawsx", "--checkpoint", model_folder, "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "is not fine-tuned for pawsx: it has no sequence head" in output
    model = finetuned(tmp_path / "model", "sequence", loaded)
    (model / LABELS).unlink()
    code, output = run("pawsx", "--checkpoint", model, "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "labels.txt: not found" in output
    for text in ("0\n\n", "0\n0\n"):
        (model / LABELS).write_text(text)
        code, output = run("pawsx", "--checkpoint", model, "--data", tmp_path, "--out", tmp_path / "out")
        assert code == 2
        assert "labels.txt: a label is empty or stands twice" in output
    (model / LABELS).write_text("0\n1\n2\n")
    code, output = run("pawsx", "--checkpoint", model, "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "names 3 labels, the sequence head has 2 outputs" in output


def test_labels_of_another_benchmark_are_told(tmp_path, loaded):
    model = finetuned(tmp_path / "model", "sequence", loaded)
    (tmp_path / "test-en.tsv").write_text("one\ttwo\tneutral\n")
    code, output = run("xnli", "--checkpoint", model, "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "test-en.tsv: the label 'neutral' does not occur in the training set, whose labels are 0, 1" in output


def test_a_file_of_which_nothing_is_left(tmp_path, loaded):
    """Answers that were taken out, as XTREME does: an error, and without them no question."""
    model = finetuned(tmp_path / "model", "span", loaded)
    file = squad(tmp_path / "xquad.en.json", [("1", "Who?", "")])
    for options, message in (
        ((), "1 questions have an answer that is not"),
        (("--skip-bad",), "no example to evaluate"),
    ):
        code, output = run("xquad", "--checkpoint", model, "--files", f"en={file}", *options, "--out", tmp_path / "out")
        assert code == 2
        assert message in output
        assert not (tmp_path / "out").exists()


def test_labels_in_another_order_than_trained_with(tmp_path, loaded):
    model = finetuned(tmp_path / "model", "sequence", loaded, trained_labels=["0", "1"])
    load_model(model)
    (model / LABELS).write_text("1\n0\n")
    with pytest.raises(UserError, match="the labels are 1, 0, the checkpoint was trained with 0, 1"):
        load_model(model)


def test_a_second_run_leaves_nothing_of_the_first_and_all_that_is_not_its_own(tmp_path, loaded):
    model = finetuned(tmp_path / "model", "sequence", loaded)
    for language in ("de", "en"):
        (tmp_path / f"test-{language}.tsv").write_text("one\ttwo\t1\n")
    folder = tmp_path / "out" / "predictions"
    folder.mkdir(parents=True)
    (folder / "notes.jsonl").write_text("mine\n")
    for languages, files in (("all", ["de.jsonl", "en.jsonl", "notes.jsonl"]), ("en", ["en.jsonl", "notes.jsonl"])):
        run("pawsx", "--checkpoint", model, "--data", tmp_path, "--languages", languages, "--out", tmp_path / "out")
        assert sorted(path.name for path in folder.iterdir()) == files
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "predictions",
            "report.md",
            "results.json",
        ]
    assert (folder / "notes.jsonl").read_text() == "mine\n"
