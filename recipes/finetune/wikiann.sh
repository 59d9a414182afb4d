#!/usr/bin/env bash
# WikiAnn (PAN-X): named entities in 40 languages, F1.
#
# Data (DATA): LANG/train, LANG/dev, LANG/test in the balanced split of Rahimi et al. (2019), which XTREME uses,
#   https://github.com/afshinrahimi/mmner; or XTREME's train-LANG.tsv and dev-LANG.tsv beside LANG/test (XTREME's
#   own test files have no tags).
# Hardware: one GPU, 16 GB. Duration of a seed, an estimate and not measured: under an hour for base (20,000 short sentences;
#   a batch of 8 or 16 does not fill a GPU).
# Expected, average F1: MetaXLM 54.0, + Dict 55.0 (Table 1, NER). mPMR base 66.6, large 70.7 (Table 10).
#
# Not in the papers: MetaXLM's longest input (XTREME's 128 is used; longer sentences are cut into several); mPMR's warm-up
# (10 %) and weight decay (none). mPMR's are of its large model, which asks for each entity type; here words are tagged.
# Options and variables: common.sh, or --help.

BENCHMARK=wikiann TASK=token_classification
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
metaxlm   8  7e-6  -  0.1  0  10  128 Table 8, NER
mpmr     16  1e-5  -  0.1  0  10  192 Table 5, WikiAnn
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
