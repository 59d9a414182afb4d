#!/usr/bin/env bash
# The corpora of ERNIE-M (§4.1, Tables 9 and 10), from their public homes to a data-bin with XLM-R's vocabulary.
#
#   recipes/ernie_m/prepare_data.sh                          everything, into out/ernie_m
#   LANGUAGES="sw ur" PAIRS="sw ur" SHARDS=1 recipes/ernie_m/prepare_data.sh      a part of it
#   DRY_RUN=1                                                print the commands only
#
# Monolingual: CC-100. Table 9 has 90 codes for 96 languages, as some codes stand for two: zh is Simplified and
#   Traditional, ur is Urdu and Urdu Romanized (A.1). With the romanised bn, hi, ta and te of CC-100, which the paper does
#   not name, it makes 96; the files of a code are joined here. Blank lines between documents are kept.
# Bilingual, all with English: MultiUN, IIT Bombay, OPUS, WikiMatrix (margin >= 1.04, its authors' threshold). The paper
#   says "the same corpus as InfoXLM" and gives sizes only (Table 10); which parts of OPUS are taken follows XLM's public
#   script (EUbookshop, Europarl, Tanzil, GlobalVoices, SETIMES, Wikipedia, TED2013, OpenSubtitles), with OpenSubtitles
#   for every language that has it.
# Held out: every 1,000th document of a language and every 1,000th pair, at most 500 and 1,000.
# Language sampling is done in training (--sampling-alpha), so nothing is repeated here.
#
# Needs: curl, unzip, tar, gzip, awk. Disk: CC-100 is about 0.7 TB compressed and 1.6 TB as text (sum of
#   Table 9); the data-bin about 1 TB, and for a moment the pieces of one language. Duration: days, bound by the
#   download; encoding uses all cores.
# The chain is tested on small files in the layout of the corpora; the full download was never made with it.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

