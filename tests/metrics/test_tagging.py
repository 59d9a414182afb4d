"""Entity F1 against counts by hand, the rules of conlleval written out, and seqeval."""

from __future__ import annotations

from collections import Counter

import pytest
import seqeval.metrics
from hypothesis import given
from hypothesis import strategies as st

from fairseq_xling.metrics.tagging import EntityCounts, Score, count_entities, count_pos_runs
from fairseq_xling_preprocess.benchmarks import UPOS

ENTITY_TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


@st.composite
def corpora(draw, tags):
    """A few sentences, each with gold and predicted tags."""
    pairs = st.lists(st.tuples(st.sampled_from(tags), st.sampled_from(tags)), min_size=1, max_size=8)
    sentences = draw(st.lists(pairs, min_size=1, max_size=4))
    return [[list(side) for side in zip(*sentence, strict=True)] for sentence in sentences]


def total(corpus, count=count_entities) -> EntityCounts:
    return sum((count(gold, predicted) for gold, predicted in corpus), EntityCounts())


def test_counted_by_hand():
    # gold: PER(0-1) LOC(3) ORG(5-6); predicted: PER(0-1) LOC(3-4) PER(5-6)
    first = count_entities(
        ["B-PER", "I-PER", "O", "B-LOC", "O", "B-ORG", "I-ORG"],
        ["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "B-PER", "I-PER"],
    )
    assert first == EntityCounts(Counter(PER=1), Counter(LOC=1, PER=1), Counter(LOC=1, ORG=1))
    # gold: LOC(0); predicted: LOC(0) LOC(1)
    both = first + count_entities(["B-LOC", "O"], ["B-LOC", "B-LOC"])
    assert both.types == ["LOC", "ORG", "PER"]
    assert both.score() == Score(precision=40, recall=50, f1=pytest.approx(400 / 9))  # 2 of 5 found, 2 of 4 gold
    assert both.score("LOC") == Score(precision=pytest.approx(100 / 3), recall=50, f1=40)
    assert both.score("ORG") == Score(0, 0, 0)
    assert both.score("PER") == Score(precision=50, recall=100, f1=pytest.approx(200 / 3))


def test_broken_predictions_are_read_as_conlleval_reads_them():
    assert count_entities(["B-LOC", "I-LOC"], ["I-LOC", "I-LOC"]).score().f1 == 100
    assert count_entities(["B-PER", "B-LOC"], ["B-PER", "I-LOC"]).score().f1 == 100
    assert count_entities(["B-LOC", "I-LOC"], ["B-LOC", "B-LOC"]).score().f1 == 0


def test_without_any_entity_the_score_is_0():
    assert count_entities(["O"], ["O"]).score() == Score(0, 0, 0)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="1 predicted tags for 2 words"):
        count_entities(["O", "O"], ["O"])


def conlleval(corpus) -> tuple[int, int, int]:
    """Correct, predicted and gold chunks, word by word: conlleval's startOfChunk, endOfChunk and main loop."""

    def parts(tag):
        return (tag[0], tag[2:])

    def starts(before, now):
        return now[0] == "B" or (now[0] == "I" and (before[0] == "O" or before[1] != now[1]))

    def ends(before, now):
        return before[0] != "O" and (now[0] in "BO" or before[1] != now[1])

    correct = predicted = gold = 0
    inside = False
    last_gold = last_predicted = ("O", "")
    for sentence in corpus:
        for gold_tag, predicted_tag in [*zip(*sentence, strict=True), ("O", "O")]:
            now_gold, now_predicted = parts(gold_tag), parts(predicted_tag)
            gold_ends, predicted_ends = ends(last_gold, now_gold), ends(last_predicted, now_predicted)
            gold_starts, predicted_starts = starts(last_gold, now_gold), starts(last_predicted, now_predicted)
            if inside:
                if gold_ends and predicted_ends:
                    correct, inside = correct + 1, False
                elif gold_ends != predicted_ends or now_gold[1] != now_predicted[1]:
                    inside = False
            if gold_starts and predicted_starts and now_gold[1] == now_predicted[1]:
                inside = True
            gold, predicted = gold + gold_starts, predicted + predicted_starts
            last_gold, last_predicted = now_gold, now_predicted
    return correct, predicted, gold


@given(corpora(ENTITY_TAGS))
def test_equals_the_rules_of_conlleval(corpus):
    counts = total(corpus)
    true = counts.true_positives.total()
    assert conlleval(corpus) == (true, true + counts.false_positives.total(), true + counts.false_negatives.total())


def seqeval_score(corpus) -> Score:
    gold, predicted = zip(*corpus, strict=True)
    scores = (seqeval.metrics.precision_score, seqeval.metrics.recall_score, seqeval.metrics.f1_score)
    return Score(*(100 * score(list(gold), list(predicted), zero_division=0) for score in scores))


@given(corpora(ENTITY_TAGS))
def test_equals_seqeval(corpus):
    assert total(corpus).score() == pytest.approx(seqeval_score(corpus))


def test_pos_runs_counted_by_hand():
    # gold runs: DET, NOUN NOUN, VERB; predicted: DET, NOUN, VERB VERB
    counts = count_pos_runs(["DET", "NOUN", "NOUN", "VERB"], ["DET", "NOUN", "VERB", "VERB"])
    assert counts.score() == Score(*[pytest.approx(100 / 3)] * 3)
    # never joined: two SYM are two items
    assert count_pos_runs(["SYM", "SYM"], ["SYM", "NOUN"]).true_positives == Counter(SYM=1)
    assert count_pos_runs(["NUM", "NUM"], ["NUM", "NOUN"]).true_positives == Counter()
    assert count_pos_runs(["CCONJ"], ["SCONJ"]).score().f1 == 0


@pytest.mark.filterwarnings("ignore:.*seems not to be NE tag")
@given(corpora(["NOUN", "NUM", "SYM", "SCONJ", "CCONJ", "INTJ"]))
def test_pos_runs_equal_seqeval(corpus):
    # seqeval 0.0.12 took the first letter for the tag and all letters for the type: since 1.0 that is said so
    spelled = [[[f"{tag[0]}-{tag}" for tag in side] for side in sentence] for sentence in corpus]
    assert total(corpus, count_pos_runs).score() == pytest.approx(seqeval_score(spelled))


@given(corpora(ENTITY_TAGS[1:]))
def test_gold_against_itself_is_100(corpus):
    assert total([(gold, gold) for gold, _ in corpus]).score() == Score(100, 100, 100)


def test_gold_pos_against_itself_is_100():
    assert count_pos_runs(UPOS, UPOS).score() == Score(100, 100, 100)
