#!/usr/bin/env bash
# XNLI: natural language inference in 15 languages, accuracy.
#
# Data (DATA): multinli.train.LANG.tsv of XNLI-MT-1.0.zip (en for transfer, all for translate_train_all) beside xnli.dev.tsv and
#   xnli.test.tsv of XNLI-1.0.zip, https://github.com/facebookresearch/XNLI; or XTREME's train-en.tsv and
#   dev-LANG.tsv beside xnli.test.tsv (XTREME's own test files have no labels).
# Hardware: one GPU, 16 GB for base, 32 GB for large. Duration of a seed, by arithmetic and not measured: about 2 hours for
#   base, 8 for large (ERNIE-M's 5 epochs on English, a V100 at a third of its single-precision peak).
# Expected, average accuracy: ERNIE-M 77.3, large 82.0; translate_train_all 80.6, large 84.2 (Table 1). XLM-K 74.8 (Table 3).
#   MetaXLM 64.6, + Dict 67.2 (Table 12). mPMR base 73.6, large 79.3 (Table 14). WEAM 77.0 over en es de zh (Table 2).
#
# Not in the papers: longest input of ERNIE-M, XLM-K and MetaXLM (XTREME's 128 is used); fraction of warm-up of XLM-K
# and mPMR (10 %), weight decay of both (none). WEAM says nothing of fine-tuning: its pre-training numbers are used (§3.1),
# with 10 % warm-up. mPMR's are of its large model, which answers questions about the classes; here a classifier learns.
# Options and variables: common.sh, or --help.

BENCHMARK=xnli TASK=sequence_classification
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
ernie_m                             32  5e-5  0.8  0.1     0   5  128 Tables 12 and 13, XNLI
ernie_m-base-translate_train_all   128  5e-5  0.8  0.1     0   2  128 Table 12, XNLI*
ernie_m-large-translate_train_all  128  5e-5  0.8  0.1     0   1  128 Table 13, XNLI*
xlmk                                32  5e-6    -  0.1     0  10  128 §4.1, Details of Fine-Tuning
metaxlm                             32  1e-5    -  0.1  0.01   6  128 Table 8, XNLI
mpmr                                32  3e-5    -  0.1     0   3  192 Table 5, XNLI
weam                                32  5e-5    -  0.1     0   2  128 §3.1, pre-training
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
