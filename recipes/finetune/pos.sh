#!/usr/bin/env bash
# Parts of speech of Universal Dependencies in 33 languages, F1 as XTREME counts it.
#
# Data (DATA): LANG_TREEBANK-ud-{train,dev,test}.conllu of the treebanks, https://github.com/UniversalDependencies;
#   the paper's are of v2.5. One treebank a language (name two of a language with TRAIN_FILES, VALID_FILES and TEST_FILES).
# Hardware: one GPU, 16 GB. Duration of a seed, an estimate and not measured: under half an hour for base (10 epochs of
#   12,500 sentences of English EWT).
# Expected, average F1: MetaXLM 63.7, + Dict 67.4 (Table 14).
#
# Not in the paper: longest input (XTREME's 128 is used; longer sentences are cut into several).
# Options and variables: common.sh, or --help.

BENCHMARK=pos TASK=token_classification
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
metaxlm  32  1e-5  -  0.1  0  10  128 Table 8, POS
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
