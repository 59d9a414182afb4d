#!/usr/bin/env bash
# SQuAD v1.1: question answering in English, F1 and exact match. It is what models for MLQA and XQuAD are trained on.
#
# Data (DATA): train-v1.1.json and dev-v1.1.json, https://github.com/rajpurkar/SQuAD-explorer (folder dataset).
# Hardware: one GPU, 16 GB for base, 32 GB for large. Duration of a seed, by arithmetic and not measured: about an hour for
#   base, 3 hours for large (2 epochs, a V100 at a third of its single-precision peak).
# Expected: no paper reports SQuAD itself. English F1 / exact match of the same training: on XQuAD mPMR base 84.4 / 73.4, large
#   87.6 / 76.5 (Table 7); on MLQA ERNIE-M 81.6 / 68.5, large 84.4 / 71.5 (Table 3).
#
# The numbers are the papers' for MLQA (ERNIE-M, XLM-K, WEAM) and XQuAD (MetaXLM, mPMR). The dev part is the test, as the
# real one is not public: the last epoch is tested. What the papers do not give: mlqa.sh, xquad.sh.
# Options and variables: common.sh, or --help.

BENCHMARK=squad TASK=question_answering
TEST_SPLIT=${TEST_SPLIT:-dev} SELECT=${SELECT:-last}
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
ernie_m        32  3e-4  0.8  0.1  0  2  384 Table 12, MLQA
ernie_m-large  32  8e-5  0.9  0.1  0  2  384 Table 13, MLQA
xlmk           12  3e-5    -  0.1  0  2  384 §4.1, MLQA
metaxlm        32  3e-5    -  0.1  0  4  384 Table 8, XQuAD
mpmr            8  3e-5    -  0.1  0  3  384 Table 5, XQuAD
weam           32  5e-5    -  0.1  0  2  384 §3.1, pre-training
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
