"""Whole trainings: they learn, resume, agree between processes, and score as the metric does."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random

import numpy as np
import pytest
import torch
from fairseq.trainer import Trainer

from fairseq_xling.finetuning.benchmarks import BENCHMARKS, FORMATS
from fairseq_xling.finetuning.files import find
from fairseq_xling.finetuning.question_answering import QuestionAnswering, SpanLimits
from fairseq_xling.finetuning.readers.squad import Question, read_squad
from fairseq_xling.finetuning.readers.tagging import read_wikiann
from fairseq_xling.finetuning.sequence_classification import SequenceClassification
from fairseq_xling.finetuning.token_classification import TokenClassification
from fairseq_xling.interop.load import load_model
from fairseq_xling.metrics.accuracy import count_correct
from fairseq_xling.metrics.squad import AnswerScores, score_answer
from fairseq_xling.metrics.tagging import EntityCounts, count_entities
from fairseq_xling_preprocess.text import read_lines

from ..training.conftest import kill_after_checkpoint
from ..training.test_distributed import both_ranks
from ..training.test_resume import trace
from .conftest import (
    SENTENCES,
    build,
    make_model_folder,
    validations,
    write_lines,
    write_pairs,
    write_questions,
    write_tags,
)
from .test_task import asked


@pytest.fixture(params=["sequence_classification", "token_classification", "question_answering"])
def job(request, tmp_path):
    """A task with its options: small files in two languages, an odd number of batches."""
    folder = tmp_path / "data"
    if request.param == "sequence_classification":
        write_pairs(folder / "train-en.tsv", 76)
        for number, language in enumerate(("en", "de")):
            write_pairs(folder / f"dev-{language}.tsv", 29 + number, seed=number)
        options = ["--benchmark", "pawsx"]
    elif request.param == "token_classification":
        write_tags(folder / "train-en.tsv", 76)
        for number, language in enumerate(("en", "de")):
            write_tags(folder / f"dev-{language}.tsv", 29 + number, seed=number)
        options = ["--benchmark", "wikiann"]
    else:
        write_questions(folder / "tydiqa.goldp.en.train.json", asked(26))
        write_questions(folder / "tydiqa.goldp.en.dev.json", asked(29))
        write_questions(folder / "tydiqa.goldp.ko.dev.json", asked(11, " ".join(SENTENCES * 2)))
        options = ["--benchmark", "tydiqa", "--max-question-length", 20, "--doc-stride", 8]
    return request.param, [*options, "--benchmark-data", folder]


def same_weights(left, right):
    return all(torch.equal(tensor, right["model"][name]) for name, tensor in left["model"].items())


@pytest.mark.slow
def test_a_killed_run_continues_bit_identically(begin, finetune, job, tmp_path):
    """With dropout and two loading processes; the trace has the losses, the learning rates and the gradients' norms."""
    task, options = job
    flags = (*options, "--max-epoch", 4, "--save-interval-updates", 3, "--keep-interval-updates", 1)
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    expected = finetune(straight, task, *flags)
    delay = random.uniform(0, 0.6)
    print(f"killed {delay:.3f} s after the first checkpoint")
    kill_after_checkpoint(begin(resumed, task, *flags), resumed, delay)
    reached = torch.load(resumed / "checkpoint_last.pt", weights_only=False)["optimizer_history"][-1]["num_updates"]
    print(f"the checkpoint is at update {reached}")
    state = finetune(resumed, task, *flags)
    updates = expected["optimizer_history"][-1]["num_updates"]
    assert 0 < reached <= updates == state["optimizer_history"][-1]["num_updates"]
    assert same_weights(expected, state)
    assert trace(resumed) == trace(straight)
    assert set(trace(straight)) == set(range(1, updates + 1))
    # the last figures are those of the straight run, whatever was made twice
    assert validations(resumed)[-1]["score"] == validations(straight)[-1]["score"]


