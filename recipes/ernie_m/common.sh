# What the recipes of this folder share. small.sh, base.sh, large.sh and retrieval.sh source it and set what differs.
#
# Variables of the user, with their defaults:
#   DATA_BIN=out/ernie_m/data-bin    from prepare_data.sh: a data-bin, or a folder of shards shard0, shard1, ...
#   OUT=out/ernie_m/SIZE             checkpoints and log; the same command again goes on from the last checkpoint
#   NODES=1 GPUS=<those of this machine>   the batch of the paper is reached by accumulation (--update-freq)
#   MASTER=host PORT=29500           several nodes: host of the first one (launch lines: ../README.md)
#   MAX_TOKENS                       tokens on a GPU at a time; more is faster, less needs less memory
#   PRECISION=fp16|bf16              fp16 suits the paper's V100, bf16 needs Ampere or later
#   UPDATES, OBJECTIVES              for the ablation of Table 6: UPDATES=50000 OBJECTIVES=mmlm,tlm recipes/ernie_m/base.sh
#   SAMPLING_ALPHA=0.7               not given in the paper; InfoXLM's, from whom it takes the bilingual corpus
#   DRY_RUN=1                        print the command only
# Any further argument goes to fairseq-train.

THREADS=${THREADS:-1}  # of each process; the GPUs do the work
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

OUT=${OUT:-$ROOT/out/ernie_m/${NAME:-$SIZE}}
DATA_BIN=${DATA_BIN:-$ROOT/out/ernie_m/data-bin}
PRECISION=${PRECISION:-fp16}
MAX_POSITIONS=512  # §4.1: "512 max length"

# need_data_bin: stop unless DATA_BIN is there
need_data_bin() {
    [[ $DRY_RUN || -d $DATA_BIN ]] || die "DATA_BIN=$DATA_BIN: no such folder; make it with recipes/ernie_m/prepare_data.sh"
}

# pretrain OPTION...: Table 11; BATCH is in sequences of 512 tokens, over all objectives
pretrain() {
    need fairseq-train
    launcher
    need_data_bin
    local per_update=$((NODES * GPUS * MAX_TOKENS))
    local update_freq=$(((BATCH * MAX_POSITIONS + per_update - 1) / per_update))
    local objectives=()
    if [[ ${OBJECTIVES:-} ]]; then objectives=(--objectives "$OBJECTIVES"); fi
    [[ $DRY_RUN ]] || { mkdir -p "$OUT" && OUT=$(cd "$OUT" && pwd); }
    train "$OUT" "$(shards "$DATA_BIN")" --task btmlm "${objectives[@]}" --arch "xling_$SIZE" \
        --max-positions "$MAX_POSITIONS" --sample-break-mode complete_doc --sampling-alpha "${SAMPLING_ALPHA:-0.7}" \
        --dropout 0.1 --attention-dropout 0.1 \
        --optimizer adam --adam-betas '(0.98, 0.999)' --adam-eps 1e-6 --weight-decay 0.01 \
        --lr-scheduler polynomial_decay --lr "$LR" --warmup-updates 10000 --total-num-update "$UPDATES" \
        --max-update "$UPDATES" --max-tokens "$MAX_TOKENS" --update-freq "$update_freq" \
        "--$PRECISION" --ddp-backend legacy_ddp --num-workers 4 --seed 1 --log-format simple --log-interval 100 \
        --no-epoch-checkpoints --save-interval-updates 5000 --keep-interval-updates 3 "$@"
}

# initial_model NAME: sets INITIAL to the official model's file, XLMR or out/ernie_m/NAME (prepare_data.sh gets it)
initial_model() {
    local folder=${XLMR:-$ROOT/out/ernie_m/$1}
    INITIAL=$folder/model.pt
    [[ $DRY_RUN || -f $INITIAL ]] || die "$INITIAL is missing: get $1 with recipes/ernie_m/prepare_data.sh, or set XLMR to its folder"
}
