"""Predictions of a fine-tuned model, from raw text to the answer, are those of transformers with the same weights."""

import numpy as np
import pytest
import torch

from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling.finetuning.examples import Examples
from fairseq_xling.finetuning.question_answering import QuestionAnswering, SpanLimits
from fairseq_xling.finetuning.readers.classification import TextPair
from fairseq_xling.finetuning.readers.squad import Answer, Question
from fairseq_xling.finetuning.readers.tagging import TaggedSentence
from fairseq_xling.finetuning.sequence_classification import SequenceClassification
from fairseq_xling.finetuning.token_classification import TokenClassification
from fairseq_xling.interop.load import load_model
from tests.interop.conftest import SENTENCES
from tests.interop.models import LABELS, POSITIONS

transformers = pytest.importorskip("transformers")

LONGEST_ANSWER = 4  # pieces


def predict(formulation, records):
    """The batch of all records, what the head says at its marked positions, and the predictions."""
    examples = Examples(keep_records=True)
    formulation.examples(records, 0, False, examples, "memory")
    batch = formulation.collate([examples[number] for number in range(len(examples))])
    with torch.no_grad():
        logits = formulation.logits(formulation.loaded.model, batch)
    return batch, logits, formulation.predictions(logits, batch)


def run(model, encoding):
    """The model's output on a padded batch of the tokenizer."""
    with torch.no_grad():
        return model(input_ids=encoding["input_ids"], attention_mask=encoding["attention_mask"])


def classifier(folder, model_class, **texts):
    """The model of a folder and its tokenizer's batch of texts, on which every label is made about equally likely.

    A random model says the same of every text.
    """
    encoding = transformers.AutoTokenizer.from_pretrained(folder)(**texts, padding=True, return_tensors="pt")
    model = getattr(transformers, f"AutoModel{model_class}").from_pretrained(folder).eval()
    logits = run(model, encoding).logits
    with torch.no_grad():
        getattr(model.classifier, "out_proj", model.classifier).bias -= logits.flatten(0, -2).mean(0)
    model.save_pretrained(folder)
    return model, encoding


@pytest.mark.parametrize("pairs", [True, False])
def test_labels_of_texts(hf_folder_of, pairs):
    folder = hf_folder_of("ForSequenceClassification", id2label=dict(enumerate(LABELS)))
    firsts = ["The old", "Buch", "这条河", "Two", "dogs", "town."]
    seconds = ["ein", "river", "Berge.", "deux", "old", "流过"] if pairs else [None] * len(firsts)
    theirs, encoding = classifier(
        folder, "ForSequenceClassification", text=firsts, text_pair=seconds if pairs else None
    )
    expected = run(theirs, encoding).logits

    loaded = load_model(folder)
    formulation = SequenceClassification(loaded, BENCHMARKS["xnli"], loaded.labels, POSITIONS)
    records = [TextPair(first, second, LABELS[0]) for first, second in zip(firsts, seconds, strict=True)]
    batch, logits, predictions = predict(formulation, records)
    assert batch["tokens"].tolist() == encoding["input_ids"].tolist()
    assert batch["padded"]
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
    assert predictions == [theirs.config.id2label[number] for number in expected.argmax(1).tolist()]
    assert len(set(predictions)) > 1


def test_tags_of_words(hf_folder_of):
    """The tag of a word is that of its first piece."""
    folder = hf_folder_of("ForTokenClassification", id2label={0: "O", 1: "B-X", 2: "I-X"})
    sentences = [["The", "old", "town."], ["Buch"], ["这条", "河", "the", "Berge"], ["deux", "Two"]]
    theirs, encoding = classifier(folder, "ForTokenClassification", text=sentences, is_split_into_words=True)
    firsts = [
        [encoding.word_ids(row).index(number) for number in range(len(words))] for row, words in enumerate(sentences)
    ]
    expected = [logits[places] for logits, places in zip(run(theirs, encoding).logits, firsts, strict=True)]

    loaded = load_model(folder)
    formulation = TokenClassification(loaded, BENCHMARKS["wikiann"], loaded.labels, POSITIONS)
    records = [TaggedSentence(tuple(words), ("O",) * len(words)) for words in sentences]
    batch, logits, predictions = predict(formulation, records)
    assert batch["tokens"].tolist() == encoding["input_ids"].tolist()
    assert max(map(max, firsts)) > max(map(len, sentences))  # words of several pieces
    torch.testing.assert_close(logits, torch.cat(expected), rtol=0, atol=1e-5)
    assert predictions == [[theirs.config.id2label[n] for n in rows.argmax(1).tolist()] for rows in expected]
    assert len({tag for tags in predictions for tag in tags}) > 1


def best_span(output, encoding, rows, context):
    """The text with the largest sum of both logits over the windows of a question.

    A piece that is nothing but the mark of a space has no text of its own; transformers gives it the next character.
    """
    best = (-np.inf, "")
    for row in rows:
        inside = [n for n, sequence in enumerate(encoding.sequence_ids(row)) if sequence == 1]
        for first in inside:
            for last in inside:
                if first <= last < first + LONGEST_ANSWER:
                    score = (output.start_logits[row, first] + output.end_logits[row, last]).item()
                    begin, end = encoding["offset_mapping"][row][first][0], encoding["offset_mapping"][row][last][1]
                    text = "" if encoding.tokens(row)[last] == "▁" and first == last else context[begin:end].strip()
                    best = max(best, (score, text))
    return best[1]


def test_answers_from_windows(hf_folder_of):
    """Windows, logits at the pieces of the context, and the text of the best span."""
    folder = hf_folder_of("ForQuestionAnswering")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    loaded = load_model(folder)
    stride = 5
    formulation = QuestionAnswering(loaded, BENCHMARKS["squad"], [], POSITIONS, SpanLimits(8, stride, LONGEST_ANSWER))
    contexts = [*SENTENCES, f"{SENTENCES[2]} {SENTENCES[3]}", "Two dogs"]
    questions = ["the?", "ein", "Two", "这条", "old", "d"]
    records = [
        Question(str(n), question, context, (Answer(context[:3], 0),))
        for n, (question, context) in enumerate(zip(questions, contexts, strict=True))
    ]
    for record in records:
        batch, logits, predictions = predict(formulation, [record])
        room = POSITIONS - len(tokenizer(record.question)["input_ids"]) - 2
        encoding = tokenizer(
            record.question,
            record.context,
            truncation="only_second",
            max_length=POSITIONS,
            stride=room - min(stride, room // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
        ).convert_to_tensors("pt")
        output = run(theirs, encoding)
        assert batch["tokens"].tolist() == encoding["input_ids"].tolist()
        rows = range(len(batch["tokens"]))
        inside = [[0] + [n for n, part in enumerate(encoding.sequence_ids(row)) if part == 1] for row in rows]
        expected = [torch.stack((output.start_logits[row], output.end_logits[row]), 1)[inside[row]] for row in rows]
        torch.testing.assert_close(logits, torch.cat(expected), rtol=0, atol=1e-5)
        assert predictions == [best_span(output, encoding, rows, record.context)]
    # all questions in one batch, the longest with several windows, padded
    batch, _, together = predict(formulation, records)
    assert sum(map(bool, together)) > 3
    assert together == [predict(formulation, [record])[2][0] for record in records]
    assert len(batch["tokens"]) > len(records)
    assert batch["padded"]
