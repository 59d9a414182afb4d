"""The pages agree with the code: parts made from the table of benchmarks, options, links; their examples run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from fairseq.data.indexed_dataset import MMapIndexedDataset
from fairseq.tasks import TASK_DATACLASS_REGISTRY

from docs.generate import pages
from fairseq_xling.finetuning.benchmarks import BENCHMARKS, FORMATS
from fairseq_xling.finetuning.retrieval import RetrievalTaskConfig
from fairseq_xling.finetuning.task import QuestionAnsweringConfig
from fairseq_xling.models import XlingModelConfig
from fairseq_xling.optim import LayerwiseAdamConfig, WarmupLinearConfig
from fairseq_xling_preprocess.alignment.cli import align
from fairseq_xling_preprocess.commands import encode, vocab
from fairseq_xling_preprocess.evaluation.cli import evaluate
from fairseq_xling_preprocess.wiki.dumps.cli import wiki
from fairseq_xling_preprocess.wiki.entities.cli import entities
from fairseq_xling_preprocess.wiki.wikidata.cli import wikidata
from tests.conftest import ROOT, Run
from tests.pages import anchors, commands, links, options, page, section

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "recipes" / "README.md", *sorted(DOCS.rglob("*.md"))]
OF_THE_ARCHITECTURE = {
    "layer_norm_eps",
    "encoder_layers",
    "encoder_embed_dim",
    "encoder_ffn_embed_dim",
    "encoder_attention_heads",
}
Pretraining = TASK_DATACLASS_REGISTRY["mmlm"]  # every mix has the options of all objectives
NOT_OURS = {"_name", "data", "seed", "save_dir"}  # fairseq's own; data is the positional argument


def test_what_follows_from_the_table_of_benchmarks() -> None:
    generated = pages()
    assert {file.stem for file in (DOCS / "tasks").iterdir()} == set(BENCHMARKS)
    for file, text in generated.items():
        assert file.read_text(encoding="utf-8") == text, f"{file.name} is not up to date: make docs"


def fields(*configs: type) -> dict[str, object]:
    """Option -> default, of dataclasses."""
    return {
        field.name: field.default
        for config in configs
        for field in dataclasses.fields(config)
        if field.name not in NOT_OURS and not str(field.default).startswith("${")
    }


@pytest.mark.parametrize(
    ("names", "configs"),
    [
        (("ernie-m.md", "weam.md", "xlmk.md"), (Pretraining, XlingModelConfig)),
        (("retrieval.md",), (RetrievalTaskConfig,)),
        (("finetuning.md",), (QuestionAnsweringConfig, WarmupLinearConfig, LayerwiseAdamConfig)),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_options_of_training(names: tuple[str, ...], configs: tuple[type, ...]) -> None:
    described = options("\n".join(map(page, names)))
    for name, default in fields(*configs).items():
        shown = described[f"--{name.replace('_', '-')}"][0].strip("`")
        if default is None or name in OF_THE_ARCHITECTURE:
            continue
        if isinstance(default, bool):
            assert (shown == "off") is (not default), name
        elif isinstance(default, int | float):
            assert float(shown) == default, name
        else:
            assert shown == str(default), name


def test_no_other_options_of_pretraining() -> None:
    known = {f"--{name.replace('_', '-')}" for name in fields(Pretraining, XlingModelConfig)}
    assert options(page("ernie-m.md") + page("weam.md") + page("xlmk.md")).keys() <= known


@pytest.mark.parametrize(
    ("name", "title", "command"),
    [
        ("data.md", "xling vocab", vocab),
        ("data.md", "xling encode", encode),
        ("aligning-text.md", "xling align", align),
        ("wiki.md", "xling wiki", wiki),
        ("wikidata.md", "xling wikidata", wikidata),
        ("entities.md", "xling entities", entities),
        *(("finetuning.md", "xling eval BENCHMARK", evaluate.commands[benchmark]) for benchmark in BENCHMARKS),
    ],
    ids=lambda value: value.name if isinstance(value, click.Command) else "",
)
def test_options_of_commands(name: str, title: str, command: click.Command) -> None:
    described = options(section(page(name), title))
    given = [option for option in command.params if isinstance(option, click.Option)]
    assert list(described) == [option.opts[0] for option in given]
    for option in given:
        cells = described[option.opts[0]]
        assert (cells[0] == "required") is option.required, option.opts[0]
        if isinstance(option.default, str | int) and not isinstance(option.default, bool):
            assert str(option.default) in cells[0], option.opts[0]


def test_formats_of_training_files() -> None:
    described = " ".join(options(page("finetuning.md"))["--train-format"])
    assert set(FORMATS) <= set(described.replace("`", " ").split())


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_to_pages(file: Path) -> None:
    for target, anchor in links(file.read_text(encoding="utf-8")):
        linked = file.parent / target if target else file
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text(encoding="utf-8")), f"{target}#{anchor}"


@pytest.mark.slow
def test_example_of_the_data_page(tmp_path: Path, run_block: Callable[[str], Run]) -> None:
    run_block(commands(section(page("data.md"), "Try it"))[0])
    data = tmp_path / "out" / "docs" / "data-bin"
    for name in ("mono/en/train", "mono/de/valid", "para/en-de/train.en-de.de", "para/en-de/valid.en-de.en"):
        assert (data / f"{name}.bin").stat().st_size > 0, name
    assert (data / "languages.txt").read_text() == "de\nen\n"


@pytest.mark.slow
def test_example_of_aligning(tmp_path: Path, run_block: Callable[[str], Run]) -> None:
    run_block(commands(section(page("aligning-text.md"), "Try it"))[0])
    data = tmp_path / "out" / "docs" / "align" / "para" / "en-fr"
    sides = [MMapIndexedDataset(str(data / f"train.en-fr.{lang}")) for lang in ("en", "fr")]
    found = MMapIndexedDataset(str(data / "train.align.en-fr"))
    assert len(found) == len(sides[0]) == len(sides[1])
    for number in range(len(found)):
        pairs = found[number].reshape(-1, 2)
        assert all((pairs[:, side] < len(sides[side][number]) - 1).all() for side in (0, 1))  # </s> is never linked
    assert sum(map(len, found)) > 2 * len(found)


@pytest.mark.slow
def test_examples_of_the_data_stage(tmp_path: Path, run_block: Callable[[str], Run]) -> None:
    run_block(
        "".join(
            [
                commands(page("wiki.md"))[0],
                *(commands(section(page(name), "Try it"))[0] for name in ("wiki.md", "wikidata.md")),
            ]
        )
    )
    tables = tmp_path / "out" / "docs"
    assert (tables / "wiki-all" / "data-bin" / "wiki" / "meta.json").exists()
    assert len(list((tables / "wiki" / "articles").glob("*.parquet"))) == 5
    assert (tables / "wikidata" / "triples" / "000.parquet").stat().st_size > 0


@pytest.mark.slow
def test_example_of_xlmk(tmp_path: Path, run_block: Callable[[str], Run]) -> None:
    run = run_block(commands(section(page("xlmk.md"), "Data and training"))[0])
    assert "loss_object_entailment" in run.log
    assert (tmp_path / "out" / "docs" / "xlmk" / "checkpoints" / "checkpoint_last.pt").stat().st_size > 0