def weights_of_each_update(folder):
    """In a training process: write a hash of the parameters after every update."""

    def prepare():
        step, out = Trainer.train_step, (folder / f"rank{os.environ['RANK']}.jsonl").open("a")

        def train_step(self, samples, raise_oom=False):
            log = step(self, samples, raise_oom)
            parameters = torch.cat([p.detach().reshape(-1) for p in self.get_model().parameters()])
            out.write(json.dumps({"hash": hashlib.sha1(parameters.numpy().tobytes()).hexdigest()}) + "\n")
            out.flush()
            return log

        Trainer.train_step = train_step

    return prepare


@pytest.mark.slow
def test_two_processes_train_one_model(finetune, job, tmp_path):
    """The same parameters in both; the same scores as one process finds with the weights they made."""
    task, options = job
    folder = tmp_path / "two"
    folder.mkdir()
    flags = (*options, "--ddp-backend", "legacy_ddp", "--dropout", 0, "--attention-dropout", 0, "--lr", 5e-3)
    two = finetune(folder / "run", task, *flags, processes=2, prepare=weights_of_each_update(folder))
    first, second = both_ranks(folder)
    assert first == second, "the parameters of both after every update"
    assert len({entry["hash"] for entry in first}) == len(first) > 1

    scored = validations(folder / "run")
    assert len(scored) == 2
    # the weights of two processes, validated by one
    finetune(tmp_path / "one", task, *flags, "--lr", 0, "--max-update", 1, "--max-epoch", 1, model=folder / "run")
    (again,) = validations(tmp_path / "one")
    names = [name for name in again if name.startswith("score") or name == "loss"]
    assert len(names) == 4
    assert [again[name] for name in names] == [scored[-1][name] for name in names]
    assert two["optimizer_history"][-1]["num_updates"] == len(first)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(finetune, tmp_path):
    """Half the batch each and no dropout: sums of the same gradients."""
    write_pairs(tmp_path / "data" / "train-en.tsv", 64)
    write_pairs(tmp_path / "data" / "dev-en.tsv", 30, seed=3)
    flags = ("--benchmark", "pawsx", "--benchmark-data", tmp_path / "data", "--dropout", 0, "--attention-dropout", 0)
    one = finetune(tmp_path / "one", "sequence_classification", *flags, "--update-freq", 2)
    two = finetune(tmp_path / "two", "sequence_classification", *flags, "--ddp-backend", "legacy_ddp", processes=2)
    for name, tensor in one["model"].items():
        torch.testing.assert_close(two["model"][name], tensor, rtol=0, atol=1e-4)
    assert validations(tmp_path / "one")[-1]["num_updates"] == validations(tmp_path / "two")[-1]["num_updates"] == 8


@pytest.mark.slow
def test_the_score_is_the_metric_of_the_whole_split(finetune, job, tmp_path):
    """fairseq reduces batch by batch, and an F1 is no mean of F1s."""
    task, options = job
    finetune(tmp_path / "run", task, *options, "--lr", 5e-3, "--max-epoch", 3)
    loaded = load_model(tmp_path / "run" / "checkpoint_last.pt")
    benchmark = BENCHMARKS[options[1]]
    (found,) = validations(tmp_path / "run")[-1:]
    scores = []
    for language in [name.removeprefix("score_") for name in found if name.startswith("score_")]:
        path = find(options[-1], benchmark.files["dev"], benchmark.languages, benchmark.aliases)[language]
        records = list(FORMATS[benchmark.format](path, language, False))
        if task == "question_answering":
            formulation = QuestionAnswering(loaded, benchmark, [], 64, SpanLimits(20, 8, 30))
        elif task == "token_classification":
            formulation = TokenClassification(loaded, benchmark, loaded.labels, 64)
        else:
            formulation = SequenceClassification(loaded, benchmark, loaded.labels, 64)
        batch = formulation.collate(build(formulation, records))
        with torch.no_grad():
            predictions = formulation.predictions(formulation.logits(loaded.model, batch), batch)
        pairs = list(zip(records, predictions, strict=True))
        if task == "question_answering":
            total = sum(
                (score_answer(text, [a.text for a in record.answers]) for record, text in pairs), AnswerScores()
            )
            scores.append(total.percent()["f1"])
        elif task == "token_classification":
            scores.append(sum((count_entities(record.tags, tags) for record, tags in pairs), EntityCounts()).score().f1)
        else:
            scores.append(count_correct([record.label for record in records], predictions).percent)
        assert found[f"score_{language}"] == pytest.approx(scores[-1], abs=0.006)
    assert len(scores) == 2
    assert found["score"] == pytest.approx(np.mean(scores), abs=0.006)
    assert found["score"] > 0