OUT=$(realpath -m "${OUT:-$ROOT/out/ernie_m}")
SHARDS=${SHARDS:-10}
HOLD_OUT=${HOLD_OUT:-1000}
# public homes; set them to use a mirror
CC100=${CC100:-https://data.statmt.org/cc-100}
OPUS=${OPUS:-https://object.pouta.csc.fi}
WIKIMATRIX=${WIKIMATRIX:-https://dl.fbaipublicfiles.com/laser/WikiMatrix/v1}
IITB=${IITB:-https://www.cfilt.iitb.ac.in/iitb_parallel/iitb_corpus_download/parallel.tgz}
XLMR_HOME=${XLMR_HOME:-https://dl.fbaipublicfiles.com/fairseq/models}
XLMR_SIZES=${XLMR_SIZES:-base large}

# Table 9
# shellcheck disable=SC2206
LANGUAGES=(${LANGUAGES:-af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu he
 hi hr hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no or pa pl ps pt ro ru sa sd si
 sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi yi zh})
declare -A CC100_FILES=([zh]="zh-Hans zh-Hant" [ur]="ur ur_rom" [bn]="bn bn_rom" [hi]="hi hi_rom" [ta]="ta ta_rom"
    [te]="te te_rom")

# Table 10, with the parts of OPUS as CORPUS/VERSION
# shellcheck disable=SC2206
PAIRS=(${PAIRS:-ar bg de el es fr hi ru sw th tr ur vi zh})
declare -A OPUS_PARTS=(
    [ar]="MultiUN/v1 OpenSubtitles/v2018" [bg]="EUbookshop/v2 Europarl/v8 OpenSubtitles/v2018"
    [de]="EUbookshop/v2 OpenSubtitles/v2018" [el]="EUbookshop/v2 OpenSubtitles/v2018"
    [es]="MultiUN/v1 OpenSubtitles/v2018" [fr]="MultiUN/v1 OpenSubtitles/v2018" [hi]="OpenSubtitles/v2018"
    [ru]="MultiUN/v1 OpenSubtitles/v2018" [sw]="Tanzil/v1 GlobalVoices/v2018q4" [th]="OpenSubtitles/v2018"
    [tr]="SETIMES/v2 Wikipedia/v1.0 TED2013/v1.1 OpenSubtitles/v2018" [ur]="Tanzil/v1 OpenSubtitles/v2018"
    [vi]="OpenSubtitles/v2018" [zh]="MultiUN/v1"
)
WIKIMATRIX_PAIRS=" ar bg de el es fr hi ru sw tr vi zh "  # it has no th and no ur

need xling fairseq-preprocess curl unzip tar gzip awk
positive SHARDS
for lang in "${PAIRS[@]}"; do
    [[ ${OPUS_PARTS[$lang]:-} ]] || die "PAIRS: there is no bilingual corpus for '$lang'; there are: ${!OPUS_PARTS[*]}"
    [[ " ${LANGUAGES[*]} " == *" $lang "* && " ${LANGUAGES[*]} " == *" en "* ]] ||
        die "PAIRS: '$lang' needs $lang and en in LANGUAGES (BTMLM uses monolingual text of both)"
done
[[ $DRY_RUN ]] || mkdir -p "$OUT/logs"

# ---- vocabulary: XLM-R's (A.2), and the models that base and large start from ---------------------------------------

stage "XLM-R"
for size in $XLMR_SIZES; do
    download "$XLMR_HOME/xlmr.$size.tar.gz" "$OUT/raw/xlmr.$size.tar.gz"
    once "$OUT/xlmr.$size/model.pt" tar -xzf "$OUT/raw/xlmr.$size.tar.gz" -C "$OUT"
done
root=$OUT/data-bin
for ((shard = 0; shard < SHARDS; shard++)); do
    DATA_BIN=$root/shard$shard
    once "$DATA_BIN/dict.txt" xling vocab --from-spm "$OUT/xlmr.${XLMR_SIZES%% *}/sentencepiece.bpe.model" --output "$DATA_BIN"
    write_languages "${LANGUAGES[@]}"
done
MODEL=$root/shard0/sentencepiece.bpe.model

# binarise_shards FUNCTION WORDS...: FUNCTION of lib.sh for every shard; held-out text goes to the first shard only
binarise_shards() {
    for ((shard = 0; shard < SHARDS; shard++)); do
        DATA_BIN=$root/shard$shard ENCODED=$OUT/encoded/shard$shard "$@"
    done
}

# ---- monolingual ----------------------------------------------------------------------------------------------------

# split_documents LANG: every 1,000th document to valid, at most 500; document n of the rest to shard n modulo SHARDS
split_documents() {
    rm -rf "$OUT/encoded/.documents"
    mkdir -p "$OUT/encoded/.documents"
    gzip -dc "$OUT/encoded/$1.gz" | awk -v shards="$SHARDS" -v every="$HOLD_OUT" -v to="$OUT/encoded/.documents/" '
        BEGIN { RS = ""; ORS = "\n\n" }
        NR % every == 1 && held < 500 { held++; print > (to "valid"); next }
        { print > (to "train" NR % shards) }'
    for ((shard = 0; shard < SHARDS; shard++)); do
        mkdir -p "$OUT/encoded/shard$shard/mono"
        mv "$OUT/encoded/.documents/train$shard" "$OUT/encoded/shard$shard/mono/train.$1"
        cp "$OUT/encoded/.documents/valid" "$OUT/encoded/shard$shard/mono/valid.$1"
    done
}

for lang in "${LANGUAGES[@]}"; do
    stage "CC-100: $lang"
    [[ $DRY_RUN || ! -d $root/shard$((SHARDS - 1))/mono/$lang ]] || continue
    inputs=()
    for file in ${CC100_FILES[$lang]:-$lang}; do
        download "$CC100/$file.txt.xz" "$OUT/raw/cc100/$file.txt.xz"
        inputs+=(--input "$OUT/raw/cc100/$file.txt.xz")
    done
    once "$OUT/encoded/$lang.gz" xling encode --model "$MODEL" --format cc100 "${inputs[@]}" --workers "$WORKERS" \
        --output "$OUT/encoded/$lang.gz"
    note split_documents "$lang"
    if [[ -z $DRY_RUN ]]; then split_documents "$lang"; fi
    binarise_shards binarise_mono "$lang"
    [[ $DRY_RUN ]] || rm -f "$OUT/encoded/$lang.gz" "$OUT"/encoded/shard*/mono/{train,valid}."$lang"
done

# ---- bilingual ------------------------------------------------------------------------------------------------------

# split_pairs A B: every 1,000th line to valid, at most 1,000; line n of the rest to shard n modulo SHARDS
split_pairs() {
    local side
    for side in "$1" "$2"; do
        for ((shard = 0; shard < SHARDS; shard++)); do
            mkdir -p "$OUT/encoded/shard$shard/para"
            rm -f "$OUT/encoded/shard$shard/para/"{train,valid}".$1-$2.$side"
        done
        awk -v shards="$SHARDS" -v every="$HOLD_OUT" -v to="$OUT/encoded/shard" -v name=".$1-$2.$side" '
            NR % every == 1 && held < 1000 { held++; print > (to "0/para/valid" name); next }
            { print > (to NR % shards "/para/train" name) }' "$OUT/encoded/para/all.$1-$2.$side"
        for ((shard = 1; shard < SHARDS; shard++)); do
            cp "$OUT/encoded/shard0/para/valid.$1-$2.$side" "$OUT/encoded/shard$shard/para/"
        done
    done
}

# wikimatrix A B: its table of score, A, B to two files
wikimatrix() {
    gzip -dc "$OUT/raw/wikimatrix/$1-$2.tsv.gz" | awk -F '\t' -v a="$OUT/raw/wikimatrix/$1-$2.$1.tmp" \
        -v b="$OUT/raw/wikimatrix/$1-$2.$2.tmp" '$1 >= 1.04 { print $2 > a; print $3 > b }'
    mv "$OUT/raw/wikimatrix/$1-$2.$1.tmp" "$OUT/raw/wikimatrix/$1-$2.$1"
    mv "$OUT/raw/wikimatrix/$1-$2.$2.tmp" "$OUT/raw/wikimatrix/$1-$2.$2"
}

for lang in "${PAIRS[@]}"; do
    if [[ $lang < en ]]; then a=$lang b=en; else a=en b=$lang; fi  # the order of OPUS and WikiMatrix
    stage "pairs: $a-$b"
    [[ $DRY_RUN || ! -d $root/shard$((SHARDS - 1))/para/$a-$b ]] || continue
    files=()
    for part in ${OPUS_PARTS[$lang]}; do
        corpus=${part%/*}
        folder=$OUT/raw/opus/$corpus
        download "$OPUS/OPUS-$part/moses/$a-$b.txt.zip" "$folder.$a-$b.zip"
        once "$folder/$corpus.$a-$b.$b" unzip -o -q "$folder.$a-$b.zip" "$corpus.$a-$b.$a" "$corpus.$a-$b.$b" -d "$folder"
        files+=("$folder/$corpus.$a-$b.$a" "$folder/$corpus.$a-$b.$b")
    done
    if [[ $lang == hi ]]; then
        download "$IITB" "$OUT/raw/iitb/parallel.tgz"
        once "$OUT/raw/iitb/parallel/IITB.en-hi.hi" tar -xzf "$OUT/raw/iitb/parallel.tgz" -C "$OUT/raw/iitb"
        files+=("$OUT/raw/iitb/parallel/IITB.en-hi.en" "$OUT/raw/iitb/parallel/IITB.en-hi.hi")
    fi
    if [[ $WIKIMATRIX_PAIRS == *" $lang "* ]]; then
        download "$WIKIMATRIX/WikiMatrix.$a-$b.tsv.gz" "$OUT/raw/wikimatrix/$a-$b.tsv.gz"
        once "$OUT/raw/wikimatrix/$a-$b.$b" wikimatrix "$a" "$b"
        files+=("$OUT/raw/wikimatrix/$a-$b.$a" "$OUT/raw/wikimatrix/$a-$b.$b")
    fi
    DATA_BIN=$root/shard0 ENCODED=$OUT/encoded encode_pair "$a" "$b" all "${files[@]}"
    note split_pairs "$a" "$b"
    if [[ -z $DRY_RUN ]]; then split_pairs "$a" "$b"; fi
    binarise_shards binarise_pair "$a" "$b"
    [[ $DRY_RUN ]] || rm -f "$OUT/encoded/para/all.$a-$b".{"$a","$b"} "$OUT"/encoded/shard*/para/{train,valid}."$a-$b".{"$a","$b"}
done
