#!/usr/bin/env bash
# WEAM for English and Spanish (WEAM, §3.1): mBERT trained further on Europarl v7, 2.0 million pairs, aligned with fast_align.
#
# Expected, zero-shot: MLQA Spanish EM / F1 49.6 / 67.8 (mBERT + TLM 47.7 / 65.7), XNLI Spanish 76.4 (75.0); Tables 1 and 2.
# Duration: not given in the paper, not measured. Variables: common.sh.

TARGET=es
check_corpus() { :; }
corpus() { europarl es; }
source "$(dirname "$0")/common.sh"