# ---- learning on real examples ----------------------------------------------------------------------------------------

LEARNING = ("--dropout", 0, "--attention-dropout", 0, "--lr", 3e-3, "--num-workers", 0, "--save-interval", 10)


def small_model(folder, lines, pieces, positions):
    text = write_lines(folder / "text", lines)
    return make_model_folder(folder, text, pieces, positions, layers=1, dim=64, coverage=0.9995)


@pytest.mark.slow
def test_a_classifier_learns_200_real_pairs_by_heart(finetune, shared_data, tmp_path):
    source = shared_data / "downstream" / "xnli" / "dev-en.tsv.gz"
    rows = list(itertools.islice(read_lines(str(source)), 200))
    file = write_lines(tmp_path / "some.tsv", rows)
    model = small_model(tmp_path, (cell for row in rows for cell in row.split("\t")[:2]), 600, 128)
    files = ("--benchmark", "xnli", "--train-files", f"en={file}", "--valid-files", f"en={file}")
    finetune(tmp_path / "run", "sequence_classification", *files, *LEARNING, "--batch-size", 20, "--max-epoch", 30,
             "--validate-interval", 30, model=model)  # fmt: skip
    assert validations(tmp_path / "run")[-1]["score"] > 95


@pytest.mark.slow
def test_a_tagger_learns_200_real_sentences_by_heart(finetune, shared_data, tmp_path):
    source = shared_data / "downstream" / "wikiann" / "dev-de.tsv.gz"
    sentences = list(itertools.islice(read_wikiann(str(source)), 200))
    lines = itertools.chain(*([*map("\t".join, zip(s.words, s.tags, strict=True)), ""] for s in sentences))
    file = write_lines(tmp_path / "some.tsv", lines)
    model = small_model(tmp_path, (" ".join(sentence.words) for sentence in sentences), 600, 128)
    files = ("--benchmark", "wikiann", "--train-files", f"de={file}", "--valid-files", f"de={file}")
    finetune(tmp_path / "run", "token_classification", *files, *LEARNING, "--batch-size", 20, "--max-epoch", 20,
             "--validate-interval", 20, model=model)  # fmt: skip
    assert validations(tmp_path / "run")[-1]["score"] > 95


@pytest.mark.slow
def test_a_reader_learns_real_questions_by_heart(finetune, shared_data, tmp_path):
    source = shared_data / "downstream" / "mlqa" / "dev-context-en-question-en.json.gz"
    questions: list[Question] = []
    for question in read_squad(str(source)):
        if len(question.context) < 500 and len(questions) < 40:
            questions.append(question)
    assert len(questions) == 40
    file = write_questions(tmp_path / "some.json", questions)
    texts = {line for question in questions for line in (question.context, question.question)}
    model = small_model(tmp_path, sorted(texts), 600, 160)
    files = ("--benchmark", "squad", "--train-files", f"en={file}", "--valid-files", f"en={file}")
    finetune(tmp_path / "run", "question_answering", *files, *LEARNING, "--max-question-length", 40, "--doc-stride", 64,
             "--batch-size", 8, "--max-epoch", 40, "--validate-interval", 40, model=model)  # fmt: skip
    assert validations(tmp_path / "run")[-1]["score"] > 90
