"""The tasks on small files: what they load, what they refuse, and whole runs."""

from __future__ import annotations

import re
import shutil

import pytest
import torch
from fairseq.tasks import TASK_REGISTRY
from omegaconf import OmegaConf

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.readers.squad import Answer, Question
from fairseq_xling.finetuning.task import FinetuneConfig, QuestionAnsweringConfig
from fairseq_xling.interop.load import load_model
from fairseq_xling.models import XlingModelConfig

from .conftest import (
    SENTENCES,
    log_of,
    make_model_folder,
    validations,
    write_lines,
    write_pairs,
    write_questions,
    write_tags,
)

CONTEXT = " ".join(SENTENCES)


def asked(count, context=CONTEXT):
    words = ["Aldor", "Buch", "dogs", "1871", "river"]
    return [
        Question(f"q{n}", f"{words[n % 5]} {n}?", context, (Answer(words[n % 5], context.index(words[n % 5])),))
        for n in range(count)
    ]


@pytest.fixture
def pawsx(tmp_path):
    """Training in English and German, validation in three languages."""
    folder = tmp_path / "pawsx"
    for number, language in enumerate(("en", "de", "fr")):
        if language != "fr":
            write_pairs(folder / f"train-{language}.tsv", 40 + 8 * number, seed=number)
        write_pairs(folder / f"dev-{language}.tsv", 13 + number, seed=number + 5)
    return folder


@pytest.fixture
def wikiann(tmp_path):
    folder = tmp_path / "wikiann"
    write_tags(folder / "train-en.tsv", 40)
    for number, language in enumerate(("en", "de")):
        write_tags(folder / f"dev-{language}.tsv", 15 + number, seed=number)
    return folder


@pytest.fixture
def tydiqa(tmp_path):
    folder = tmp_path / "tydiqa"
    write_questions(folder / "tydiqa.goldp.en.train.json", asked(20))
    write_questions(folder / "tydiqa.goldp.en.dev.json", asked(9))
    write_questions(folder / "tydiqa.goldp.ko.dev.json", asked(7, " ".join(SENTENCES * 2)))
    return folder


def make_task(name, model, save_dir, **options):
    config = QuestionAnsweringConfig if name == "question_answering" else FinetuneConfig
    options = {key: str(value) if key == "benchmark_data" else value for key, value in options.items()}
    options = {"best_checkpoint_metric": "score"} | options
    cfg = config(data=str(model), seed=1, save_dir=str(save_dir), update_freq=[1], **options)
    cfg._name = name
    return TASK_REGISTRY[name].setup_task(OmegaConf.structured(cfg))


# ---- what is loaded ---------------------------------------------------------------------------------------------------


def test_languages_of_training_and_validation(pawsx, model_folder, tmp_path):
    def task(**options):
        made = make_task(
            "sequence_classification", model_folder, tmp_path, benchmark="pawsx", benchmark_data=pawsx, **options
        )
        for split in ("train", "valid"):
            made.load_dataset(split)
        return {split: list(files) for split, files in made.files.items()}, made

    languages, made = task()
    assert languages == {"train": ["en"], "valid": ["en", "de", "fr"]}
    assert [len(made.dataset(split)) for split in ("train", "valid")] == [40, 13 + 14 + 15]
    groups = [made.dataset("valid")[index].group for index in range(42)]
    assert groups == [0] * 13 + [1] * 14 + [2] * 15
    assert made.dataset("train")[0].record is None
    assert made.dataset("valid")[0].record is not None

    languages, made = task(train_languages="all", valid_languages="fr,en")
    assert languages == {"train": ["en", "de"], "valid": ["fr", "en"]}
    assert len(made.dataset("train")) == 88


def test_files_named_one_by_one(pawsx, tmp_path, model_folder):
    """Training files that are named are used, whatever their language; the folder is not looked at."""
    named = f"sw={pawsx}/train-de.tsv,xx={pawsx}/train-en.tsv"
    task = make_task("sequence_classification", model_folder, tmp_path, benchmark="pawsx", train_files=named,
                     valid_files=f"{pawsx}/dev-{{lang}}.tsv")  # fmt: skip
    assert (list(task.files["train"]), list(task.files["valid"])) == (["sw", "xx"], ["en", "de", "fr"])


