#!/usr/bin/env bash
# What BTMLM adds to few pairs: English captions, and as the other language the same English in another alphabet.
#
#   recipes/mini/btmlm.sh [OUT]                      default OUT: out/mini/btmlm
#   BUDGET=smoke recipes/mini/btmlm.sh out/smoke     the whole chain in under three minutes, numbers without meaning
#   SEEDS="1 2" CURVE= recipes/mini/btmlm.sh         fewer seeds; no other numbers of pairs
#
# The other language is synthetic: a cipher, letter for letter, of English (K et al., 2020; Dufter and Schütze, 2020, replace pieces).
# Each word has one translation and the order is the same, which no real pair offers; the sentences and their words' frequencies
# are real. Digits and punctuation stay as they are. Its code is qaa, one of those reserved for local use.
#
# The first 2,000 training lines make the pairs (PAIRS of them are used); of the others every second one is the monolingual English
# text, the rest in cipher the text of qaa. The validation part in both languages is held out. A line that repeats an earlier or a
# held-out one is left out and counted, so that no sentence is in two of these four parts.
#
# Rows, at PAIRS pairs and for every seed: mmlm; + TLM; + TLM + CAMLM; the same for a third more updates (control: more than BTMLM's
# batches and generation cost); + BTMLM, which starts half-way. Then CURVE_ROWS at other numbers of pairs, CURVE. Result, in
# OUT/report.md and OUT/results.json: how many masked tokens of the held-out pairs each restores, as TLM and as CAMLM, by how often
# the token occurs in the pairs; and retrieval at every layer, plain and centred. Rows are made in the order of the seeds, the curve
# last, JOBS at a time. A row that is finished is not made again; an interrupted one goes on from its last checkpoint.
#
# Data: multi30k.{train,val}.en.gz in DATA (or the original names, train.en.gz and val.en.gz).
# Hardware: 2 CPU cores, or a GPU if there is one. Duration and what to expect: docs/ernie-m.md.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

OUT=${1:-$ROOT/out/mini/btmlm}
DATA=${DATA:-$ROOT/../shared/data/parallel}
ROWS=${ROWS:-mmlm tlm tlm_camlm control btmlm}

BUDGET=${BUDGET:-full}
choice BUDGET smoke full
case $BUDGET in
    full)
        : "${SEEDS:=1 2 3 4}" "${CURVE_SEEDS:=1 2}" "${PAIRS:=500}" "${CURVE=250 1000 2000}" "${CURVE_ROWS:=tlm_camlm btmlm}" "${PAIR_LINES:=2000}"
        : "${UPDATES:=3000}" "${MAX_LINES:=1000000}" "${VOCAB_SIZE:=4000}" "${PASSES:=5}"
        ;;
    smoke)
        : "${SEEDS:=1}" "${CURVE_SEEDS:=1}" "${PAIRS:=50}" "${CURVE=100}" "${CURVE_ROWS:=btmlm}" "${PAIR_LINES:=100}"
        : "${UPDATES:=3}" "${MAX_LINES:=500}" "${VOCAB_SIZE:=500}" "${PASSES:=1}"
        ;;
esac
CONTROL_UPDATES=${CONTROL_UPDATES:-$((UPDATES * 4 / 3))}
LAYERS=${LAYERS:-3}
DIM=${DIM:-128}
HEADS=${HEADS:-4}
OBJECTIVE_TOKENS=${OBJECTIVE_TOKENS:-1024}  # of each objective, in every update
LR=${LR:-2e-3}
MASK_PROB=${MASK_PROB:-0.3}
PSEUDO_RATIO=${PSEUDO_RATIO:-0.3}
BTMLM_START=${BTMLM_START:-$(part "$UPDATES" 2)}  # when CAMLM has taught the model to generate
JOBS=${JOBS:-$WORKERS}                            # rows trained at the same time, each in a thread

LATIN=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ
CIPHER=абвгдежзийклмнопрстуфхцчшщАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩ

