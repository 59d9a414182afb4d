"""A converted BERT in use: fine-tuned formulations, evaluation, and training from raw text to a converted model."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
import torch

from fairseq_xling.evaluation.alignment.word_pieces import encode_words
from fairseq_xling.evaluation.lama.fill_mask import ClozeEncoder, ordinary_candidates, vocabulary_candidates
from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling.finetuning.question_answering import QuestionAnswering, SpanLimits
from fairseq_xling.finetuning.readers.classification import TextPair
from fairseq_xling.finetuning.readers.squad import Answer, Question
from fairseq_xling.finetuning.readers.tagging import TaggedSentence
from fairseq_xling.finetuning.sequence_classification import SequenceClassification
from fairseq_xling.finetuning.token_classification import TokenClassification
from fairseq_xling.interop.load import load_model
from fairseq_xling_preprocess.cli import main
from tests.conftest import ROOT
from tests.interop.conftest import SENTENCES
from tests.interop.models import LABELS, POSITIONS
from tests.interop.test_predictions import LONGEST_ANSWER, best_span, classifier, predict, run

transformers = pytest.importorskip("transformers")

FINETUNING = (
    "--task sequence_classification --benchmark pawsx --arch xling --optimizer adam --lr 1e-3 --batch-size 16 --max-update 2 "
    f"--max-positions {POSITIONS} --num-workers 0 --no-epoch-checkpoints"
).split()
TRAINING = (
    "--task tlm --objectives tlm --arch weam_base --encoder-layers 2 --encoder-embed-dim 32 --encoder-ffn-embed-dim 48 "
    f"--encoder-attention-heads 4 --max-positions {POSITIONS} --batch-size 4 --optimizer adam --lr 1e-9 --max-update 2 "
    "--num-workers 0 --disable-validation --reset-optimizer --reset-dataloader --reset-meters"
).split()


def numbers_there(loaded, tokens):
    """The model's tokens as ids of transformers."""
    order = torch.from_numpy(np.argsort(loaded.tokenizer.rows))
    return order[tokens].tolist()


def xling(*words):
    """Exit status of ``xling …`` and what it printed."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed), pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    return caught.value.code, printed.getvalue()


@pytest.mark.parametrize("pairs", [True, False])
def test_labels_of_texts(hf_bert_folder_of, pairs):
    """Pairs have one separator; of token types the model knows the first only."""
    folder = hf_bert_folder_of("ForSequenceClassification", id2label=dict(enumerate(LABELS)))
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
    assert numbers_there(loaded, batch["tokens"]) == encoding["input_ids"].tolist()
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
    assert predictions == [theirs.config.id2label[number] for number in expected.argmax(1).tolist()]


def test_a_pair_that_fits_with_one_separator(hf_bert_folder_of):
    """``<s> x </s> y </s>`` leaves room for one piece more than XLM-R's format."""
    loaded = load_model(hf_bert_folder_of("ForSequenceClassification", id2label=dict(enumerate(LABELS))))
    formulation = SequenceClassification(loaded, BENCHMARKS["xnli"], loaded.labels, 8)
    ((row,), _), ((longer,), _) = formulation.rows(
        [TextPair("the old town", "the river", LABELS[0]), TextPair("the old town", "the river flows", LABELS[0])], True
    )
    found = [" ".join(loaded.dictionary[token] for token in tokens) for tokens in (row.tokens, longer.tokens)]
    assert found == ["<s> the old town </s> the river </s>", "<s> the old </s> the river flows </s>"]


def test_tags_of_words(hf_bert_folder_of):
    folder = hf_bert_folder_of("ForTokenClassification", id2label={0: "O", 1: "B-X", 2: "I-X"})
    sentences = [["The", "old", "town."], ["Bücher"], ["这条", "河", "running", "Berge"], ["deux", "Two"]]
    theirs, encoding = classifier(folder, "ForTokenClassification", text=sentences, is_split_into_words=True)
    firsts = [
        [encoding.word_ids(row).index(number) for number in range(len(words))] for row, words in enumerate(sentences)
    ]
    expected = [logits[places] for logits, places in zip(run(theirs, encoding).logits, firsts, strict=True)]
    loaded = load_model(folder)
    formulation = TokenClassification(loaded, BENCHMARKS["wikiann"], loaded.labels, POSITIONS)
    records = [TaggedSentence(tuple(words), ("O",) * len(words)) for words in sentences]
    batch, logits, _ = predict(formulation, records)
    assert numbers_there(loaded, batch["tokens"]) == encoding["input_ids"].tolist()
    torch.testing.assert_close(logits, torch.cat(expected), rtol=0, atol=1e-5)


