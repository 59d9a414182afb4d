#!/usr/bin/env bash
# XQuAD: question answering in 11 languages, F1 and exact match, trained on SQuAD and chosen by its dev part.
#
# Data (DATA): xquad.LANG.json of https://github.com/google-deepmind/xquad, train-v1.1.json and dev-v1.1.json of SQuAD,
#   https://github.com/rajpurkar/SQuAD-explorer. XQuAD's English questions are a part of SQuAD's dev part, by its design.
# Hardware: one GPU, 16 GB for base, 32 GB for large. Duration of a seed, by arithmetic and not measured: about 2 hours for
#   base, 5 for large (3 epochs, a V100 at a third of its single-precision peak).
# Expected, average F1 / exact match: MetaXLM 57.9 / 42.0, + Dict 64.4 / 49.0 (Table 9). mPMR base 74.0 / 59.5, large
#   79.2 / 64.4 (Table 7).
#
# Not in the papers: MetaXLM's longest input (384, as BERT's for SQuAD); mPMR's warm-up (10 %) and weight decay (none).
# Questions are cut at 64 tokens (mPMR, Table 5). mPMR's numbers are of its large model.
# Options and variables: common.sh, or --help.

BENCHMARK=xquad TASK=question_answering
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
metaxlm  32  3e-5  -  0.1  0  4  384 Table 8, XQuAD
mpmr      8  3e-5  -  0.1  0  3  384 Table 5, XQuAD
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
