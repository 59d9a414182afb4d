"""recipes/finetune: the papers' numbers, wrong input, and small runs from raw files to results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.models import XlingModel, XlingModelConfig
from fairseq_xling_preprocess import vocab
from tests.conftest import BIN, ROOT, Run
from tests.recipes.test_scripts import parse, training_commands

PAWSX = ROOT / "examples" / "data" / "benchmarks" / "pawsx"
TRANSFER, ALL = "transfer", "translate_train_all"

# batch, learning rate, layer-wise decay of it, warm-up, weight decay, epochs, longest input; None where the paper is silent
ERNIE_M_12 = {  # Table 12: small and base, * in the translate-train-all setting
    ("xnli", TRANSFER): (32, 5e-5, 0.8, 0.1, 0, 5, None),
    ("xnli", ALL): (128, 5e-5, 0.8, 0.1, 0, 2, None),
    ("mlqa", TRANSFER): (32, 3e-4, 0.8, 0.1, 0, 2, None),
    ("conll", TRANSFER): (8, 4e-4, 0.8, 0.1, 0.01, 10, None),
    ("conll", ALL): (8, 3e-4, 0.8, 0.1, 0.01, 10, None),
}
ERNIE_M_13 = {  # Table 13: large
    ("xnli", TRANSFER): (32, 5e-5, 0.8, 0.1, 0, 5, None),
    ("xnli", ALL): (128, 5e-5, 0.8, 0.1, 0, 1, None),
    ("mlqa", TRANSFER): (32, 8e-5, 0.9, 0.1, 0, 2, None),
    ("conll", TRANSFER): (8, 4e-4, 0.8, 0.1, 0.01, 10, None),
    ("conll", ALL): (8, 3e-4, 0.8, 0.1, 0.01, 10, None),
    ("pawsx", TRANSFER): (64, 5e-5, 0.9, 0.1, 0.01, 10, None),
    ("pawsx", ALL): (64, 7e-5, 0.9, 0.1, 0.01, 2, None),
}
XLM_K = {  # §4.1, Details of Fine-Tuning: Adam with warm-up
    "mlqa": (12, 3e-5, None, None, None, 2, None),
    "conll": (32, 5e-6, None, None, None, 20, None),
    "xnli": (32, 5e-6, None, None, None, 10, None),
}
METAXLM = {  # Table 8
    "pos": (32, 1e-5, None, 0.1, 0, 10, None),
    "wikiann": (8, 7e-6, None, 0.1, 0, 10, None),
    "xquad": (32, 3e-5, None, 0.1, 0, 4, None),
    "mlqa": (32, 3e-5, None, 0.1, 0, 4, None),
    "tydiqa": (32, 4e-5, None, 0.1, 0, 40, None),
    "xnli": (32, 1e-5, None, 0.1, 0.01, 6, None),
    "pawsx": (32, 2e-5, None, 0.1, 0.01, 10, None),
    "amazon": (32, 2e-5, None, 0.1, 0.01, 5, None),
}
MPMR = {  # Table 5
    "xquad": (8, 3e-5, None, None, None, 3, 384),
    "mlqa": (8, 3e-5, None, None, None, 3, 384),
    "tydiqa": (8, 2e-5, None, None, None, 10, 384),
    "wikiann": (16, 1e-5, None, None, None, 10, 192),
    "conll": (16, 1e-5, None, None, None, 10, 192),
    "absa": (32, 2e-5, None, None, None, 20, 192),
    "pawsx": (16, 5e-5, None, None, None, 10, 192),
    "xnli": (32, 3e-5, None, None, None, 3, 192),
}
WEAM = {  # §3.1, of pre-training; contexts of MLQA do not fit into its 128 tokens
    "xnli": (32, 5e-5, None, None, None, 2, 128),
    "mlqa": (32, 5e-5, None, None, None, 2, None),
}
# no paper has these two: they are trained as for MLQA or XQuAD, and as for CoNLL
BORROWED = {
    ("squad", "ernie_m"): ERNIE_M_12["mlqa", TRANSFER],
    ("squad", "xlmk"): XLM_K["mlqa"],
    ("squad", "metaxlm"): METAXLM["xquad"],
    ("squad", "mpmr"): MPMR["xquad"],
    ("squad", "weam"): WEAM["mlqa"],
    ("uner", "ernie_m"): ERNIE_M_12["conll", TRANSFER],
    ("uner", "xlmk"): XLM_K["conll"],
    ("uner", "mpmr"): MPMR["conll"],
}
CASES = [
    *((name, "ernie_m", "base", setting, row) for (name, setting), row in ERNIE_M_12.items()),
    *((name, "ernie_m", "large", setting, row) for (name, setting), row in ERNIE_M_13.items()),
    *(
        (name, paper, "base", "supervised" if name == "amazon" else TRANSFER, row)
        for paper, table in (("xlmk", XLM_K), ("metaxlm", METAXLM), ("mpmr", MPMR), ("weam", WEAM))
        for name, row in table.items()
    ),
    *((name, paper, "base", TRANSFER, row) for (name, paper), row in BORROWED.items()),
    ("squad", "ernie_m", "large", TRANSFER, ERNIE_M_13["mlqa", TRANSFER]),
]
NUM_SEEDS = {"ernie_m": 5, "xlmk": 4, "metaxlm": 5, "mpmr": 5, "weam": 5}  # ERNIE-M §4.2, XLM-K §4.1, MetaXLM Table 1
TASKS = {
    **dict.fromkeys(("xnli", "pawsx", "amazon"), "sequence_classification"),
    **dict.fromkeys(("squad", "mlqa", "xquad", "tydiqa"), "question_answering"),
    **dict.fromkeys(("wikiann", "conll", "uner", "pos", "absa"), "token_classification"),
}


def commands(run: Run, name: str) -> list[str]:
    """The printed ``xling eval`` commands."""
    return [line for line in run.stdout.splitlines() if line.startswith(f"xling eval {name} ")]


@pytest.mark.parametrize(("name", "paper", "size", "setting", "row"), CASES)
def test_the_papers_numbers(
    recipe: Callable[..., Run], name: str, paper: str, size: str, setting: str, row: tuple[Any, ...]
) -> None:
    flags = [f"--paper={paper}", f"--size={size}", f"--setting={setting}"]
    words = [word for flag in flags for word in flag.split("=")]
    run = recipe(f"finetune/{name}.sh", "model", *words, DRY_RUN=1, DATA="data")
    assert run.returncode == 0, run.log
    languages = 12 if name == "amazon" else 1
    found = training_commands(run.stdout)
    seeds = [words[words.index("--seed") + 1] for words in found]
    assert seeds == [str(seed) for seed in range(1, NUM_SEEDS[paper] + 1) for _ in range(languages)]
    assert len({words[-1] for words in found}) == len(found) == len(commands(run, name))  # folders
    cfg = parse(found[0])
    batch, lr, decay, warmup, weight_decay, epochs, length = row
    assert (cfg.task._name, cfg.task.benchmark, cfg.task.data) == (TASKS[name], name, "model")
    assert cfg.dataset.batch_size * cfg.optimization.update_freq[0] == batch
    assert cfg.distributed_training.distributed_world_size == 1
    assert list(cfg.optimization.lr) == [lr]
    assert cfg.optimizer._name == ("adam" if decay is None else "layerwise_adam")
    assert decay is None or cfg.optimizer.layer_lr_decay == decay
    assert (cfg.optimizer.adam_betas, cfg.optimizer.adam_eps) == ("(0.9, 0.999)", 1e-8)
    assert cfg.optimizer.weight_decay == (weight_decay or 0)
    assert cfg.lr_scheduler._name == "warmup_linear"
    assert cfg.lr_scheduler.warmup_ratio == (warmup or 0.1)
    assert (cfg.optimization.max_epoch, cfg.optimization.max_update, cfg.optimization.clip_norm) == (epochs, 0, 1.0)
    assert cfg.task.max_positions == (
        length or {"question_answering": 384}.get(TASKS[name], 512 if name == "amazon" else 128)
    )
    assert (cfg.model.dropout, cfg.model.attention_dropout) == (0.1, 0.1)
    assert cfg.task.train_languages == {ALL: "all", "supervised": "en-books"}.get(setting)


def test_every_recipe_is_tested() -> None:
    scripts = {path.stem for path in (ROOT / "recipes" / "finetune").glob("*.sh")} - {"common"}
    assert scripts == set(TASKS) == {name for name, *_ in CASES}


@pytest.mark.parametrize(("name", "chosen"), [("xnli", True), ("amazon", False), ("tydiqa", False), ("squad", False)])
def test_the_checkpoint_that_is_tested(recipe: Callable[..., Run], name: str, chosen: bool) -> None:
    run = recipe(f"finetune/{name}.sh", "model", DRY_RUN=1, DATA="data", SEEDS=7)
    cfg = parse(training_commands(run.stdout)[0])
    command = commands(run, name)[0]
    assert cfg.common.seed == 7
    assert cfg.dataset.disable_validation is not chosen
    assert f"/checkpoint_{'best' if chosen else 'last'}.pt " in command
    assert f"--split {'dev' if name in ('tydiqa', 'squad') else 'test'}" in command
    if chosen:
        assert (cfg.checkpoint.best_checkpoint_metric, cfg.checkpoint.maximize_best_checkpoint_metric) == (
            "score",
            True,
        )


def test_variables_and_further_options(recipe: Callable[..., Run]) -> None:
    run = recipe(
        "finetune/xnli.sh", "model", "--setting", "supervised", "--out", "/o", "--", "--fp16", "--fp16-no-flatten-grads",
        DRY_RUN=1, DATA="data", SEEDS="3", UPDATE_FREQ=4, EPOCHS=2, MAX_POSITIONS=64, SELECT="score_de", TRAIN_LANGUAGES="de fr",
    )  # fmt: skip
    found = [parse(words) for words in training_commands(run.stdout)]
    assert [cfg.checkpoint.save_dir for cfg in found] == ["/o/de/seed-3", "/o/fr/seed-3"]
    assert [(cfg.task.train_languages, cfg.task.valid_languages) for cfg in found] == [("de", "de"), ("fr", "fr")]
    assert [command.split("--languages ")[1].split()[0] for command in commands(run, "xnli")] == ["de", "fr"]
    cfg = found[0]
    assert (cfg.dataset.batch_size, cfg.optimization.update_freq[0], cfg.common.fp16) == (8, 4, True)
    assert (cfg.optimization.max_epoch, cfg.task.max_positions) == (2, 64)
    assert cfg.checkpoint.best_checkpoint_metric == "score_de"


@pytest.mark.parametrize(
    ("name", "arguments", "variables", "message"),
    [
        ("xnli", [], {}, "name the checkpoint to fine-tune; usage: recipes/finetune/xnli.sh CHECKPOINT"),
        ("xnli", ["a", "b"], {}, "b: one checkpoint at a time"),
        ("xnli", ["model", "--papers", "weam"], {}, "--papers: unknown option"),
        ("xnli", ["model", "--paper"], {}, "--paper: needs a value"),
        ("pawsx", ["model", "--paper", "xlmk"], {}, "has no numbers for pawsx; expected one of ernie_m metaxlm mpmr"),
        (
            "xnli",
            ["model", "--setting", "zero"],
            {},
            "--setting zero: expected transfer, translate_train_all or supervised",
        ),
        ("xnli", ["model", "--size", "huge"], {}, "--size huge: expected base or large"),
        ("xnli", ["model"], {"DRY_RUN": ""}, "CHECKPOINT model: no such file or folder"),
        ("xnli", ["model"], {"SELECT": "best"}, "SELECT=best: expected score, score_LANGUAGE or last"),
        ("xnli", ["model"], {"TEST_SPLIT": "train"}, "TEST_SPLIT=train: expected dev or test"),
        ("xnli", ["model"], {"BUDGET": "tiny"}, "BUDGET=tiny: expected smoke or full"),
        ("xnli", ["model"], {"EPOCHS": "0"}, "EPOCHS=0: expected a number from 1 on"),
        ("xnli", ["model"], {"UPDATE_FREQ": "5"}, "UPDATE_FREQ=5: must divide the batch of 32"),
        ("xnli", ["model"], {"SEEDS": "1 x"}, "SEEDS=1 x: expected numbers"),
    ],
)
def test_wrong_use_is_one_line(
    recipe: Callable[..., Run], name: str, arguments: list[str], variables: dict[str, str], message: str
) -> None:
    run = recipe(f"finetune/{name}.sh", *arguments, **{"DRY_RUN": "1", **variables})
    assert (run.returncode, run.stderr.count("\n"), run.stdout) == (2, 1, "")
    assert message in run.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        ([], {}, "DATA: name the folder with the files of pawsx, or the files with TRAIN_FILES"),
        ([], {"DATA": "/none"}, "/none: no such folder"),
        ([], {"DATA": PAWSX, "TEST_FILES": "de=none.tsv"}, "TEST_FILES de=none.tsv: there is no file none.tsv"),
        ([], {"DATA": PAWSX, "TRAIN_LANGUAGES": "ko"}, "DATA (train part) ko: no file of this language"),
        (["--setting", "supervised"], {"TRAIN_FILES": f"zh={PAWSX}/train-en.tsv", "DATA": PAWSX}, "DATA (dev part) zh"),
        (
            ["--setting", "supervised"],
            {"TRAIN_FILES": f"../x={PAWSX}/train-en.tsv", "DATA": PAWSX},
            "language '../x' names",
        ),
    ],
)
def test_missing_files_are_named_before_training(
    recipe: Callable[..., Run], tmp_path: Path, arguments: list[str], variables: dict[str, Any], message: str
) -> None:
    run = recipe("finetune/pawsx.sh", tmp_path, *arguments, "--out", tmp_path / "out", **variables)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1), run.log
    assert message in run.stderr
    assert not (tmp_path / "out").exists()


def test_the_excerpt_of_pawsx() -> None:
    """Sizes and labels as its README says, no sentence in two parts, the same pair on the same line."""
    rows = {
        path.stem: [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
        for path in PAWSX.glob("*.tsv")
    }
    assert {name: len(lines) for name, lines in rows.items()} == {
        "train-en": 60, "dev-en": 30, "dev-de": 30, "test-en": 30, "test-de": 30,
    }  # fmt: skip
    for lines in rows.values():
        assert [row[2] for row in lines].count("1") == len(lines) / 2
    for part in ("dev", "test"):
        assert [row[2] for row in rows[f"{part}-en"]] == [row[2] for row in rows[f"{part}-de"]]
    for language in ("en", "de"):
        sentences = [row[i] for name, lines in rows.items() if name.endswith(language) for row in lines for i in (0, 1)]
        parts = [{row[i] for row in lines for i in (0, 1)} for name, lines in rows.items() if name.endswith(language)]
        assert sum(map(len, parts)) == len(set().union(*parts)), language
        assert sentences


# ---- whole runs -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random model and a vocabulary of the example texts."""
    folder = tmp_path_factory.mktemp("model")
    text = ROOT / "examples" / "data" / "text"
    vocab.train({lang: [str(text / f"train.{lang}")] for lang in ("de", "en")}, folder, 800)
    cfg = XlingModelConfig(
        encoder_layers=2, encoder_embed_dim=32, encoder_ffn_embed_dim=64, encoder_attention_heads=2, max_positions=160
    )
    torch.manual_seed(1)
    weights = XlingModel(cfg, len(load_dictionary(folder / "dict.txt")), pad=1).state_dict()
    torch.save({"model": weights, "args": Namespace(task="mmlm", encoder_attention_heads=2)}, folder / "model.pt")
    return folder


