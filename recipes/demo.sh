#!/usr/bin/env bash
# The whole chain on a small corpus: vocabulary, encoding, binarisation, pre-training with all four objectives of ERNIE-M,
# fine-tuning for retrieval, and retrieval accuracy before and after.
#
#   recipes/demo.sh                                  the mini-encyclopedia of examples/data (5 languages)
#   DATA=dir OUT=folder recipes/demo.sh              your own text
#
# DATA holds, as plain UTF-8 text with a sentence a line, either
#   train.<lang>                  for two languages or more, all of them translations of each other line by line, or
#   train.<a>-<b>.<a> and .<b>    for each language pair, as in train.en-de.en and train.en-de.de
# and, in the same way, valid.*; without them the last tenth of train.* (at most 1,000 lines) is held out.
#
# Hardware: 2 CPU cores (a GPU is used if there is one), 2 GB of memory. Duration: two and a half minutes after set-up. Result: $OUT/report.md and results.json.
# BUDGET=smoke makes a few updates only; VOCAB_SIZE, UPDATES, TUNING_UPDATES, MAX_TOKENS and the variables of lib.sh
# change the defaults below.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

DATA=${DATA:-$ROOT/examples/data/text}
OUT=${OUT:-$ROOT/out/demo}
BUDGET=${BUDGET:-full}
choice BUDGET smoke full
case $BUDGET in
    full) defaults=(250 600) ;;
    smoke) defaults=(8 8) ;;
esac
UPDATES=${UPDATES:-${defaults[0]}}
TUNING_UPDATES=${TUNING_UPDATES:-${defaults[1]}}
MAX_TOKENS=${MAX_TOKENS:-4096}
SEED=${SEED:-1}

# ---- the user's files -----------------------------------------------------------------------------------------------

[[ -d $DATA ]] || die "DATA=$DATA: no such folder"
DATA=$(cd "$DATA" && pwd)
count() { grep -c '' "$1" || true; }  # lines, also where the last one has no line break