def test_training_files_of_another_format(shared_data, model_folder, tmp_path):
    """SICK instead of MultiNLI."""
    folder = shared_data / "downstream"
    task = make_task("sequence_classification", model_folder, tmp_path, benchmark="xnli", train_format="sick",
                     train_files=f"en={folder}/sick/SICK_train.tsv.gz", benchmark_data=folder / "xnli",
                     valid_languages="sw")  # fmt: skip
    for split in ("train", "valid"):
        task.load_dataset(split)
    assert [len(task.dataset(split)) for split in ("train", "valid")] == [4500, 2490]
    assert task.formulation.labels == ["contradiction", "entailment", "neutral"]


def test_the_model_keeps_its_shape_and_weights(pawsx, model_folder, tmp_path):
    task = make_task("sequence_classification", model_folder, tmp_path, benchmark="pawsx", benchmark_data=pawsx)
    cfg = OmegaConf.structured(XlingModelConfig(encoder_layers=7, encoder_embed_dim=8, dropout=0.3))
    cfg._name = "xling"
    model = task.build_model(cfg)
    source = load_model(model_folder).model
    assert (model.cfg.encoder_layers, model.cfg.encoder_embed_dim, model.cfg.dropout) == (2, 32, 0.3)
    kept = model.state_dict()
    encoder = {key: tensor for key, tensor in source.state_dict().items() if not key.startswith("heads.")}
    assert all(torch.equal(kept[key], tensor) for key, tensor in encoder.items())
    assert {key.split(".")[0] for key in kept.keys() - encoder.keys()} == {"heads"}


# ---- what is refused --------------------------------------------------------------------------------------------------


def test_wrong_benchmarks(refused, pawsx):
    options = ("--benchmark-data", pawsx)
    assert refused("sequence_classification", *options).startswith("--benchmark (none given): expected one of xnli, ")
    message = refused("token_classification", "--benchmark", "pawsx", *options)
    assert message.startswith("--benchmark pawsx needs --task sequence_classification; token_classification learns ")
    message = refused("question_answering", "--benchmark", "sqaud", *options)
    assert message == "--benchmark sqaud: expected one of squad, mlqa, xquad, tydiqa"


def test_missing_files(refused, pawsx, tmp_path):
    def message(*options):
        return refused("sequence_classification", "--benchmark", "pawsx", *options)

    assert message() == (
        "--benchmark-data: name the folder with the files of pawsx, or the files with --train-files"
    )  # fmt: skip
    assert f"{tmp_path}/none: no such folder; name the one that holds train-{{lang}}.tsv" in message(
        "--benchmark-data", tmp_path / "none"
    )
    assert f"{tmp_path}: holds no train-{{lang}}.tsv and no " in message("--benchmark-data", tmp_path)
    assert message("--train-files", f"en={tmp_path}/none") == (
        f"--train-files en={tmp_path}/none: there is no file {tmp_path}/none"
    )
    assert message("--benchmark-data", pawsx, "--train-languages", "en,sw") == (
        "--train-languages sw: no file of this language; there are files of en, de"
    )
    assert message("--benchmark-data", pawsx, "--valid-languages", "sw") == (
        "--valid-languages sw: no file of this language; there are files of en, de, fr"
    )
    assert message("--train-files", f"en={pawsx}/train-en.tsv") == (
        "no 'valid' files: name them with --valid-files, or train with --disable-validation"
    )
    assert not (tmp_path / "refused").exists() or not list((tmp_path / "refused").glob("*.pt"))


def test_a_format_there_is_not(refused, pawsx):
    message = refused(
        *("sequence_classification", "--benchmark", "pawsx", "--train-files", f"en={pawsx}/train-en.tsv"),
        *("--train-format", "csv", "--benchmark-data", pawsx),
    )
    assert message == "--train-format csv: files for sequence_classification have the formats xnli, pawsx, amazon, sick"
    message = refused(
        *("sequence_classification", "--benchmark", "pawsx", "--train-files", f"en={pawsx}/train-en.tsv"),
        *("--train-format", "wikiann", "--benchmark-data", pawsx),
    )
    assert message.startswith("--train-format wikiann: files for sequence_classification have the formats ")


