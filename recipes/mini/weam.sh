#!/usr/bin/env bash
# WEAM against TLM and word-aligned similarity on a small scale: 120,000 sentence pairs of the Canadian Hansards, aligned,
# encoded, binarised, trained from one common model, and measured by retrieval and by the word alignments of the states.
#
#   recipes/mini/weam.sh [OUT]                       default OUT: out/mini/weam
#   BUDGET=smoke recipes/mini/weam.sh                the whole chain in a few minutes, numbers without meaning
#   SEEDS="1 2 3" ROWS="tlm weam word_alignment"     fewer or more of them (smoke: one seed)
#   ALIGNER=fast_align recipes/mini/weam.sh          the original program instead of the embedded one (docs/aligning-text.md)
#
# As in the paper (§3): one initial model, here a small one pre-trained by MMLM on both sides of the same text, then for each
# row the same number of updates with batches of the same number of tokens, mask probability .3 and λ = 1 (word_alignment encodes
# the sides apart and counts their padding: its batch has about a fifth fewer pairs). Result, in OUT/report.md and
# OUT/results.json, for the initial model and every row, over the seeds and at every layer: retrieval accuracy among 1,000
# held-out pairs in both directions, plain and centred; alignment error rate on the 37 hand-aligned pairs of the trial set; and the row of the
# statistical aligner itself. OUT/embeddings.png is the paper's Figure 2. A row that is finished is not made again.
#
# Data: hansards/train-200k.{en,fr}.gz and hansards/trial.{e,f,wa}.gz in DATA: the French-English task of the workshop on
# parallel text at HLT-NAACL 2003 (WPT-2003), its training text joined and compressed, and its trial set.
# Hardware: 2 CPU cores, or a GPU if there is one. Duration: docs/weam.md.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

OUT=${1:-$ROOT/out/mini/weam}
DATA=${DATA:-$ROOT/../shared/data/align}
ROWS=${ROWS:-tlm weam word_alignment}
ALIGNER=${ALIGNER:-embedded}
HEURISTIC=${HEURISTIC:-grow-diag-final-and}
LINKS=${LINKS:-first}

BUDGET=${BUDGET:-full}
choice BUDGET smoke full
case $BUDGET in
    full) : "${SEEDS:=1 2 3}" "${PAIRS:=120000}" "${HELD_OUT:=1000}" "${INITIAL_UPDATES:=5000}" "${UPDATES:=2000}" "${VOCAB_SIZE:=8000}" ;;
    smoke) : "${SEEDS:=1}" "${PAIRS:=1500}" "${HELD_OUT:=100}" "${INITIAL_UPDATES:=4}" "${UPDATES:=4}" "${VOCAB_SIZE:=1500}" ;;
esac
LAYERS=${LAYERS:-3}
DIM=${DIM:-128}
HEADS=${HEADS:-4}
TOKENS=${TOKENS:-2048}  # of an update
INITIAL_LR=${INITIAL_LR:-2e-3}
LR=${LR:-2e-3}
JOBS=${JOBS:-$WORKERS}  # rows trained at the same time, each in a thread

languages=(en fr)
pairs=("en fr")

check_rows tlm weam word_alignment
choice ALIGNER embedded fast_align
choice HEURISTIC intersect union grow-diag grow-diag-final grow-diag-final-and
choice LINKS first all
positive PAIRS HELD_OUT INITIAL_UPDATES UPDATES VOCAB_SIZE
check_seeds
for file in train-200k.{en,fr} trial.{e,f,wa}; do
    [[ -f $DATA/hansards/$file.gz ]] ||
        die "$DATA/hansards/$file.gz is missing; see the head of this script for the data, and set DATA to the folder with hansards/"
done

need xling fairseq-preprocess fairseq-train
prepare_out "$(
    echo "data $(cd "$DATA/hansards" && cksum train-200k.{en,fr}.gz trial.{e,f,wa}.gz | cksum)"
    echo "settings $BUDGET $ALIGNER $HEURISTIC $LINKS $PAIRS $HELD_OUT $VOCAB_SIZE $LAYERS $DIM $HEADS $TOKENS $INITIAL_UPDATES $INITIAL_LR" \
        "$UPDATES $LR"
)"

