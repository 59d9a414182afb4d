"""The ``xling`` console command. Sub-commands are imported only when they are called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from .errors import UserError

# name -> (module:attribute, line in `xling --help`), in the order of the work; a leading dot = this package.
COMMANDS = {
    "vocab": (".commands:vocab", "Train a SentencePiece vocabulary, or take XLM-R's, BERT's or XLM's."),
    "align": (".alignment.cli:align", "Align the words of sentence pairs."),
    "encode": (".commands:encode", "Turn raw text into pieces for fairseq-preprocess."),
    "wiki": (".wiki.dumps.cli:wiki", "Turn Wikipedia dumps into tables of articles and anchors."),
    "wikidata": (".wiki.wikidata.cli:wikidata", "Turn dumps of Wikidata into tables."),
    "entities": (".wiki.entities.cli:entities", "Join pages, links and items to training data of entities."),
    "convert": ("fairseq_xling.interop.cli:convert", "Convert checkpoints between fairseq and transformers."),
    "eval": (".evaluation.cli:evaluate", "Evaluate a checkpoint."),
    "report": ("fairseq_xling.evaluation.tables.cli:report", "Put results into the papers' tables."),
    "plot": ("fairseq_xling.evaluation.plot:plot", "Draw training curves and results."),
    "user-dir": (".doctor:user_dir", "Print the folder for fairseq's --user-dir."),
    "doctor": (".doctor:doctor", "Show versions and check a data-bin and a checkpoint."),
}


class LazyGroup(click.Group):
    """A group whose commands are named by ``COMMANDS``, so that ``xling --help`` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module, __package__), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="""\b
From raw text to a trained model:
  xling vocab --input en=train.en --input de=train.de --size 8000 --output data-bin
  xling encode --model data-bin/sentencepiece.bpe.model --input train.en --output enc/train.en
  fairseq-preprocess --only-source --srcdict data-bin/dict.txt --trainpref enc/train.en \\
      --destdir data-bin/mono/en
  fairseq-train data-bin --user-dir $(xling user-dir) --task mmlm --arch xling_small ...

Each command has its own --help with examples. Exit codes: 0 done, 2 the input is wrong, 3 done as far
as a damaged input went, 1 anything else.
""",
)
@click.version_option(package_name="fairseq_xling")
def cli() -> None:
    """Data, evaluation and conversion for cross-lingual pretraining with fairseq."""


def main(args: Sequence[str] | None = None) -> None:
    """Run ``xling``; wrong input is one line on stderr and exit code 2, Ctrl-C is quiet (130)."""
    try:
        sys.exit(cli.main(args=args, prog_name="xling", standalone_mode=False) or 0)
    except UserError as error:
        click.echo(f"xling: error: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