@pytest.fixture(scope="session")
def wikiann(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two languages in XTREME's form."""
    folder = tmp_path_factory.mktemp("wikiann")
    sentences = {
        "en": ["Anna/B-PER Berg/I-PER lives/O in/O Oslo/B-LOC", "Oslo/B-LOC is/O cold/O", "The/O Acme/B-ORG pays/O Anna/B-PER"],
        "de": ["Anna/B-PER Berg/I-PER wohnt/O in/O Oslo/B-LOC", "Oslo/B-LOC ist/O kalt/O", "Die/O Acme/B-ORG zahlt/O Anna/B-PER"],
    }  # fmt: skip
    for lang, lines in sentences.items():
        table = ["\n".join(word.replace("/", "\t") for word in line.split()) for line in lines * 8]
        for part in ("train", "dev", "test"):
            (folder / f"{part}-{lang}.tsv").write_text("\n\n".join(table) + "\n\n", encoding="utf-8")
    return folder


def results(run: Path) -> Any:
    return json.loads((run / "eval" / "results.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_transfer_from_raw_files_to_results(recipe: Callable[..., Run], model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flags = ["finetune/pawsx.sh", model / "model.pt", "--paper", "metaxlm", "--out", out]
    run = recipe(*flags, BUDGET="smoke", DATA=PAWSX)
    assert run.returncode == 0, run.log
    assert "pawsx, transfer, hyper-parameters of metaxlm (Table 8, PAWS-X)" in run.stdout
    assert "| **average** | 60 |" in run.stdout
    found = results(out / "seed-1")
    assert found["languages"] == ["en", "de"]
    assert {row["n"] for row in found["rows"]} == {30}
    assert (found["finetuning"]["languages"], found["finetuning"]["updates"]) == (["en"], 8)
    assert "| 1 | " in (out / "report" / "report.md").read_text(encoding="utf-8")  # the table's column of seeds
    assert (out / "report" / "convergence-pawsx-loss.png").stat().st_size > 1000
    assert {path.name for path in (out / "seed-1").glob("*.pt")} == {"checkpoint_best.pt", "checkpoint_last.pt"}

    # again: nothing is made anew; the evaluation alone, where it is missing
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")}
    (out / "seed-1" / "eval" / "results.json").unlink()
    (out / "report" / "notes").write_text("mine", encoding="utf-8")
    assert recipe(*flags, BUDGET="smoke", DATA=PAWSX).returncode == 0
    assert results(out / "seed-1")["rows"] == found["rows"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")} == files
    assert (out / "report" / "notes").read_text(encoding="utf-8") == "mine"


@pytest.mark.slow
def test_a_wrong_checkpoint_is_one_message(recipe: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("no model", encoding="utf-8")
    run = recipe("finetune/pawsx.sh", tmp_path / "model.pt", "--out", tmp_path / "out", DATA=PAWSX, BUDGET="smoke")
    assert run.returncode == 2
    message, where = run.stderr.splitlines()
    assert f"{tmp_path / 'model.pt'}: not a readable checkpoint" in message
    assert "train.log" in where


@pytest.mark.slow
def test_supervised_and_translate_train_all(
    recipe: Callable[..., Run], model: Path, wikiann: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    variables = {"BUDGET": "smoke", "DATA": wikiann}
    run = recipe("finetune/wikiann.sh", model, "--setting", "supervised", "--out", out / "each", **variables)
    assert run.returncode == 0, run.log
    for lang in ("en", "de"):
        found = results(out / "each" / lang / "seed-1")
        assert (found["languages"], found["finetuning"]["languages"]) == ([lang], [lang])
    run = recipe("finetune/wikiann.sh", model, "--setting", ALL, "--out", out / "all", **variables)
    assert run.returncode == 0, run.log
    found = results(out / "all" / "seed-1")
    assert found["languages"] == ["en", "de"]
    assert sorted(found["finetuning"]["languages"]) == ["de", "en"]


@pytest.mark.slow
def test_an_interrupted_run_goes_on(omp: dict[str, str], model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    env = {**omp, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "THREADS": "1"}
    env |= {"SEEDS": "1", "EPOCHS": "12", "DATA": str(PAWSX)}
    words = [ROOT / "recipes" / "finetune" / "pawsx.sh", model, "--paper", "metaxlm", "--out", out]
    killed = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 200
    while not (out / "seed-1" / "checkpoint_last.pt").exists():
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (out / "seed-1" / "done").exists()

    (model / ".lock").write_text(
        "process 1 on here\n", encoding="utf-8"
    )  # a training there leaves it, without changing the model
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    log = (out / "seed-1" / "train.log").read_text(encoding="utf-8")
    assert log.count("begin training epoch 1\n") == 1
    assert f"Loaded checkpoint {out}/seed-1/checkpoint_last.pt" in log
    assert log.count("begin training epoch 12\n") == 1
    assert results(out / "seed-1")["finetuning"]["updates"] <= 24
