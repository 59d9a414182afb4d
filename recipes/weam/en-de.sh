#!/usr/bin/env bash
# WEAM for English and German (WEAM, §3.1): mBERT trained further on Europarl v7, 1.9 million pairs, aligned with fast_align.
#
# Expected, zero-shot: MLQA German EM / F1 49.7 / 64.3 (mBERT + TLM 48.4 / 63.1), XNLI German 74.5 (73.5); Tables 1 and 2.
# Duration: not given in the paper, not measured. Variables: common.sh.

TARGET=de
check_corpus() { :; }
corpus() { europarl de; }
source "$(dirname "$0")/common.sh"