def test_malformed_lines_and_labels(refused, pawsx, wikiann):
    write_lines(pawsx / "train-en.tsv", ["a\tb\t1", "a\tb"])
    message = refused("sequence_classification", "--benchmark", "pawsx", "--benchmark-data", pawsx)
    assert message.startswith(f"{pawsx}/train-en.tsv:2: expected 3 columns (separator: tab), found 2; the line is ")
    write_lines(pawsx / "train-en.tsv", ["a\tb\tyes"])
    message = refused("sequence_classification", "--benchmark", "pawsx", "--benchmark-data", pawsx)
    assert message.startswith(f"{pawsx}/train-en.tsv:1: unknown label 'yes', expected 0 1")
    write_lines(wikiann / "dev-de.tsv", ["a\tO", "b\tB-MISC"])
    message = refused("token_classification", "--benchmark", "wikiann", "--benchmark-data", wikiann)
    assert message == (
        f"{wikiann}/dev-de.tsv: the label 'B-MISC' does not occur in the training set, whose labels are O, B-LOC, I-LOC, "
        "B-PER, I-PER; correct the file, or train on data that has the label"
    )


def test_answers_that_are_not_in_the_context(refused, finetune, tydiqa, tmp_path):
    wrong = Question("wrong", "x?", CONTEXT, (Answer("Aldor", 3),))
    file = write_questions(tydiqa / "tydiqa.goldp.en.train.json", [*asked(8), wrong])
    options = ("--benchmark", "tydiqa", "--benchmark-data", tydiqa, "--max-question-length", 20)
    message = refused("question_answering", *options)
    assert message.startswith(f"{file}: 1 questions have an answer that is not in the context at answer_start")
    assert "wrong ('Aldor' at 3)" in message
    assert message.endswith("Correct the file, or leave them out with --skip-bad")
    finetune(tmp_path / "run", "question_answering", *options, "--skip-bad", "--max-epoch", 1)
    assert "1 questions left out" in log_of(tmp_path / "run").read_text()


def test_too_few_positions(refused, tydiqa, pawsx):
    data = ("--benchmark", "tydiqa", "--benchmark-data", tydiqa)
    message = refused("question_answering", *data)
    assert message.startswith("--max-positions 64 (or the model's own limit) leaves no room for a context beside")
    assert "at least 76 are needed" in message
    message = refused(
        "sequence_classification", "--benchmark", "pawsx", "--benchmark-data", pawsx, "--max-positions", 7
    )
    assert message == "--max-positions 7: at least 8 are needed"
    message = refused(
        *("sequence_classification", "--benchmark", "pawsx", "--benchmark-data", pawsx),
        *("--max-tokens", 63),
    )
    assert message.startswith("--max-tokens 63 is less than a row of --max-positions 64 tokens")


def test_models_that_cannot_be_used(refused, pawsx, model_folder, tmp_path):
    data = ("--benchmark", "pawsx", "--benchmark-data", pawsx)
    bare = tmp_path / "bare"
    shutil.copytree(model_folder, bare)
    (bare / "sentencepiece.bpe.model").unlink()
    message = refused("sequence_classification", *data, model=bare)
    assert message.startswith(f"{bare}/sentencepiece.bpe.model: not found, and raw text cannot be encoded without it")
    message = refused("sequence_classification", *data, model=tmp_path / "none")
    assert message.startswith(f"{tmp_path}/none: no such checkpoint")
    assert "--arch: a RobertaModel cannot be trained on this task" in refused(
        "sequence_classification", *data, "--arch", "roberta_base"
    )
    message = refused("sequence_classification", *data, "--criterion", "masked_lm")
    assert message == "--criterion masked_lm does not fit the task; leave it out, or name finetune"


def test_a_language_that_mlqa_does_not_score(model_folder, tydiqa, tmp_path):
    """Said before the training, not after its first epoch."""
    file = tydiqa / "tydiqa.goldp.en.dev.json"
    with pytest.raises(UserError, match="MLQA's metric has no language fr, only ar de en es hi vi zh"):
        make_task("question_answering", model_folder, tmp_path, benchmark="mlqa", train_files=f"en={file}",
                  valid_files=f"de-fr={file},fr={file}")  # fmt: skip


