#!/usr/bin/env bash
# SemEval-2016 task 5: targets of opinions and their polarity in restaurant reviews in 6 languages, F1.
#
# Data (DATA): LANG-train.tsv, LANG-dev.tsv, LANG-test.tsv with token, tag and category (docs/formats.md), as in
#   https://github.com/DAMO-NLP-SG/PMR (ABSA/Data/rest). The set has terms of its own: https://alt.qcri.org/semeval2016/task5/.
# Hardware: one GPU, 16 GB for base, 32 GB for large. Duration of a seed, an estimate and not measured: minutes for base
#   (20 epochs of 1,600 sentences).
# Expected, average F1: mPMR base 62.1, large 68.2; XLM-R as its baseline 60.0, large 66.1 (Table 12).
#
# Not in the paper: warm-up (10 %) and weight decay (none). Its numbers are of the large model, which asks for each
# polarity; here words are tagged.
# Options and variables: common.sh, or --help.

BENCHMARK=absa TASK=token_classification
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
mpmr  32  2e-5  -  0.1  0  20  192 Table 5, SemEval16
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