declare -A OBJECTIVES=(
    [mmlm]=mmlm
    [tlm]=mmlm,tlm
    [tlm_camlm]=mmlm,tlm,camlm
    [control]=mmlm,tlm,camlm
    [btmlm]=mmlm,tlm,camlm,btmlm
)
check_rows mmlm tlm tlm_camlm control btmlm
ROWS=$CURVE_ROWS check_rows mmlm tlm tlm_camlm control btmlm
check_seeds
SEEDS=$CURVE_SEEDS check_seeds
positive PAIRS PAIR_LINES UPDATES CONTROL_UPDATES MAX_LINES VOCAB_SIZE PASSES JOBS
for number in $PAIRS $CURVE; do
    [[ $number =~ ^[1-9][0-9]*$ ]] && ((number <= PAIR_LINES)) ||
        die "PAIRS or CURVE: '$number' is no number from 1 to PAIR_LINES=$PAIR_LINES"
done

# ---- text -----------------------------------------------------------------------------------------------------------

prefix=multi30k.
if [[ ! -e $DATA/multi30k.train.en.gz && -e $DATA/train.en.gz ]]; then prefix=; fi
for split in train val; do
    [[ -f $DATA/$prefix$split.en.gz ]] ||
        die "$DATA/$prefix$split.en.gz is missing; Multi30k is public: get data/task1/raw of" \
            "https://github.com/multi30k/dataset and set DATA to that folder"
done

need xling fairseq-preprocess fairseq-train
prepare_out "$(
    echo "data $(cd "$DATA" && cksum "$prefix"{train,val}.en.gz | cksum)"
    echo "settings $BUDGET $UPDATES $CONTROL_UPDATES $MAX_LINES $PAIR_LINES $VOCAB_SIZE $LAYERS $DIM $HEADS $OBJECTIVE_TOKENS $LR" \
        "$MASK_PROB $PSEUDO_RATIO $BTMLM_START $PASSES"
)"

stage "text"
cipher() { LC_ALL=C.UTF-8 sed "y/$LATIN/$CIPHER/" "$1"; }
# split DIR: the four parts, English and in cipher, and the number of lines left out
split() {
    mkdir -p "$1/train" "$1/valid"
    head -n "$MAX_LINES" <(gzip -dc "$DATA/${prefix}val.en.gz") >"$1/valid/en"
    awk -v pairs="$PAIR_LINES" -v out="$1" '
        NR == FNR { seen[$0]; next }
        $0 in seen { repeated++; next }
        { seen[$0]; print > (out (++n <= pairs ? "/train/pairs.en" : n % 2 ? "/train/en" : "/train/plain")) }
        END { print repeated + 0 > (out "/repeated") }' "$1/valid/en" <(head -n "$MAX_LINES" <(gzip -dc "$DATA/${prefix}train.en.gz"))
    cipher "$1/train/pairs.en" >"$1/train/pairs.qaa"
    cipher "$1/train/plain" >"$1/train/qaa"
    cipher "$1/valid/en" >"$1/valid/qaa"
    rm "$1/train/plain"
}
if [[ ! -d $OUT/text ]]; then
    rm -rf "$OUT/.text.tmp" && mkdir "$OUT/.text.tmp"
    split "$OUT/.text.tmp"
    mv "$OUT/.text.tmp" "$OUT/text"
fi

# ---- pieces ---------------------------------------------------------------------------------------------------------

# the vocabulary is that of the monolingual text, whatever the number of pairs
stage "vocabulary, encoding and binarisation"
languages=(en qaa)
pairs=()
prepare --size "$VOCAB_SIZE" --character-coverage 1
for lang in en qaa; do
    for split in train valid; do
        text=$OUT/text/$split/$([[ $split == train ]] && echo "pairs.$lang" || echo "$lang")
        once "$ENCODED/pairs/$split.$lang" xling encode --model "$DATA_BIN/sentencepiece.bpe.model" --input "$text" \
            --workers "$WORKERS" --output "$ENCODED/pairs/$split.$lang"
    done
done

