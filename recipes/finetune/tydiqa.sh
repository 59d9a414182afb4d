#!/usr/bin/env bash
# TyDiQA-GoldP: question answering in 9 languages, F1 and exact match.
#
# Data (DATA): tydiqa.goldp.LANG.train.json and tydiqa.goldp.LANG.dev.json, one file a language as XTREME's scripts write them,
#   https://github.com/google-research/xtreme (scripts/download_data.sh).
# Hardware: one GPU, 16 GB for base, 32 GB for large. Duration of a seed, by arithmetic and not measured: about an hour for
#   base with MetaXLM's 40 epochs, as long for large with mPMR's 10 (a V100 at a third of its single-precision peak).
# Expected, average F1 / exact match: MetaXLM 39.7 / 23.0, + Dict 44.4 / 27.8 (Table 11). mPMR base 63.4 / 49.0, large
#   74.7 / 58.3 (Table 9).
#
# The dev part is the test, as the real one is not public: the last epoch is tested, nothing is chosen by it.
# Not in the papers: MetaXLM's longest input (384, as BERT's for SQuAD); mPMR's warm-up (10 %) and weight decay (none).
# Questions are cut at 64 tokens (mPMR, Table 5). mPMR's numbers are of its large model.
# Options and variables: common.sh, or --help.

BENCHMARK=tydiqa TASK=question_answering
TEST_SPLIT=${TEST_SPLIT:-dev} SELECT=${SELECT:-last}
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
metaxlm  32  4e-5  -  0.1  0  40  384 Table 8, TyDiQA
mpmr      8  2e-5  -  0.1  0  10  384 Table 5, TyDiQA
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
