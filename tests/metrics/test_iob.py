"""Tag schemes."""

from __future__ import annotations

import pytest

from fairseq_xling.metrics.iob import Span, spans, to_iob2


@pytest.mark.parametrize(
    ("tags", "iob2"),
    [
        ("O B-PER I-PER O B-LOC", "O B-PER I-PER O B-LOC"),  # valid IOB2 stays
        ("I-PER I-PER O I-LOC", "B-PER I-PER O B-LOC"),  # IOB1
        ("I-PER B-PER I-PER", "B-PER B-PER I-PER"),  # IOB1: B only between neighbours of one type
        ("I-PER I-LOC", "B-PER B-LOC"),
        ("B-PER I-LOC I-LOC", "B-PER B-LOC I-LOC"),  # broken IOB2
        ("O I-LOC O", "O B-LOC O"),
        ("", ""),
    ],
)
def test_to_iob2(tags, iob2):
    assert to_iob2(tags.split()) == iob2.split()
    assert to_iob2(iob2.split()) == iob2.split()


def test_spans():
    tags = ["B-PER", "I-PER", "B-PER", "O", "I-LOC", "I-ORG"]
    assert spans(tags) == {Span("PER", 0, 2), Span("PER", 2, 3), Span("LOC", 4, 5), Span("ORG", 5, 6)}


def test_no_entity():
    assert spans(["O", "O"]) == set()