languages=() pairs=()
for file in "$DATA"/train.*; do
    name=${file##*/train.}
    if [[ $name =~ ^[A-Za-z0-9_]+$ ]]; then languages+=("$name"); fi
    if [[ $name =~ ^([A-Za-z0-9_]+)-([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)$ && ${BASH_REMATCH[3]} == "${BASH_REMATCH[1]}" ]]; then
        pairs+=("${BASH_REMATCH[1]} ${BASH_REMATCH[2]}")
    fi
done
layout="expected train.<lang>, aligned line by line (train.en train.de), or train.<a>-<b>.<a> and train.<a>-<b>.<b>"
if ((${#pairs[@]})); then
    aligned=
    mapfile -t languages < <(printf '%s\n' "${pairs[@]}" | tr ' ' '\n' | sort -u)
else
    aligned=1
    ((${#languages[@]})) || die "DATA=$DATA: no training text in it; $layout"
    ((${#languages[@]} > 1)) || die "DATA=$DATA: only one language, ${languages[0]}; $layout"
    pivot=${languages[0]}
    for lang in "${languages[@]}"; do if [[ $lang == en ]]; then pivot=en; fi; done
    for lang in "${languages[@]}"; do if [[ $lang != "$pivot" ]]; then pairs+=("$pivot $lang"); fi; done
fi

# source_of SPLIT A B SIDE: the user's file for one side of a pair
source_of() {
    if [[ $aligned ]]; then echo "$DATA/$1.$4"; else echo "$DATA/$1.$2-$3.$4"; fi
}
for pair in "${pairs[@]}"; do
    read -r a b <<<"$pair"
    for split in train valid; do
        left=$(source_of $split "$a" "$b" "$a") right=$(source_of $split "$a" "$b" "$b")
        if [[ $split == valid && ! -e $left && ! -e $right ]]; then continue; fi
        for file in "$left" "$right"; do
            [[ -f $file ]] || die "$file is missing; $layout"
            [[ -s $file ]] || die "$file is empty"
        done
        (($(count "$left") == $(count "$right"))) ||
            die "$left has $(count "$left") lines, $right has $(count "$right"): line i of one must translate line i of the other"
    done
    (($(count "$(source_of train "$a" "$b" "$a")") > 1)) || die "$(source_of train "$a" "$b" "$a"): one line is too little to train on"
done

# ---- text: $OUT/text/{train,valid}/{<lang>,<a>-<b>.<a>,<a>-<b>.<b>} -------------------------------------------------

need xling fairseq-preprocess fairseq-train
prepare_out "$(
    echo "data $(cd "$DATA" && cksum train.* valid.* 2>/dev/null | cksum)"
    echo "settings $BUDGET ${VOCAB_SIZE:-} $UPDATES $TUNING_UPDATES $MAX_TOKENS $SEED"
)"

copy_text() {  # copy_text DIR: the pairs, with a held-out part, and the monolingual text that follows from them
    mkdir -p "$1/train" "$1/valid"
    local pair a b side file lines held
    for pair in "${pairs[@]}"; do
        read -r a b <<<"$pair"
        for side in "$a" "$b"; do
            file=$(source_of train "$a" "$b" "$side")
            if [[ -e $(source_of valid "$a" "$b" "$side") ]]; then
                cp "$file" "$1/train/$a-$b.$side"
                cp "$(source_of valid "$a" "$b" "$side")" "$1/valid/$a-$b.$side"
            else
                lines=$(count "$file")
                held=$(((lines + 9) / 10 < 1000 ? (lines + 9) / 10 : 1000))
                head -n $((lines - held)) "$file" >"$1/train/$a-$b.$side"
                tail -n "$held" "$file" >"$1/valid/$a-$b.$side"
            fi
        done
    done
    local split lang
    for split in train valid; do
        for lang in "${languages[@]}"; do
            local files=("$1/$split"/*-*."$lang")
            if [[ $aligned ]]; then files=("${files[0]}"); fi
            cat "${files[@]}" >"$1/$split/$lang"
        done
    done
}

stage "text: ${languages[*]} from $DATA"
if [[ ! -d $OUT/text ]]; then
    rm -rf "$OUT/.text.tmp"
    copy_text "$OUT/.text.tmp"
    mv "$OUT/.text.tmp" "$OUT/text"
fi

# ---- vocabulary, pieces, data-bin -----------------------------------------------------------------------------------

stage "vocabulary, encoding and binarisation"
# a piece for every 40 bytes: small corpora cannot fill a large vocabulary
bytes=$(for lang in "${languages[@]}"; do cat "$OUT/text/train/$lang"; done | wc -c)
size=$((bytes / 40 < 1000 ? 1000 : bytes / 40 > 16000 ? 16000 : bytes / 40))
prepare --size "${VOCAB_SIZE:-$size}"

# ---- training and evaluation ----------------------------------------------------------------------------------------

shared=(--arch xling_tiny --encoder-normalize-before --max-positions 128 --optimizer adam --adam-betas '(0.9, 0.98)'
    --lr-scheduler polynomial_decay --clip-norm 1.0 --seed "$SEED" "${DEVICE[@]}" --num-workers 1 --log-format simple
    --no-epoch-checkpoints --save-interval 1000000 --validate-interval 1000000)

evaluate() {  # evaluate NAME CHECKPOINT
    once "$OUT/$1/results.json" xling eval tatoeba --checkpoint "$2" --data "$OUT/text/valid" --out "$OUT/$1"
}

stage "pre-training: mmlm, tlm, camlm and btmlm, $UPDATES updates"
train "$OUT/pretrain" "$DATA_BIN" --task btmlm "${shared[@]}" --lr 5e-4 --warmup-updates "$(part "$UPDATES" 10)" \
    --total-num-update "$UPDATES" --max-update "$UPDATES" --max-tokens "$MAX_TOKENS" --mask-prob 0.25 \
    --log-interval "$(part "$UPDATES" 20)" --validate-interval-updates "$(part "$UPDATES" 4)" \
    --save-interval-updates "$(part "$UPDATES" 4)" --keep-interval-updates 1
evaluate before "$OUT/pretrain/checkpoint_last.pt"

stage "fine-tuning for retrieval, $TUNING_UPDATES updates"
train "$OUT/tune" "$DATA_BIN" --task retrieval "${shared[@]}" --finetune-from-model "$OUT/pretrain/checkpoint_last.pt" \
    --retrieval-loss hardest_negative --retrieval-warmup-updates $((TUNING_UPDATES * 2 / 3)) --lr 1e-3 \
    --warmup-updates "$(part "$TUNING_UPDATES" 10)" --total-num-update "$TUNING_UPDATES" --max-update "$TUNING_UPDATES" \
    --batch-size 32 --log-interval "$(part "$TUNING_UPDATES" 10)" \
    --validate-interval-updates "$(part "$TUNING_UPDATES" 4)"
evaluate after "$OUT/tune/checkpoint_last.pt"

# ---- report ---------------------------------------------------------------------------------------------------------

stage "report"
for name in pretrain tune; do
    once "$OUT/curves-$name.png" xling plot curves "$OUT/$name/train.log" --out "$OUT/curves-$name.png"
done
report demo --seed "$SEED"