def test_answers_from_windows(hf_bert_folder_of):
    """Windows, logits at the pieces of the context, and the text of the best span."""
    folder = hf_bert_folder_of("ForQuestionAnswering")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    loaded = load_model(folder)
    stride = 5
    formulation = QuestionAnswering(loaded, BENCHMARKS["squad"], [], POSITIONS, SpanLimits(8, stride, LONGEST_ANSWER))
    contexts = [*SENTENCES, f"{SENTENCES[2]} running {SENTENCES[3]} {SENTENCES[0]}"]
    windows = 0
    for question, context in zip(["the?", "ein", "Two", "这条", "old"], contexts, strict=True):
        record = Question("q", question, context, (Answer(context[:3], 0),))
        batch, logits, predictions = predict(formulation, [record])
        room = POSITIONS - len(tokenizer(question)["input_ids"]) - 1
        encoding = tokenizer(
            question,
            context,
            truncation="only_second",
            max_length=POSITIONS,
            stride=room - min(stride, room // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
        ).convert_to_tensors("pt")
        output = run(theirs, encoding)
        assert numbers_there(loaded, batch["tokens"]) == encoding["input_ids"].tolist()
        rows = range(len(batch["tokens"]))
        inside = [[0] + [n for n, part in enumerate(encoding.sequence_ids(row)) if part == 1] for row in rows]
        expected = [torch.stack((output.start_logits[row], output.end_logits[row]), 1)[inside[row]] for row in rows]
        torch.testing.assert_close(logits, torch.cat(expected), rtol=0, atol=1e-5)
        assert predictions == [best_span(output, encoding, rows, context)]
        windows += len(rows)
    assert windows > len(contexts)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("the town is [MASK] .", "the town <mask> .".replace("town", "town <unk>")),
        ("[MASK] flows", "<mask> flows"),
        ("(old [MASK]).", "( old <mask> ) ."),
        ("老[MASK]城", "老 <mask> 城"),
        ("the dogs run[MASK]", "the dogs run <mask>"),
        ("the [MASK]", "the <mask>"),
    ],
)
def test_the_mask_is_a_word(bert_folder, text, pieces):
    """As BERT has it; the pieces are those of the text with a word in the gap."""
    loaded = load_model(bert_folder)
    (sentence,) = ClozeEncoder(loaded).sentences([text.replace(" is ", " Ω ")])
    assert [loaded.dictionary[number] for number in sentence.tokens] == pieces.split()
    assert sentence.tokens[sentence.position] == loaded.symbols.mask
    tokens = sentence.tokens.copy()
    ((_, tokens[sentence.position]),) = ClozeEncoder(loaded).objects(["."])
    expected = loaded.encode_text([text.replace(" is ", " Ω ").replace("[MASK]", ".")])[0]
    np.testing.assert_array_equal(tokens, expected)


def test_objects_are_words(bert_folder):
    loaded = load_model(bert_folder)
    words = ["town", "running", "城", "Ω", "ning", "[MASK]"]
    found = [
        number if number is None else loaded.dictionary[number] for _, number in ClozeEncoder(loaded).objects(words)
    ]
    assert found == ["town", None, "城", None, None, None]
    allowed = vocabulary_candidates(loaded, words)
    assert [loaded.dictionary[n] for n in allowed[1].nonzero()[:, 0].tolist()] == ["城", "town"]
    assert int(ordinary_candidates(loaded)[1].sum()) == len(loaded.dictionary) - 5


def test_words_one_by_one(bert_folder):
    loaded = load_model(bert_folder)
    (sentence,) = encode_words(loaded, [["The", "runs", "河流", "\u200b", "Berge."]], 20)
    assert [loaded.dictionary[number] for number in sentence.ids] == ["The", "run", "##s", "河", "流", "Berge", "."]
    assert sentence.words.tolist() == [0, 1, 1, 2, 2, 4, 4]


def test_retrieval(bert_folder, tmp_path):
    for side, lines in (("de", ["Sie schrieb", "ein Buch"]), ("en", ["the old town", "Two dogs run"])):
        (tmp_path / f"tatoeba.de-en.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    out = tmp_path / "out"
    code, log = xling("eval", "tatoeba", "--checkpoint", bert_folder, "--data", tmp_path, "--out", out)
    assert code == 0, log
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))


