"""No noise of fairseq's own making, and a root logger left as it was."""

import warnings

import pytest

from fairseq_xling.compat.quiet import quiet

LOGGERS = "import logging, {}; print(logging.getLogger().level, len(logging.getLogger().handlers))"


def test_only_the_listed_warnings_are_silenced():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warnings.warn("\nThe version_base parameter is not specified.", UserWarning, stacklevel=1)
        quiet()
        warnings.warn("\nThe version_base parameter is not specified.", UserWarning, stacklevel=1)
        warnings.warn("`torch.cuda.amp.autocast(args...)` is deprecated. Please …", FutureWarning, stacklevel=1)
        warnings.warn("something a user should know", UserWarning, stacklevel=1)
    assert [str(warning.message).strip()[:9] for warning in seen] == ["The versi", "something"]


def test_every_pattern_is_a_whole_phrase():
    with warnings.catch_warnings():
        warnings.resetwarnings()
        quiet()
        assert warnings.filters
        assert all(len(message.pattern) > 15 for _, message, *_ in warnings.filters)


@pytest.mark.slow
def test_a_job_prints_nothing_on_stderr(fairseq_train, corpus, tmp_path):
    from .conftest import OPTIONS

    options = OPTIONS.replace("--num-workers 0", "--num-workers 2").split()
    run = fairseq_train(corpus, *options, "--bf16", "--max-update", "2", "--save-dir", tmp_path)
    assert (run.returncode, run.stderr) == (0, ""), run.log


@pytest.mark.slow
def test_importing_the_plugin_leaves_the_root_logger_alone(command):
    assert command("python", "-c", LOGGERS.format("fairseq_xling")).stdout.split() == ["30", "0"]
    assert command("python", "-c", LOGGERS.format("fairseq")).stdout.split() != ["30", "0"], "plain fairseq"