# ---- text -----------------------------------------------------------------------------------------------------------

# The first PAIRS pairs are for training. Held out are pairs after them with 6 to 60 words on each side, neither side of which
# occurs among those or twice: Hansards repeat formulas, and retrieval has to tell sentences apart.
stage "text"
split() {  # split DIR
    mkdir -p "$1/train" "$1/valid"
    paste <(gzip -dc "$DATA/hansards/train-200k.en.gz") <(gzip -dc "$DATA/hansards/train-200k.fr.gz") |
        awk -F '\t' -v pairs="$PAIRS" -v wanted="$HELD_OUT" -v out="$1" '
            { gsub(/^ +| +$/, "", $1); gsub(/^ +| +$/, "", $2) }
            $1 == "" || $2 == "" { next }
            train < pairs {
                train++; seen[$1]; seen[$2]
                print $1 > (out "/train/en-fr.en"); print $2 > (out "/train/en-fr.fr")
                next
            }
            valid == wanted { next }
            { x = split($1, _, " "); y = split($2, _, " ") }
            x > 5 && y > 5 && x < 61 && y < 61 && !($1 in seen) && !($2 in seen) {
                valid++; seen[$1]; seen[$2]
                print $1 > (out "/valid/en-fr.en"); print $2 > (out "/valid/en-fr.fr")
            }'
    for side in e f; do  # <s snum=0001> words </s>
        gzip -dc "$DATA/hansards/trial.$side.gz" | sed 's/^<s[^>]*> *//; s/ *<\/s> *$//' >"$1/trial.$side"
    done
}
if [[ ! -d $OUT/text ]]; then
    rm -rf "$OUT/.text.tmp" && mkdir "$OUT/.text.tmp"
    split "$OUT/.text.tmp"
    [[ -f $OUT/.text.tmp/valid/en-fr.en && $(wc -l <"$OUT/.text.tmp/valid/en-fr.en") == "$HELD_OUT" ]] ||
        die "PAIRS=$PAIRS leaves fewer than $HELD_OUT pairs to hold out; lower PAIRS or HELD_OUT"
    mv "$OUT/.text.tmp" "$OUT/text"
fi
for part in train valid; do  # both sides are the monolingual text too
    for lang in en fr; do once "$OUT/text/$part/$lang" ln "$OUT/text/$part/en-fr.$lang" "{}"; done
done
for file in trial.{e,f,wa}; do
    once "$OUT/gold/$file" bash -c "gzip -dc '$DATA/hansards/$file.gz' >'{}'"
done

# ---- alignment ------------------------------------------------------------------------------------------------------

# training, held-out and trial text are aligned together: a statistical aligner learns from all it is to align
stage "alignment"
once "$OUT/align/all.$HEURISTIC" xling align --pair en-fr --pretokenized --aligner "$ALIGNER" --symmetrize "$HEURISTIC" \
    --input "$OUT/text/train/en" --input "$OUT/text/train/fr" --input "$OUT/text/valid/en" --input "$OUT/text/valid/fr" \
    --input "$OUT/text/trial.e" --input "$OUT/text/trial.f" --output "$OUT/align/all" --workers "$WORKERS"
num_train=$(wc -l <"$OUT/text/train/en")
num_valid=$(wc -l <"$OUT/text/valid/en")
once "$OUT/text/train/en-fr.links" bash -c "head -n $num_train '$OUT/align/all.$HEURISTIC' >'{}'"
once "$OUT/text/valid/en-fr.links" bash -c "tail -n +$((num_train + 1)) '$OUT/align/all.$HEURISTIC' | head -n $num_valid >'{}'"
once "$OUT/align/trial" bash -c "tail -n +$((num_train + num_valid + 1)) '$OUT/align/all.$HEURISTIC' >'{}'"

# ---- pieces ---------------------------------------------------------------------------------------------------------