# with_pairs N: a data-bin of the same vocabulary and monolingual text with the first N pairs
with_pairs() {
    local file lang whole=$DATA_BIN from=$ENCODED DATA_BIN=$OUT/data-bin-$1 ENCODED=$OUT/encoded-$1
    for lang in en qaa; do
        once "$ENCODED/para/train.en-qaa.$lang" bash -c "head -n $1 '$from/pairs/train.$lang' >'{}'"
        once "$ENCODED/para/valid.en-qaa.$lang" cp "$from/pairs/valid.$lang" "{}"
    done
    for file in dict.txt sentencepiece.bpe.model languages.txt mono; do
        once "$DATA_BIN/$file" ln -s "../${whole##*/}/$file" "{}"
    done
    binarise_pair en qaa
}
for number in $PAIRS $CURVE; do with_pairs "$number"; done

# ---- rows -----------------------------------------------------------------------------------------------------------

# row ROW PAIRS SEED
row() {
    local objectives=${OBJECTIVES[$1]} updates=$UPDATES data=$OUT/data-bin-$2 dir=$OUT/$1-$2-$3
    if [[ $1 == control ]]; then updates=$CONTROL_UPDATES; fi
    local commas=${objectives//[^,]/}
    train "$dir" "$data" --task btmlm --objectives "$objectives" --seed "$3" "${DEVICE[@]}" \
        --arch xling_tiny --encoder-normalize-before --encoder-layers "$LAYERS" --encoder-embed-dim "$DIM" \
        --encoder-ffn-embed-dim $((4 * DIM)) --encoder-attention-heads "$HEADS" --max-positions 128 --reset-positions \
        --dropout 0 --attention-dropout 0 --mask-prob "$MASK_PROB" \
        --btmlm-pseudo-ratio "$PSEUDO_RATIO" --btmlm-start-update "$BTMLM_START" \
        --optimizer adam --adam-betas '(0.9, 0.98)' --lr "$LR" --lr-scheduler polynomial_decay --clip-norm 1.0 \
        --warmup-updates "$(part "$updates" 20)" --total-num-update "$updates" --max-update "$updates" \
        --max-tokens $((OBJECTIVE_TOKENS * (${#commas} + 1))) --num-workers 1 --log-format simple --log-interval "$(part "$updates" 10)" \
        --no-epoch-checkpoints --save-interval 1000000 --save-interval-updates "$(part "$updates" 4)" \
        --keep-interval-updates 1 --disable-validation
    once "$dir/restoration/results.json" xling eval restoration --checkpoint "$dir/checkpoint_last.pt" --data "$data" \
        --passes "$PASSES" --out "$dir/restoration"
    once "$dir/retrieval/results.json" xling eval tatoeba --checkpoint "$dir/checkpoint_last.pt" --centre \
        --pair "qaa-en=$OUT/text/valid/qaa,$OUT/text/valid/en" --out "$dir/retrieval"
}
runs=()
for seed in $SEEDS; do
    for name in $ROWS; do runs+=("$name $PAIRS $seed"); done
done
for seed in $CURVE_SEEDS; do
    for number in $CURVE; do
        for name in $CURVE_ROWS; do runs+=("$name $number $seed"); done
    done
done
stage "${#runs[@]} rows: ${runs[*]}"
if ((JOBS > 1)); then export OMP_NUM_THREADS=1; fi
in_parallel "$JOBS" row "${runs[@]}"

# ---- report ---------------------------------------------------------------------------------------------------------

stage "report"
report mini/btmlm --rows "$ROWS" --pairs "$PAIRS" --seeds "$SEEDS" --curve-rows "$CURVE_ROWS" --curve "$CURVE" \
    --curve-seeds "$CURVE_SEEDS" --note "$LAYERS layers of width $DIM, $UPDATES updates ($CONTROL_UPDATES of the control) of \
$OBJECTIVE_TOKENS tokens per objective, learning rate $LR, vocabulary $VOCAB_SIZE, mask probability $MASK_PROB, pseudo ratio \
$PSEUDO_RATIO, BTMLM from update $BTMLM_START; monolingual text: $(wc -l <"$OUT/text/train/en") English sentences and \
$(wc -l <"$OUT/text/train/qaa") others in cipher; left out: $(<"$OUT/text/repeated") training lines that repeat another."
