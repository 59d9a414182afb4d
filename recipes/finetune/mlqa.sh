#!/usr/bin/env bash
# MLQA: question answering in 7 languages, F1 and exact match, trained on SQuAD.
#
# Data (DATA): dev/ and test/ of MLQA_V1.zip, https://github.com/facebookresearch/MLQA, and train-v1.1.json of SQuAD,
#   https://github.com/rajpurkar/SQuAD-explorer; for translate_train_all further mlqa-translate-train/ of the former.
# Hardware: one GPU, 16 GB for base, 32 GB for large. Duration of a seed, by arithmetic and not measured: about an hour for
#   base, 3 hours for large (2 epochs, a V100 at a third of its single-precision peak).
# Expected, average F1 / exact match: ERNIE-M 68.7 / 50.2, large 73.7 / 55.3 (Table 3). XLM-K 67.1 / 48.9 (Table 1). MetaXLM
#   51.5 / 34.3, + Dict 57.0 / 40.0 (Table 10). mPMR base 65.3 / 48.7, large 73.1 / 55.4 (Table 8). WEAM 68.9 / 51.7 over en
#   es de zh (Table 1).
#
# Not in the papers: longest input of ERNIE-M, XLM-K and MetaXLM (384, as BERT's for SQuAD); fraction of warm-up of XLM-K
# and mPMR (10 %), weight decay of both (none). WEAM says nothing of fine-tuning: its pre-training numbers are used (§3.1),
# but with 384 tokens instead of 128, so that contexts fit, and 10 % warm-up. Questions are cut at 64 tokens (mPMR, Table 5).
# Options and variables: common.sh, or --help.

BENCHMARK=mlqa TASK=question_answering
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
ernie_m        32  3e-4  0.8  0.1  0  2  384 Table 12, MLQA
ernie_m-large  32  8e-5  0.9  0.1  0  2  384 Table 13, MLQA
xlmk           12  3e-5    -  0.1  0  2  384 §4.1, Details of Fine-Tuning
metaxlm        32  3e-5    -  0.1  0  4  384 Table 8, MLQA
mpmr            8  3e-5    -  0.1  0  3  384 Table 5, MLQA
weam           32  5e-5    -  0.1  0  2  384 §3.1, pre-training
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
