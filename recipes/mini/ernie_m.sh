#!/usr/bin/env bash
# ERNIE-M's ladder of objectives (Table 8) in small, on Multi30k en-de-fr-cs (29,000 sentences, 4 languages).
#
#   recipes/mini/ernie_m.sh [OUT]                    default OUT: out/mini/ernie_m
#   BUDGET=smoke recipes/mini/ernie_m.sh out/smoke   the whole chain in under three minutes, numbers without meaning
#   SEEDS="1 2 3" ROWS="mmlm tlm" ...                more seeds, fewer rows
#   PAIRS=1000 ...                                   only the first 1,000 lines as pairs, all as monolingual text
#   TRANSFER_DATA=DIR TRANSFER_SEEDS="1 2 3" ...     Universal Dependencies for the transfer; TRANSFER_DATA= for none
#
# Every row has the same encoder, updates and seeds; each of its objectives takes a batch of the same size per update.
# Result, in OUT/report.md and OUT/results.json: retrieval accuracy of all layers, both directions, plain and centred, on the
# validation part; and as in the paper's table the cross-lingual transfer of a task, here parts of speech: the row's model is
# fine-tuned on English alone and tested on German and French. A row that is finished is not made again; an interrupted
# one goes on from its last checkpoint.
#
# Data: multi30k.{train,val}.{en,de,fr,cs}.gz in DATA (or the original names, train.en.gz and so on);
# en_ewt-ud-train.conllu and {en,de,fr}_*-ud-dev.conllu in TRANSFER_DATA (https://universaldependencies.org), plain or .gz.
# Hardware: 2 CPU cores, or a GPU if there is one. Duration: on one thread of a shared CPU 17 to 23 minutes for
# mmlm, tlm, camlm and camlm_btmlm, an hour for ernie_m, whose update has four batches; a transfer 3 minutes. Expect the
# README's table.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

OUT=${1:-$ROOT/out/mini/ernie_m}
DATA=${DATA:-$ROOT/../shared/data/parallel}
ROWS=${ROWS:-mmlm tlm camlm camlm_btmlm tlm_camlm ernie_m}
SEEDS=${SEEDS:-1}
languages=(cs de en fr)
pairs=("en cs" "en de" "en fr")
TRANSFER_DATA=${TRANSFER_DATA-$ROOT/../shared/data/downstream/ud}
TRANSFER_SEEDS=${TRANSFER_SEEDS:-1 2 3}

BUDGET=${BUDGET:-full}
choice BUDGET smoke full
case $BUDGET in
    full) : "${UPDATES:=8000}" "${MAX_LINES:=1000000}" "${VOCAB_SIZE:=4000}" "${TRANSFER_EPOCHS:=3}" ;;
    smoke) : "${UPDATES:=4}" "${MAX_LINES:=500}" "${VOCAB_SIZE:=1500}" "${TRANSFER_EPOCHS:=0}" ;;
esac
PAIRS=${PAIRS:-$MAX_LINES}
LAYERS=${LAYERS:-3}
DIM=${DIM:-128}
HEADS=${HEADS:-4}
DROPOUT=${DROPOUT:-0}
OBJECTIVE_TOKENS=${OBJECTIVE_TOKENS:-1024}  # of each objective, in every update
LR=${LR:-2e-3}
WARMUP_UPDATES=${WARMUP_UPDATES:-$(part "$UPDATES" 20)}
MASK_PROB=${MASK_PROB:-0.3}
PSEUDO_RATIO=${PSEUDO_RATIO:-0.2}
BTMLM_START=${BTMLM_START:-$(part "$UPDATES" 2)}  # when CAMLM has taught the model to generate

declare -A OBJECTIVES=(
    [mmlm]=mmlm
    [tlm]=mmlm,tlm
    [camlm]=mmlm,camlm
    [camlm_btmlm]=mmlm,camlm,btmlm
    [tlm_camlm]=mmlm,tlm,camlm
    [ernie_m]=mmlm,tlm,camlm,btmlm
)
check_rows "${!OBJECTIVES[@]}"
check_seeds

# ---- data -----------------------------------------------------------------------------------------------------------

prefix=multi30k.
if [[ ! -e $DATA/multi30k.train.en.gz && -e $DATA/train.en.gz ]]; then prefix=; fi
for lang in "${languages[@]}"; do
    for split in train val; do
        [[ -f $DATA/$prefix$split.$lang.gz ]] ||
            die "$DATA/$prefix$split.$lang.gz is missing; Multi30k is public: get data/task1/raw of" \
                "https://github.com/multi30k/dataset and set DATA to that folder"
    done
done

need xling fairseq-preprocess fairseq-train
prepare_out "$(
    echo "data $(cd "$DATA" && cksum "$prefix"{train,val}.{cs,de,en,fr}.gz | cksum)"
    echo "settings $BUDGET $UPDATES $MAX_LINES $PAIRS $VOCAB_SIZE $LAYERS $DIM $HEADS $DROPOUT $OBJECTIVE_TOKENS $LR $WARMUP_UPDATES" \
        "$MASK_PROB $PSEUDO_RATIO $BTMLM_START"
)"