def test_unknown_splits(model_folder, pawsx, tmp_path):
    task = make_task("sequence_classification", model_folder, tmp_path, benchmark="pawsx", benchmark_data=pawsx)
    with pytest.raises(UserError, match="no 'other' files: name them with --valid-files"):
        task.load_dataset("other")


# ---- whole runs -------------------------------------------------------------------------------------------------------


def test_several_languages_and_the_checkpoint_folder(finetune, pawsx, tmp_path):
    folder = tmp_path / "run"
    finetune(folder, "sequence_classification", "--benchmark", "pawsx", "--benchmark-data", pawsx,
             "--train-languages", "en,de", "--optimizer", "layerwise_adam", "--layer-lr-decay", "0.8")  # fmt: skip
    log = log_of(folder).read_text()
    assert f"train en: 40 examples of {pawsx}/train-en.tsv" in log
    assert f"train de: 48 examples of {pawsx}/train-de.tsv" in log
    first, second = validations(folder)
    languages = [first[f"score_{language}"] for language in ("en", "de", "fr")]
    assert first["score"] == pytest.approx(sum(languages) / 3, abs=0.01)
    assert second["num_updates"] == 22 == 2 * 88 / 8
    assert "_sum" not in log
    loaded = load_model(folder)
    assert loaded.labels == ["0", "1"]
    assert loaded.tokenizer is not None
    assert set(loaded.model.heads) == {"sequence"}


def test_the_learning_rate_ends_at_zero(finetune, pawsx, tmp_path):
    """Ten updates of 40 examples in four batches' time: two epochs, each of ⌈40/8⌉ = 5 updates."""
    folder = tmp_path / "run"
    finetune(folder, "sequence_classification", "--benchmark", "pawsx", "--benchmark-data", pawsx,
             "--lr", "0.5", "--warmup-ratio", "0.2")  # fmt: skip
    text = log_of(folder).read_text()
    # the log shows the rate of the next update
    rates = [float(rate) for rate in re.findall(r"train_inner .*\blr=([\d.e-]+)", text)]
    assert len(rates) == 10
    assert rates == pytest.approx(
        [0.5 * part for part in (2 / 3, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0)], abs=1e-5
    )


@pytest.mark.parametrize("task", ["sequence_classification", "token_classification", "question_answering"])
def test_the_model_may_be_a_file_or_any_folder(finetune, request, model_folder, tmp_path, task):
    """fairseq looks there for validation sets of a data-bin."""
    benchmark = {"sequence_classification": "pawsx", "token_classification": "wikiann", "question_answering": "tydiqa"}[
        task
    ]
    options = ["--benchmark", benchmark, "--benchmark-data", request.getfixturevalue(benchmark), "--max-epoch", 1]
    if task == "question_answering":
        options += ["--max-question-length", 20]
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    (folder / "valid1.en.tsv").write_text("mine")
    for number, model in enumerate((folder / "model.pt", folder)):
        finetune(tmp_path / f"run{number}", task, *options, model=model)
        assert len(validations(tmp_path / f"run{number}")) == 1


@pytest.mark.parametrize("metric", ["score", "score_en"])
def test_the_best_checkpoint(finetune, pawsx, tmp_path, metric):
    folder = tmp_path / "run"
    finetune(folder, "sequence_classification", "--benchmark", "pawsx", "--benchmark-data", pawsx, "--max-epoch", 5,
             "--best-checkpoint-metric", metric, "--maximize-best-checkpoint-metric", "--lr", 5e-3)  # fmt: skip
    figures = [found[metric] for found in validations(folder)]
    assert len(figures) == 5
    assert len(set(figures)) > 1
    best = torch.load(folder / "checkpoint_best.pt", weights_only=False)
    assert best["extra_state"]["best"] == pytest.approx(max(figures))
    # fairseq keeps the later of two equals
    assert best["extra_state"]["train_iterator"]["epoch"] == 1 + max(
        n for n in range(1, 6) if figures[n - 1] == max(figures)
    )


