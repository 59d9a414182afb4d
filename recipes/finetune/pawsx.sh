#!/usr/bin/env bash
# PAWS-X: paraphrase identification in 7 languages, accuracy.
#
# Data (DATA): LANG/translated_train.tsv (en/train.tsv), LANG/dev_2k.tsv, LANG/test_2k.tsv of x-final.tar.gz,
#   https://github.com/google-research-datasets/paws/tree/master/pawsx; or XTREME's train-LANG.tsv and
#   dev-LANG.tsv beside LANG/test_2k.tsv (XTREME's own test files have no labels).
# Hardware: one GPU, 16 GB for base, 32 GB for large. Duration of a seed, by arithmetic and not measured: under an hour for
#   base, about 3 hours for large (10 epochs on English, a V100 at a third of its single-precision peak).
# Expected, average accuracy: ERNIE-M large 89.5; translate_train_all 91.8 (Table 4). MetaXLM 83.2, + Dict 84.2 (Table 13).
#   mPMR base 86.1, large 88.0 (Table 13).
#
# Not in the papers: ERNIE-M's numbers for base (those of large are used); longest input of ERNIE-M and MetaXLM (XTREME's 128
# is used); mPMR's warm-up (10 %) and weight decay (none). mPMR's are of its large model, which answers questions about the
# classes; here a classifier learns.
# Options and variables: common.sh, or --help.

BENCHMARK=pawsx TASK=sequence_classification
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
ernie_m                      64  5e-5  0.9  0.1  0.01  10  128 Table 13, PAWS-X
ernie_m-translate_train_all  64  7e-5  0.9  0.1  0.01   2  128 Table 13, PAWS-X*
metaxlm                      32  2e-5    -  0.1  0.01  10  128 Table 8, PAWS-X
mpmr                         16  5e-5    -  0.1     0  10  192 Table 5, PAWS-X
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