stage "vocabulary, encoding and binarisation"
for lang in "${languages[@]}"; do
    for split in train val; do
        once "$OUT/text/${split/val/valid}/$lang" bash -c "gzip -dc '$DATA/$prefix$split.$lang.gz' | head -n $MAX_LINES >'{}'"
    done
done
for pair in "${pairs[@]}"; do
    for lang in $pair; do
        once "$OUT/text/train/${pair/ /-}.$lang" bash -c "head -n $PAIRS '$OUT/text/train/$lang' >'{}'"
        once "$OUT/text/valid/${pair/ /-}.$lang" cp "$OUT/text/valid/$lang" "{}"
    done
done
prepare --size "$VOCAB_SIZE" --character-coverage 0.9995

# ---- rows -----------------------------------------------------------------------------------------------------------

for seed in $SEEDS; do
    for row in $ROWS; do
        stage "$row, seed $seed: ${OBJECTIVES[$row]}"
        commas=${OBJECTIVES[$row]//[^,]/}
        train "$OUT/$row-$seed" "$DATA_BIN" --task btmlm --objectives "${OBJECTIVES[$row]}" --seed "$seed" "${DEVICE[@]}" \
            --arch xling_tiny --encoder-normalize-before --encoder-layers "$LAYERS" --encoder-embed-dim "$DIM" \
            --encoder-ffn-embed-dim $((4 * DIM)) --encoder-attention-heads "$HEADS" --max-positions 128 --reset-positions \
            --dropout "$DROPOUT" --attention-dropout "$DROPOUT" --mask-prob "$MASK_PROB" \
            --btmlm-pseudo-ratio "$PSEUDO_RATIO" --btmlm-start-update "$BTMLM_START" \
            --optimizer adam --adam-betas '(0.9, 0.98)' --lr "$LR" --lr-scheduler polynomial_decay --clip-norm 1.0 \
            --warmup-updates "$WARMUP_UPDATES" --total-num-update "$UPDATES" --max-update "$UPDATES" \
            --max-tokens $((OBJECTIVE_TOKENS * (${#commas} + 1))) --num-workers 1 --log-format simple --log-interval "$(part "$UPDATES" 10)" \
            --no-epoch-checkpoints --save-interval 1000000 --save-interval-updates "$(part "$UPDATES" 2)" \
            --keep-interval-updates 1 --validate-interval 1000000 --validate-interval-updates "$UPDATES"
        tests=()
        for lang in cs de fr; do tests+=(--pair "$lang-en=$OUT/text/valid/$lang,$OUT/text/valid/en"); done
        once "$OUT/$row-$seed/eval/results.json" xling eval tatoeba --checkpoint "$OUT/$row-$seed/checkpoint_last.pt" \
            "${tests[@]}" --centre --out "$OUT/$row-$seed/eval"
    done
done

# ---- transfer -------------------------------------------------------------------------------------------------------

if [[ ! -d $TRANSFER_DATA || $TRANSFER_EPOCHS == 0 ]]; then TRANSFER_SEEDS=; fi
for tuning_seed in $TRANSFER_SEEDS; do
    for seed in $SEEDS; do
        for row in $ROWS; do
            stage "$row, seed $seed: transfer of parts of speech, seed $tuning_seed"
            run=$OUT/$row-$seed/transfer-$tuning_seed
            [[ ! -e $run/eval/results.json ]] || continue
            train "$run" "$OUT/$row-$seed/checkpoint_last.pt" --task token_classification --benchmark pos "${DEVICE[@]}" \
                --benchmark-data "$TRANSFER_DATA" --arch xling --seed "$tuning_seed" --dropout 0.1 \
                --optimizer adam --lr 5e-4 --lr-scheduler warmup_linear --batch-size 32 --max-epoch "$TRANSFER_EPOCHS" \
                --num-workers 1 --log-format simple --log-interval 100 --no-epoch-checkpoints --disable-validation
            once "$run/eval/results.json" xling eval pos --checkpoint "$run/checkpoint_last.pt" --data "$TRANSFER_DATA" \
                --split dev --languages en,de,fr --out "$run/eval"
            rm -f "$run"/checkpoint*.pt
        done
    done
done

# ---- report ---------------------------------------------------------------------------------------------------------

stage "report"
report mini/ernie_m --rows "$ROWS" --seeds "$SEEDS" --transfer-seeds "$TRANSFER_SEEDS" --note "$LAYERS layers of width $DIM, \
$UPDATES updates of $OBJECTIVE_TOKENS tokens per objective, learning rate $LR, vocabulary $VOCAB_SIZE, mask probability $MASK_PROB, \
pseudo ratio $PSEUDO_RATIO, at most $PAIRS lines as pairs."
