#!/usr/bin/env bash
# CoNLL-2002 and CoNLL-2003: named entities in English, Dutch, Spanish and German, F1.
#
# Data (DATA): eng.train, eng.testa, eng.testb and so on, with ned, esp and deu (or en, nl, es, de). 2002 (Dutch, Spanish):
#   https://www.clips.uantwerpen.be/conll2002/ner/; 2003 (English, German): .../conll2003/ner/, whose texts, Reuters and ECI, have
#   licences of their own. In UTF-8.
# Hardware: one GPU, 16 GB for base, 32 GB for large. Duration of a seed, an estimate and not measured: under an hour for base
#   (10 epochs of 14,000 sentences; a batch of 8 does not fill a GPU).
# Expected, average F1: ERNIE-M 79.56, large 81.64; translate_train_all 89.32, large 90.81 (Table 2); small 69.8 (Table 8).
#   XLM-K 79.8 (Table 2). mPMR base 81.7, large 84.1 (Table 11).
#
# translate_train_all is the training on all four languages of ERNIE-M's Table 2; nothing in it is translated.
# Not in the papers: longest input of ERNIE-M and XLM-K (XTREME's 128 is used; longer sentences are cut into several);
# fraction of warm-up of XLM-K and mPMR (10 %), weight decay of both (none). mPMR's numbers are of its large model, which asks
# for each entity type; here words are tagged.
# Options and variables: common.sh, or --help.

BENCHMARK=conll TASK=token_classification
# paper[-size][-setting] batch lr layer-decay warm-up weight-decay epochs length, where from
SETTINGS="
ernie_m                       8  4e-4  0.8  0.1  0.01  10  128 Tables 12 and 13, CoNLL
ernie_m-translate_train_all   8  3e-4  0.8  0.1  0.01  10  128 Tables 12 and 13, CoNLL*
xlmk                         32  5e-6    -  0.1     0  20  128 §4.1, Details of Fine-Tuning
mpmr                         16  1e-5    -  0.1     0  10  192 Table 5, CoNLL
"
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
