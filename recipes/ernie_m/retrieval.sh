#!/usr/bin/env bash
# Fine-tuning of a pre-trained ERNIE-M for sentence retrieval (§4.2, Table 14), then Tatoeba before and after.
#
#   recipes/ernie_m/retrieval.sh SIZE                small, base or large
#   TATOEBA=dir                                      test sets: git clone https://github.com/facebookresearch/LASER,
#                                                    folder data/tatoeba/v1 (tatoeba.deu-eng.deu and so on)
#
# Settings of Table 14, given for large only and used for all sizes: 200,000 updates of 32 pairs, learning rate 5e-5,
# linear schedule with 10 % warm-up, no weight decay; hardest-negative binary cross-entropy on the bilingual corpus of
# pre-training. The hardest of 32 is found on one GPU, so this runs on one.
#
# Hardware: one GPU with 16 GB (large: 32 GB). Duration: not given in the paper, not measured.
# Expected (large): 93.3 on average over the 36 languages, from 87.9 (Tables 5 and 16).
# CHECKPOINT, DATA_BIN, OUT, DRY_RUN as in common.sh; further arguments go to fairseq-train. From a model that was
# pre-trained for a short time only, add --retrieval-warmup-updates N: N updates with the softmax over the batch first.

SIZE=${1:-}
NAME=retrieval-$SIZE
source "$(dirname "$0")/common.sh"
[[ $SIZE =~ ^(small|base|large)$ ]] || die "usage: recipes/ernie_m/retrieval.sh small|base|large"
shift
CHECKPOINT=${CHECKPOINT:-$ROOT/out/ernie_m/$SIZE/checkpoint_last.pt}
need fairseq-train xling
[[ $DRY_RUN || -f $CHECKPOINT ]] || die "CHECKPOINT=$CHECKPOINT: no such file; make it with recipes/ernie_m/$SIZE.sh"
need_data_bin
[[ $DRY_RUN || -z ${TATOEBA:-} || -d $TATOEBA ]] || die "TATOEBA=$TATOEBA: no such folder"
[[ $DRY_RUN ]] || mkdir -p "$OUT/logs"

train "$OUT" "$(shards "$DATA_BIN")" --task retrieval --arch "xling_$SIZE" --max-positions "$MAX_POSITIONS" \
    --finetune-from-model "$CHECKPOINT" --retrieval-loss hardest_negative \
    --dropout 0.1 --attention-dropout 0.1 \
    --optimizer adam --adam-betas '(0.98, 0.999)' --adam-eps 1e-6 --weight-decay 0.0 \
    --lr-scheduler polynomial_decay --lr 5e-5 --warmup-updates 20000 --total-num-update 200000 --max-update 200000 \
    --batch-size 32 "--$PRECISION" --num-workers 2 --seed 1 --log-format simple --log-interval 100 \
    --no-epoch-checkpoints --save-interval-updates 5000 --keep-interval-updates 1 "$@"

if [[ ${TATOEBA:-} ]]; then
    once "$OUT/before/results.json" xling eval tatoeba --checkpoint "$CHECKPOINT" --data "$TATOEBA" --out "$OUT/before"
    once "$OUT/after/results.json" xling eval tatoeba --checkpoint "$OUT/checkpoint_last.pt" --data "$TATOEBA" \
        --out "$OUT/after"
fi
