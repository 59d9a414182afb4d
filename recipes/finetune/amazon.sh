#!/usr/bin/env bash
# Amazon reviews: polarity in 4 languages and 3 domains, each trained and tested by itself, accuracy.
#
# Data (DATA): LANG/DOMAIN/train.review and test.review of cls-acl10-unprocessed.tar.gz (Prettenhofer and Stein, 2010),
#   https://zenodo.org/record/3251672; LANG is en, de, fr or jp, DOMAIN books, dvd or music. There is no dev part.
# Hardware: one GPU with 16 GB. Duration of a seed, by arithmetic and not measured: about 40 minutes for base and all twelve
#   (5 epochs of 2,000 reviews each, a V100 at a third of its single-precision peak).
# Expected, average accuracy: MetaXLM 84.3, + Dict 85.0 (Table 2).
#
# Not in the paper: longest input (the 512 positions of XLM-R are used) and how the model is chosen (the last epoch is).
# Options and variables: common.sh, or --help. Default setting: supervised.

BENCHMARK=amazon TASK=sequence_classification
DEFAULT_SETTING=supervised SOURCE_LANGUAGES=en-books,en-dvd,en-music SELECT=${SELECT:-last}
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
metaxlm  32  2e-5  -  0.1  0.01  5  512 Table 8, Amazon
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
