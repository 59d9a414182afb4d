# What the recipes of this folder share: each sets TARGET and the functions check_corpus and corpus, and sources this file, which
# does the rest.
#
#   recipes/weam/en-XX.sh [OPTION...]                further options go to fairseq-train
#
# Variables, with their defaults:
#   OUT=out/weam/en-XX
#   MBERT=folder                 mBERT in the layout of transformers (config.json, vocab.txt, weights); without it, it is downloaded
#   OBJECTIVE=weam               or the baselines tlm and word_alignment, on the same data
#   ALIGNER=fast_align           as the paper; embedded needs no program (docs/aligning-text.md)
#   HEURISTIC=grow-diag-final-and LINKS=first        how links are combined and carried to pieces; the paper does not say
#   MAX_LINES=<all>              take the first so many pairs only
#   EUROPARL MBERT_HOME          where these are downloaded from, to use a mirror
#   PRECISION=fp16               or bf16, or fp32
#   SEED=1 THREADS WORKERS DRY_RUN=1                 as in ../lib.sh
#
# Settings (§3.1): mBERT, English with one other language each, mask probability .3, λ = 1, learning rate 5e-5, batch 32, sequences
# of at most 128 tokens, 2 epochs. Not in the paper: Adam with betas 0.9 and 0.999, weight decay .01, a linear schedule with
# 10 % warm-up, gradients clipped at norm 1 and dropout .1, all as BERT's; ε 1e-6; 1,000 pairs are held out to see the losses.
#
# Hardware: one GPU with 16 GB (without one: PRECISION=fp32 and the option --cpu).
# Hydra: ../config/weam.yaml. What comes out is fine-tuned by recipes/finetune/{mlqa,xnli}.sh OUT/…/OBJECTIVE/checkpoint_last.pt
# --paper weam. Interrupted, a recipe goes on where it stopped.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

