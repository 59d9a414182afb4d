#!/usr/bin/env bash
# ERNIE-M base, initialised with XLM-R base (Table 11, BASE): 12 layers x 768, 150,000 updates of 2,048 sequences of
# 512 tokens.
#
# Hardware: 64 V100-32GB (§4.1); fewer by accumulation.
# Duration: not given in the paper. By arithmetic about 13 hours on 64 V100 at a third of their peak; not measured.
# Expected: the ablation of Table 6 (50,000 updates each), XNLI / CoNLL: MMLM 75.8 / 79.2, + TLM 76.3 / 78.3, + CAMLM
#   76.1 / 79.5, + CAMLM + BTMLM 76.6 / 79.6, all 76.9 / 79.6.
# Data: prepare_data.sh, which also gets XLM-R (or XLMR=folder). Variables: common.sh.

SIZE=base BATCH=2048 LR=2e-4
UPDATES=${UPDATES:-150000}
MAX_TOKENS=${MAX_TOKENS:-8192}
source "$(dirname "$0")/common.sh"

initial_model xlmr.base
pretrain --finetune-from-model "$INITIAL" "$@"