def test_doctor(bert_folder, tmp_path):
    code, log = xling("doctor", "--checkpoint", bert_folder)
    assert code == 0, log
    assert "3 layers x 32" in log


@pytest.mark.slow
def test_finetuning_and_evaluation(fairseq_train, hf_bert_folder, tmp_path):
    """On the bundled lines of PAWS-X: the checkpoint folder has the vocabulary, and is read again."""
    pawsx = ROOT / "examples" / "data" / "benchmarks" / "pawsx"
    save = tmp_path / "save"
    done = fairseq_train(hf_bert_folder, *FINETUNING, "--benchmark-data", pawsx, "--save-dir", save)
    assert done.returncode == 0, done.log
    assert {"vocab.txt", "tokenizer_config.json", "dict.txt", "labels.txt"} < {path.name for path in save.iterdir()}
    loaded = load_model(save)
    assert loaded.model.cfg.layer_norm_eps == 1e-12
    assert loaded.num_separators == 1
    code, log = xling("eval", "pawsx", "--checkpoint", save, "--data", pawsx, "--out", tmp_path / "out")
    assert code == 0, log
    code, log = xling("convert", save, tmp_path / "hf")
    assert code == 0, log
    model = transformers.BertForSequenceClassification.from_pretrained(tmp_path / "hf").eval()
    text = ["the old town"]
    encoding = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")(text, return_tensors="pt")
    tokens = torch.tensor([[0, *loaded.encode_text(text)[0], 2]])
    with torch.no_grad():
        expected = loaded.model.heads["sequence"](loaded.model(tokens)[:, 0])
        torch.testing.assert_close(model(**encoding).logits, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_from_raw_text_to_a_converted_model(command, fairseq_train, hf_bert_folder, tmp_path):
    """BERT of transformers, two updates on encoded text, and back; a learning rate of almost nothing keeps the weights."""
    bert, data, enc = tmp_path / "bert", tmp_path / "data", tmp_path / "enc"
    assert xling("convert", hf_bert_folder, bert)[0] == 0
    assert xling("vocab", "--from-wordpiece", bert / "vocab.txt", "--output", data)[0] == 0
    assert (data / "dict.txt").read_bytes() == (bert / "dict.txt").read_bytes()
    (data / "languages.txt").write_text("de\nen\n")
    for lang, line in (("en", SENTENCES[0]), ("de", SENTENCES[1])):
        (tmp_path / f"text.{lang}").write_text(f"{line}\n" * 20, encoding="utf-8")
    sides = [word for lang in ("de", "en") for word in ("--input", tmp_path / f"text.{lang}")]
    flags = ["--wordpiece", data / "vocab.txt", "--workers", "2", "--pair", "de-en", "--output", enc / "train"]
    code, log = xling("encode", *flags, *sides)
    assert code == 0, log
    done = command(
        *("fairseq-preprocess", "-s", "de", "-t", "en", "--trainpref", enc / "train"),
        *("--srcdict", data / "dict.txt", "--tgtdict", data / "dict.txt", "--destdir", data / "para" / "de-en"),
    )
    assert done.returncode == 0, done.log
    assert "0.0% replaced" in done.log
    code, log = xling("doctor", "--data", data, "--checkpoint", bert)
    assert code == 0, log
    done = fairseq_train(data, *TRAINING, "--restore-file", bert / "model.pt", "--save-dir", tmp_path / "save")
    assert done.returncode == 0, done.log
    before, after = load_model(bert), load_model(tmp_path / "save")
    assert after.num_updates == 2
    assert after.model.cfg.layer_norm_eps == 1e-12
    for key, tensor in before.model.state_dict().items():
        torch.testing.assert_close(after.model.state_dict()[key], tensor, rtol=0, atol=1e-6)
    code, log = xling("convert", tmp_path / "save", tmp_path / "hf")
    assert code == 0, log
    first, second = (transformers.BertForMaskedLM.from_pretrained(f).eval() for f in (hf_bert_folder, tmp_path / "hf"))
    encoding = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")(SENTENCES[:1], return_tensors="pt")
    with torch.no_grad():
        ids = {"input_ids": encoding["input_ids"]}
        torch.testing.assert_close(first(**ids).logits, second(**ids).logits, rtol=0, atol=1e-4)