def test_fine_tuning_goes_on_from_a_fine_tuned_model(finetune, pawsx, tmp_path):
    """The head of the same labels is kept, that of others is not."""
    data = ("--benchmark", "pawsx", "--benchmark-data", pawsx, "--max-epoch", 1)
    finetune(tmp_path / "first", "sequence_classification", *data)
    state = finetune(tmp_path / "second", "sequence_classification", *data, "--lr", 1e-12, model=tmp_path / "first")
    before = torch.load(tmp_path / "first" / "checkpoint_last.pt", weights_only=False)["model"]
    for key, tensor in before.items():
        torch.testing.assert_close(state["model"][key], tensor, rtol=0, atol=1e-7)
    assert any(key.startswith("heads.sequence.") for key in before)


def test_a_folder_that_holds_another_run_is_left_alone(finetune, refused, pawsx, wikiann, model_folder, tmp_path):
    folder = tmp_path / "refused"
    data = ("--benchmark", "pawsx", "--benchmark-data", pawsx, "--max-epoch", 1)
    finetune(folder, "sequence_classification", *data)
    before = (folder / "checkpoint_last.pt").read_bytes()
    for options, told in (
        (("--train-languages", "de"), "languages ['en'], not ['de']"),
        (("--seed", 2), "seed 1, not 2"),
    ):
        message = refused("sequence_classification", *data, *options)
        assert message.startswith(f"--save-dir {folder}: holds a run with {told}; name another folder")
    message = refused("token_classification", "--benchmark", "wikiann", "--benchmark-data", wikiann)
    assert "holds a run with benchmark pawsx, not wikiann" in message
    assert (folder / "checkpoint_last.pt").read_bytes() == before
    finetune(folder, "sequence_classification", *data)  # the same command is not refused
    cfg = {"benchmark": "pawsx", "benchmark_data": pawsx}
    with pytest.raises(UserError, match="is the folder of the model to fine-tune; name another"):
        make_task("sequence_classification", model_folder, model_folder, **cfg)


def test_a_model_of_other_symbols_at_the_same_place(finetune, refused, pawsx, model_folder, tmp_path):
    """A run does not go on with the model's successor, and the folder keeps its vocabulary."""
    folder, model = tmp_path / "refused", tmp_path / "model"
    shutil.copytree(model_folder, model)
    data = ("--benchmark", "pawsx", "--benchmark-data", pawsx, "--max-epoch", 1)
    finetune(folder, "sequence_classification", *data, model=model)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}
    text = write_lines(tmp_path / "text", (f"{line} {n % 5}" for n in range(50) for line in reversed(SENTENCES)))
    make_model_folder(model, text, pieces=68, positions=64)
    message = refused("sequence_classification", *data, "--max-epoch", 2, model=model)
    assert message.startswith(f"--save-dir {folder}: its dict.txt is not that of {model}: symbol ")
    for name in ("dict.txt", "sentencepiece.bpe.model", "labels.txt"):
        (folder / name).unlink()
    message = refused("sequence_classification", *data, "--max-epoch", 2, model=model)
    assert message.startswith(
        f"--save-dir {folder}/checkpoint_last.pt: was trained with other symbols than those of {model}: symbol "
    )
    left = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}
    assert left.items() < before.items()


def test_a_metric_there_is_not(refused, pawsx):
    message = refused(
        *("sequence_classification", "--benchmark", "pawsx", "--benchmark-data", pawsx),
        *("--best-checkpoint-metric", "score_zh"),
    )
    assert message == "--best-checkpoint-metric score_zh: expected one of loss, score, score_en, score_de, score_fr"


def test_a_language_without_examples(refused, tydiqa):
    file = write_questions(tydiqa / "tydiqa.goldp.ko.dev.json", [])
    message = refused(
        "question_answering", "--benchmark", "tydiqa", "--benchmark-data", tydiqa, "--max-question-length", 20
    )
    assert message == f"{file}: no example in it; name another file, or leave the language ko out"


def test_tags_that_are_no_entities(refused, wikiann):
    words = ["1\tdogs\t_\tNOUN\t_\t_\t0\t_\t_\t_", ""]
    file = write_lines(wikiann / "train.conllu", words)
    message = refused(
        *("token_classification", "--benchmark", "wikiann", "--benchmark-data", wikiann),
        *("--train-files", f"en={file}", "--train-format", "conllu"),
    )
    assert message.startswith("the training set has the tag 'NOUN'; this benchmark's are O, B-TYPE and I-TYPE")
