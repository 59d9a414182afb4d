#!/usr/bin/env bash
# ERNIE-M small, from scratch (Table 11, SMALL): 6 layers x 768, 240,000 updates of 1,024 sequences of 512 tokens.
#
# Hardware: the paper names 64 V100-32GB for its pre-training (§4.1), not what the small model took. Any number of GPUs
#   with 16 GB will do; the batch is accumulated.
# Duration: not given in the paper. By arithmetic about 6 hours on 64 V100 at a third of their peak; not measured.
# Expected: after fine-tuning on English, XNLI 70.1 and CoNLL 69.8, averages over languages (Table 8, last row; the rows
#   above it: OBJECTIVES=mmlm | mmlm,tlm | mmlm,camlm | mmlm,camlm,btmlm).
# Data: prepare_data.sh. Variables: common.sh.

SIZE=small BATCH=1024 LR=3e-4
UPDATES=${UPDATES:-240000}
MAX_TOKENS=${MAX_TOKENS:-8192}
source "$(dirname "$0")/common.sh"

pretrain "$@"
