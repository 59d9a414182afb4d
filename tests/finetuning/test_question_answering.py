"""Windows of long contexts, labels and predicted spans; and all questions of the real files."""

from __future__ import annotations

import itertools
import unicodedata

import numpy as np
import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning import question_answering
from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling.finetuning.question_answering import QuestionAnswering, SpanLimits, span_of
from fairseq_xling.finetuning.readers.squad import Answer, Question, read_squad
from fairseq_xling.interop.load import load_model
from fairseq_xling.interop.tokenizer import Pieces

from .conftest import SENTENCES, build, make_model_folder, write_lines

CONTEXT = " ".join(SENTENCES)
QUESTION = "Where is it?"


def formulation(loaded, max_positions=64, question=12, stride=128, answer=30):
    limits = SpanLimits(question, stride, answer)
    return QuestionAnswering(loaded, BENCHMARKS["squad"], [], max_positions, limits)


def ask(text, context=CONTEXT, question=QUESTION):
    return Question("q", question, context, (Answer(text, context.index(text)),))


def pieces_of(loaded, text):
    (pieces,) = loaded.encode_with_offsets([text])
    return pieces


# ---- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 5, 8, 128])
@pytest.mark.parametrize("max_positions", [30, 31, 40, 64])
def test_windows(loaded, stride, max_positions):
    """Every piece is in a window; windows are the stride apart, and each shares half of itself with the next."""
    task = formulation(loaded, max_positions, stride=stride)
    words = CONTEXT.split()
    contexts = [" ".join(words[:number]) for number in range(1, len(words) + 1)]
    lengths = [len(ids) for ids in loaded.encode_text(contexts)]
    for question, context, length in (
        (question, *context) for question in ("It?", CONTEXT) for context in zip(contexts, lengths, strict=True)
    ):
        room = max_positions - 4 - min(12, len(loaded.encode_text([question])[0]))
        (example,) = build(task, [ask(words[0], context, question)])
        windows = [
            (begin, begin + len(row.positions) - 1)  # the first candidate is <s>
            for begin, row in zip(example.record.windows, example.rows, strict=True)
        ]
        assert windows[0][0] == 0
        assert windows[-1][1] == length
        covered = set().union(*(range(*window) for window in windows))
        assert covered == set(range(length))
        assert all(end - begin == room for begin, end in windows[:-1])
        assert windows[-1][1] - windows[-1][0] <= room
        apart = {later[0] - earlier[0] for earlier, later in itertools.pairwise(windows)}
        assert apart <= {min(stride, room // 2)}
        if len(windows) > 1:
            assert windows[-2][1] < length, "the last window is needed"
        if length <= room:
            assert windows == [(0, length)]


def test_rows_are_the_windows_of_the_context(loaded):
    task = formulation(loaded, 40, stride=8)
    question, context = (pieces.tolist() for pieces in loaded.encode_text([QUESTION, CONTEXT]))
    (example,) = build(task, [ask("Buch")])
    room = 40 - 4 - len(question)
    assert example.record.windows == tuple(range(0, len(context) - room + 8, 8))
    for row, begin in zip(example.rows, example.record.windows, strict=True):
        part = context[begin : begin + room]
        assert row.tokens.tolist() == [0, *question, 2, 2, *part, 2]
        assert row.positions[0] == 0
        assert row.tokens[row.positions[1:]].tolist() == part
        assert len(row.positions) == len(part) + 1


def test_labels_of_windows(loaded):
    """Where the whole answer is in a window, its pieces there; else the first candidate, ``<s>``."""
    task = formulation(loaded, 40, stride=8)
    record = ask("Buch über die Berge")
    (example,) = build(task, [record])
    first, last = span_of(record.answers[0], pieces_of(loaded, CONTEXT))
    kinds = set()
    for row, begin in zip(example.rows, example.record.windows, strict=True):
        inside = begin <= first and last < begin + len(row.positions) - 1
        kinds.add((inside, begin <= last and first < begin + len(row.positions) - 1))
        assert row.target.tolist() == ([first - begin + 1, last - begin + 1] if inside else [0, 0])
        if inside:
            marked = row.tokens[row.positions[row.target[0]] : row.positions[row.target[1]] + 1]
            assert loaded.tokenizer.model.decode([int(piece) - 1 for piece in marked]) == "Buch über die Berge"
    assert kinds == {(True, True), (False, True), (False, False)}, "windows with all, with a part, with nothing of it"


def test_in_training_each_window_is_an_example(loaded):
    task = formulation(loaded, 40, stride=8)
    (whole,) = build(task, [ask("Buch")])
    parts = build(task, [ask("Buch")], train=True)
    assert len(parts) == len(whole.rows) > 1
    for part, row in zip(parts, whole.rows, strict=True):
        assert part.record is None
        assert [array.tolist() for array in part.rows[0]] == [array.tolist() for array in row]


def test_a_long_question_is_cut(loaded):
    (example,) = build(formulation(loaded, 64, question=5), [ask("Aldor", SENTENCES[0], CONTEXT)])
    (row,) = example.rows
    question = loaded.encode_text([CONTEXT])[0][:5].tolist()
    assert row.tokens[:8].tolist() == [0, *question, 2, 2]


def test_a_paragraph_is_encoded_once_and_chunks_do_not_matter(loaded, monkeypatch):
    records = [ask("Buch", CONTEXT + " a"), ask("1871"), ask("Aldor"), ask("dogs"), ask("Aldor", SENTENCES[0])]
    whole = [example.rows[0].tokens.tolist() for example in build(formulation(loaded), records)]
    texts, encode = [], type(loaded).encode_with_offsets

    def spied(self, batch):
        texts.extend(batch)
        return encode(self, batch)

    monkeypatch.setattr(type(loaded), "encode_with_offsets", spied)
    monkeypatch.setattr(question_answering, "_CHUNK", 2)
    parts = [example.rows[0].tokens.tolist() for example in build(formulation(loaded), records)]
    assert parts == whole
    assert texts == [CONTEXT + " a", CONTEXT, SENTENCES[0]]


# ---- spans ------------------------------------------------------------------------------------------------------------


def pieces(*limits):
    """Pieces that end at ``limits``."""
    return Pieces(np.arange(len(limits)), np.array([0, *limits[:-1]]), np.array(limits))


@pytest.mark.parametrize(
    ("text", "start", "span"),
    [
        ("abc", 0, (0, 0)),  # pieces: abc| de|fg| hij
        ("de", 4, (1, 1)),
        (" de", 3, (1, 1)),
        ("de ", 4, (1, 1)),
        ("defg ", 4, (1, 2)),
        ("b", 1, (0, 0)),
        ("c d", 2, (0, 1)),
        ("e", 5, (1, 1)),
        ("efg h", 5, (1, 3)),
        ("fg\u200b", 6, (2, 2)),
        ("\u200bhij", 8, (3, 3)),
        ("hij", 9, (3, 3)),
    ],
)
def test_span_of(text, start, span):
    """White space and zero-width characters at the ends take in no further piece."""
    assert span_of(Answer(text, start), pieces(3, 6, 8, 12)) == span


def test_characters_that_become_several_pieces(loaded):
    """``…`` is three full stops to the vocabulary; the span still covers just the character."""
    text = "town… dogs"
    found = pieces_of(loaded, text)
    assert sum(found.ends > found.begins) < len(found.ids), "some pieces stand for no character of their own"
    first, last = span_of(Answer("…", 4), found)
    assert text[found.begins[first] : found.ends[last]] == "…"
    first, last = span_of(Answer("dogs", 6), found)
    assert text[found.begins[first] : found.ends[last]].strip() == "dogs"


@pytest.mark.parametrize(
    ("text", "begins", "end"),
    [("Aldor", 0, 5), ("  a  town \u200b", 2, 9), ("Aldor\u200b", 0, 5), ("a\u200b b", 0, 4), ("\ta\n\nb\n", 1, 5)],
)
def test_pieces_cover_the_text_without_gaps(loaded, text, begins, end):
    found = pieces_of(loaded, text)
    assert (found.begins[0], found.ends[-1]) == (begins, end)
    assert found.begins[1:].tolist() == found.ends[:-1].tolist()
    assert found.ids.tolist() == loaded.encode_text([text])[0].tolist()


@pytest.mark.parametrize("text", ["", "  ", "\u200b"])
def test_a_context_of_nothing_has_an_empty_answer(loaded, text):
    task = formulation(loaded)
    examples = build(task, [Question("q", QUESTION, text, (Answer("x", 0),)), ask("Aldor")])
    assert examples[0].rows[0].target.tolist() == [0, 0]
    batch = task.collate(examples)
    assert task.predictions(torch.randn(len(batch["positions"]), 2), batch)[0] == ""


# ---- predictions ------------------------------------------------------------------------------------------------------


def logits_of(batch, peaks):
    """Logits of 0, and at ``peaks``: row, candidate (0 is <s>), end (0 first, 1 last) -> value."""
    starts = [0, *itertools.accumulate(batch["marks"])]
    logits = torch.zeros(starts[-1], 2)
    for (row, candidate, end), value in peaks.items():
        logits[starts[row] + candidate, end] = value
    return logits


def predict(loaded, peaks, max_positions=64, answer=30):
    task = formulation(loaded, max_positions, stride=8, answer=answer)
    batch = task.collate(build(task, [ask("Aldor", SENTENCES[0] if max_positions == 64 else CONTEXT)]))
    (text,) = task.predictions(logits_of(batch, peaks), batch)
    return text, batch["records"][0]


def test_the_best_span(loaded):
    text, record = predict(loaded, {(0, 3, 0): 5, (0, 6, 1): 5})
    assert text == record.text(2, 5) == SENTENCES[0][: record.pieces.ends[5]][record.pieces.begins[2] :].strip()


def test_the_end_is_not_before_the_beginning(loaded):
    text, record = predict(loaded, {(0, 6, 0): 5, (0, 3, 1): 4, (0, 8, 1): 3})
    assert text == record.text(5, 7)


def test_the_longest_answer(loaded):
    peaks = {(0, 2, 0): 5, (0, 9, 1): 5, (0, 4, 1): 1}
    assert predict(loaded, peaks, answer=8)[0] == predict(loaded, peaks)[1].text(1, 8)
    assert predict(loaded, peaks, answer=7)[0] == predict(loaded, peaks)[1].text(1, 3)
    assert predict(loaded, {(0, 2, 0): 5, (0, 3, 1): 5}, answer=1)[1].text(1, 1) == predict(loaded, {(0, 2, 0): 6, (0, 3, 1): 5}, answer=1)[0]  # fmt: skip


def test_no_answer_is_not_an_answer(loaded):
    """However sure the model is of <s>, which in training stands for another window."""
    text, record = predict(loaded, {(0, 0, 0): 90, (0, 0, 1): 90, (0, 5, 0): 1, (0, 5, 1): 1})
    assert text == record.text(4, 4)


def test_the_best_of_all_windows(loaded):
    peaks = {(0, 3, 0): 5, (0, 6, 1): 5, (2, 2, 0): 6, (2, 4, 1): 5, (1, 0, 0): 50}
    text, record = predict(loaded, peaks, max_positions=40)
    begin = record.windows[2]
    assert begin == 16
    assert text == record.text(begin + 1, begin + 3) != ""


def slow_prediction(scores, candidates, starts, record, longest):
    """The best pair of pieces of all windows, one by one."""
    best, text = -float("inf"), ""
    for row, begin in zip(range(len(candidates)), starts, strict=True):
        for first in range(1, candidates[row]):
            for last in range(first, min(first + longest, candidates[row])):
                value = scores[row][first][0] + scores[row][last][1]
                if value > best:
                    best, text = value, record.text(begin + first - 1, begin + last - 1)
    return text


@pytest.mark.parametrize("longest", [1, 4, 30])
def test_predictions_equal_a_double_loop(loaded, longest):
    task = formulation(loaded, 40, stride=8, answer=longest)
    records = [ask("Buch"), ask("Aldor", "Aldor"), ask("1871", SENTENCES[3]), ask("dogs"), ask("a", "a b")]
    batch = task.collate(build(task, records))
    for seed in range(5):
        logits = torch.randn(len(batch["positions"]), 2, generator=torch.Generator().manual_seed(seed))
        rows = [part.tolist() for part in logits.split(batch["marks"])]
        expected = []
        for number, record in enumerate(batch["records"]):
            own = [row for row, owner in enumerate(batch["example"].tolist()) if owner == number]
            marks = [batch["marks"][row] for row in own]
            expected.append(slow_prediction([rows[row] for row in own], marks, record.windows, record, longest))
        assert task.predictions(logits, batch) == expected


def test_half_precision_logits(loaded):
    task = formulation(loaded, 40, stride=8)
    batch = task.collate(build(task, [ask("Buch"), ask("Aldor", "Aldor")]))
    logits = torch.randn(len(batch["positions"]), 2).half()
    assert task.predictions(logits, batch) == task.predictions(logits.float(), batch)
    assert task.losses(logits, batch)[0].isfinite().all()


# ---- options ----------------------------------------------------------------------------------------------------------


def test_too_few_positions(loaded):
    with pytest.raises(UserError) as error:
        QuestionAnswering(loaded, BENCHMARKS["squad"], [], 75)
    for words in (
        "--max-positions 75 (or the model's own limit) leaves no room",
        "at least 76",
        "--max-question-length 64",
    ):
        assert words in str(error.value)
    QuestionAnswering(loaded, BENCHMARKS["squad"], [], 76)


@pytest.mark.parametrize("name", ["max_question_length", "doc_stride", "max_answer_length"])
def test_limits_below_one(name):
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')} 0 must be at least 1"):
        SpanLimits(**{name: 0}).check()


# ---- real questions ---------------------------------------------------------------------------------------------------

# File -> least share of answers that begin and end where pieces do, a little below what was measured. (A vocabulary of 4,000
# pieces for ten languages joins affixes and punctuation to words now and then.)
SHARES = {
    "mlqa/dev-context-ar-question-ar.json.gz": 0.96,
    "mlqa/dev-context-de-question-de.json.gz": 0.98,
    "mlqa/dev-context-en-question-ar.json.gz": 0.99,
    "mlqa/dev-context-en-question-de.json.gz": 0.98,
    "mlqa/dev-context-en-question-en.json.gz": 0.98,
    "mlqa/dev-context-en-question-es.json.gz": 0.98,
    "mlqa/dev-context-en-question-hi.json.gz": 0.98,
    "mlqa/dev-context-en-question-vi.json.gz": 0.98,
    "mlqa/dev-context-en-question-zh.json.gz": 0.98,
    "mlqa/dev-context-es-question-es.json.gz": 0.98,
    "mlqa/dev-context-hi-question-hi.json.gz": 0.99,
    "mlqa/dev-context-vi-question-vi.json.gz": 0.98,
    "mlqa/dev-context-zh-question-zh.json.gz": 0.98,
    "tydiqa/tydiqa.goldp.en.dev.json.gz": 0.98,
    "tydiqa/tydiqa.goldp.en.train.json.gz": 0.97,
    "tydiqa/tydiqa.goldp.ko.train.json.gz": 0.97,
    "tydiqa/tydiqa.goldp.sw.train.json.gz": 0.98,
}


@pytest.fixture(scope="module")
def real(shared_data, tmp_path_factory):
    """The questions of every file, and the pieces of their contexts; the vocabulary is made of a sixth of these."""
    questions = {name: list(read_squad(str(shared_data / "downstream" / name))) for name in SHARES}
    contexts = list(dict.fromkeys(question.context for part in questions.values() for question in part))
    folder = tmp_path_factory.mktemp("real")
    lines = (line[:300] for context in contexts[::6] for line in context.split("\n"))
    text = write_lines(folder / "text", filter(str.strip, lines))
    loaded = load_model(make_model_folder(folder, text, 4000, 64, layers=1, dim=16, coverage=0.9995))
    return questions, dict(zip(contexts, loaded.encode_with_offsets(contexts), strict=True)), loaded


def blank(text):
    """White space, or what SentencePiece takes for it."""
    return all(character.isspace() or unicodedata.category(character) in ("Cc", "Cf") for character in text)


@pytest.mark.slow
def test_every_file_is_here(shared_data):
    files = {f"{path.parent.name}/{path.name}" for path in (shared_data / "downstream").glob("*qa/*.json.gz")}
    assert files == set(SHARES)


@pytest.mark.slow
def test_offsets_of_every_context(real):
    _, encoded, loaded = real
    assert len(encoded) > 10_000
    for context, found in encoded.items():
        assert np.array_equal(found.begins[1:], found.ends[:-1])
        assert np.all(found.begins <= found.ends)
        assert blank(context[: found.begins[0]])
        assert blank(context[found.ends[-1] :])
        assert found.ends[-1] <= len(context)
    some = list(encoded)[::20]
    for context, ids in zip(some, loaded.encode_text(some), strict=True):
        assert np.array_equal(encoded[context].ids, ids), "the pieces are those of the text without offsets"


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SHARES))
def test_every_answer_is_found_again(real, name):
    """Exactly where it begins and ends with a piece; elsewhere in the fewest pieces that hold it."""
    questions, encoded, _ = real
    exact, count = 0, 0
    for question in questions[name]:
        found, context = encoded[question.context], question.context
        record = question_answering.ReadQuestion(**vars(question), pieces=found, windows=(0,))
        for answer in question.answers:
            gold = answer.text.strip("".join(filter(blank, answer.text)))
            begin = context.index(gold, answer.start)
            end = begin + len(gold)
            first, last = span_of(answer, found)
            assert found.begins[first] <= begin < found.ends[first]
            assert found.begins[last] < end <= found.ends[last]
            borders = blank(context[found.begins[first] : begin]) and blank(context[end : found.ends[last]])
            assert (record.text(first, last) == gold) == borders
            exact, count = exact + borders, count + 1
    print(f"{name}: {exact} of {count} answers are whole pieces, {exact / count:.4f}")
    assert exact / count >= SHARES[name]
