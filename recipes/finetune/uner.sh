#!/usr/bin/env bash
# Universal NER: named entities in 9 languages over Universal Dependencies, F1. An openly licensed stand-in for CoNLL.
#
# Data (DATA): LANG_TREEBANK-ud-{train,dev,test}.iob2 of https://github.com/UniversalNER, one treebank a language (name two of a
#   language with TRAIN_FILES, VALID_FILES and TEST_FILES). Some languages have a test part only.
# Hardware: one GPU, 16 GB for base, 32 GB for large. Duration of a seed, an estimate and not measured: under an hour for base.
# Expected: no paper reports it.
#
# The numbers are the papers' for CoNLL. What they do not give: conll.sh.
# Options and variables: common.sh, or --help.

BENCHMARK=uner TASK=token_classification
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
ernie_m                       8  4e-4  0.8  0.1  0.01  10  128 Tables 12 and 13, CoNLL
ernie_m-translate_train_all   8  3e-4  0.8  0.1  0.01  10  128 Tables 12 and 13, CoNLL*
xlmk                         32  5e-6    -  0.1     0  20  128 §4.1, NER
mpmr                         16  1e-5    -  0.1     0  10  192 Table 5, CoNLL
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