PAIR=en-$TARGET
OUT=$(realpath -m "${OUT:-$ROOT/out/weam/$PAIR}")
OBJECTIVE=${OBJECTIVE:-weam}
ALIGNER=${ALIGNER:-fast_align}
HEURISTIC=${HEURISTIC:-grow-diag-final-and}
LINKS=${LINKS:-first}
MAX_LINES=${MAX_LINES:-}
HELD_OUT=1000
PRECISION=${PRECISION:-fp16}
MBERT_HOME=${MBERT_HOME:-https://huggingface.co/google-bert/bert-base-multilingual-cased/resolve/main}
# what is made of the corpus with other settings is another folder; downloads and mBERT are shared
WORK=$OUT/$ALIGNER-$HEURISTIC-$LINKS
ENCODED=$WORK/encoded
DATA_BIN=$WORK/data-bin

choice OBJECTIVE weam tlm word_alignment
choice PRECISION fp16 bf16 fp32
choice ALIGNER fast_align embedded
choice HEURISTIC intersect union grow-diag grow-diag-final grow-diag-final-and
choice LINKS first all
[[ ${SEED:=1} =~ ^[0-9]+$ ]] || die "SEED=$SEED: expected a number"
if [[ $MAX_LINES ]]; then
    [[ $MAX_LINES =~ ^[1-9][0-9]*$ ]] && ((MAX_LINES > HELD_OUT)) || die "MAX_LINES=$MAX_LINES: expected a number above $HELD_OUT"
    WORK+=-$MAX_LINES ENCODED=$WORK/encoded DATA_BIN=$WORK/data-bin
fi
need xling fairseq-preprocess fairseq-train curl
if [[ $ALIGNER == fast_align ]]; then
    [[ $DRY_RUN ]] || command -v fast_align >/dev/null ||
        die "fast_align is not found; build it (https://github.com/clab/fast_align) and put it on PATH, or take ALIGNER=embedded"
fi
check_corpus
[[ $DRY_RUN ]] || mkdir -p "$OUT/logs"

# ---- mBERT ----------------------------------------------------------------------------------------------------------

stage "mBERT"
if [[ -z ${MBERT:-} ]]; then
    MBERT=$OUT/raw/mbert
    for file in config.json vocab.txt tokenizer_config.json model.safetensors; do
        download "$MBERT_HOME/$file" "$MBERT/$file"
    done
fi
[[ $DRY_RUN || -f $MBERT/config.json ]] || die "MBERT=$MBERT: holds no config.json; name the folder of bert-base-multilingual-cased"
once "$OUT/mbert/model.pt" xling convert "$MBERT" "$OUT/mbert" --to fairseq --force

# ---- corpus, alignment, pieces --------------------------------------------------------------------------------------

# europarl LANGUAGE: Europarl v7 with English
europarl() {
    download "${EUROPARL:-https://www.statmt.org/europarl/v7}/$1-en.tgz" "$OUT/raw/$1-en.tgz"
    once "$OUT/raw/europarl-v7.$1-en.en" tar -xzf "$OUT/raw/$1-en.tgz" -C "$OUT/raw"
    once "$OUT/raw/en" cp "$OUT/raw/europarl-v7.$1-en.en" "{}"
    once "$OUT/raw/$1" cp "$OUT/raw/europarl-v7.$1-en.$1" "{}"
}

# corpus: makes $OUT/raw/en and $OUT/raw/$TARGET, line-aligned
stage "corpus"
corpus
for lang in en "$TARGET"; do
    once "$WORK/text/all.$lang" awk -v n="${MAX_LINES:-1e15}" -v out="{}" 'NR <= n { print > out }' "$OUT/raw/$lang"
done

stage "alignment"
once "$WORK/align/all.$HEURISTIC" xling align --pair "$PAIR" --aligner "$ALIGNER" --symmetrize "$HEURISTIC" --workers "$WORKERS" \
    --input "$WORK/text/all.en" --input "$WORK/text/all.$TARGET" --output "$WORK/align/all"

# the first pairs are held out: of text, words and links alike
part_of() {  # part_of SPLIT FILE RESULT
    local lines=(-v n="$HELD_OUT" -v out="{}")
    if [[ $1 == valid ]]; then
        once "$3" awk "${lines[@]}" 'NR <= n { print > out }' "$2"
    else
        once "$3" awk "${lines[@]}" 'NR > n { print > out }' "$2"
    fi
}
stage "pieces"
once "$DATA_BIN/dict.txt" xling vocab --from-wordpiece "$OUT/mbert/vocab.txt" --output "$DATA_BIN"
write_languages en "$TARGET"
for split in train valid; do
    for lang in en "$TARGET"; do
        part_of $split "$WORK/text/all.$lang" "$WORK/text/$split.$lang"
        part_of $split "$WORK/align/all.$lang" "$WORK/align/$split.$lang"
    done
    part_of $split "$WORK/align/all.$HEURISTIC" "$WORK/align/$split.links"
    once "$ENCODED/para/$split.$PAIR.$TARGET" xling encode --wordpiece "$OUT/mbert/vocab.txt" --pair "$PAIR" \
        --input "$WORK/text/$split.en" --input "$WORK/text/$split.$TARGET" --words "$WORK/align/$split" \
        --alignment "$WORK/align/$split.links" --links "$LINKS" --workers "$WORKERS" --output "$ENCODED/para/$split.$PAIR"
done
binarise_pair en "$TARGET" --align-suffix align

# ---- training -------------------------------------------------------------------------------------------------------

stage "$OBJECTIVE"
options=(--objectives "$OBJECTIVE")
if [[ $OBJECTIVE == word_alignment ]]; then options+=(--initial-model "$OUT/mbert/model.pt"); fi
if [[ $PRECISION != fp32 ]]; then options+=("--$PRECISION"); fi
train "$WORK/$OBJECTIVE" "$DATA_BIN" --task weam "${options[@]}" --arch weam_base \
    --finetune-from-model "$OUT/mbert/model.pt" --max-positions 128 --mask-prob 0.3 --dropout 0.1 --attention-dropout 0.1 \
    --optimizer adam --adam-betas '(0.9, 0.999)' --adam-eps 1e-6 --weight-decay 0.01 --clip-norm 1.0 \
    --lr 5e-5 --lr-scheduler warmup_linear --warmup-ratio 0.1 --batch-size 32 --max-epoch 2 --seed "$SEED" \
    --num-workers 2 --log-format simple --log-interval 100 --no-epoch-checkpoints --save-interval-updates 5000 \
    --keep-interval-updates 1 "$@"