stage "vocabulary, encoding and binarisation"
prepare --size "$VOCAB_SIZE" --character-coverage 0.9995

# ---- training -------------------------------------------------------------------------------------------------------

# run DIR UPDATES LR OPTION...
run() {
    local dir=$1 updates=$2 lr=$3
    shift 3
    train "$dir" "$DATA_BIN" "${DEVICE[@]}" --arch xling_tiny --encoder-normalize-before --encoder-layers "$LAYERS" \
        --encoder-embed-dim "$DIM" --encoder-ffn-embed-dim $((4 * DIM)) --encoder-attention-heads "$HEADS" \
        --max-positions 128 --dropout 0 --attention-dropout 0 --mask-prob 0.3 \
        --optimizer adam --adam-betas '(0.9, 0.98)' --lr "$lr" --lr-scheduler polynomial_decay --clip-norm 1.0 \
        --warmup-updates "$(part "$updates" 20)" --total-num-update "$updates" --max-update "$updates" \
        --max-tokens "$TOKENS" --num-workers 1 --log-format simple --log-interval "$(part "$updates" 10)" \
        --no-epoch-checkpoints --save-interval 1000000 --save-interval-updates "$(part "$updates" 2)" \
        --keep-interval-updates 1 --validate-interval 1000000 --validate-interval-updates "$updates" "$@"
}

# measure DIR: retrieval and word alignment of a model, every layer
measure() {
    once "$1/retrieval/results.json" xling eval tatoeba --checkpoint "$1/checkpoint_last.pt" \
        --pair "fr-en=$OUT/text/valid/fr,$OUT/text/valid/en" --centre --out "$1/retrieval"
    once "$1/alignment/results.json" xling eval alignment --checkpoint "$1/checkpoint_last.pt" --format wpt --method argmax \
        --set "trial=$OUT/gold/trial.e,$OUT/gold/trial.f,$OUT/gold/trial.wa" --out "$1/alignment"
}

stage "initial model: mmlm"
run "$OUT/initial" "$INITIAL_UPDATES" "$INITIAL_LR" --task mmlm --seed 1
measure "$OUT/initial"

row() {  # row ROW SEED
    local options=(--objectives "$1")
    if [[ $1 == word_alignment ]]; then options+=(--initial-model "$OUT/initial/checkpoint_last.pt"); fi
    run "$OUT/$1-$2" "$UPDATES" "$LR" --task weam "${options[@]}" --seed "$2" \
        --finetune-from-model "$OUT/initial/checkpoint_last.pt"
    measure "$OUT/$1-$2"
}
runs=()
for seed in $SEEDS; do
    for name in $ROWS; do runs+=("$name $seed"); done
done
stage "rows: ${runs[*]}"
THREADS_OF_ALL=$OMP_NUM_THREADS
if ((JOBS > 1)); then export OMP_NUM_THREADS=1; fi
in_parallel "$JOBS" row "${runs[@]}"
export OMP_NUM_THREADS=$THREADS_OF_ALL

# ---- Figure 2, report -----------------------------------------------------------------------------------------------

stage "report"
panels=(--checkpoint "before=$OUT/initial/checkpoint_last.pt")
for name in $ROWS; do panels+=(--checkpoint "$name=$OUT/$name-${SEEDS%% *}/checkpoint_last.pt"); done
once "$OUT/embeddings.png" xling plot embeddings "${panels[@]}" --pair en-fr --words "$OUT/text/train/en-fr" \
    --alignment "$OUT/text/train/en-fr.links" --out "$OUT/embeddings.png"
report mini/weam --rows "$ROWS" --seeds "$SEEDS" --aligner "$ALIGNER, $HEURISTIC" --note "$num_train training pairs, $LAYERS \
layers of width $DIM, vocabulary $VOCAB_SIZE, $INITIAL_UPDATES updates of mmlm (learning rate $INITIAL_LR), then $UPDATES updates of \
each row (learning rate $LR), all of at most $TOKENS tokens; links from $HEURISTIC, $LINKS pieces."
