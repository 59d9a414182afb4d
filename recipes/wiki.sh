#!/usr/bin/env bash
# From dumps of Wikipedia and Wikidata to the training data of XLM-K: articles, links, items, and what xling entities makes of them.
#
#   recipes/wiki.sh [OUT]                                  the mini-encyclopedia of examples/data; default OUT: out/wiki
#   DUMPS="enwiki-*.bz2 dewiki-*.bz2" WIKIDATA=latest-all.json.gz DATA_BIN=xlmr recipes/wiki.sh OUT
#
# DUMPS      pages-articles dumps of Wikipedia, or patterns, separated by blanks; CODE=FILE where a name does not tell the language
# WIKIDATA   JSON dumps of Wikidata, or patterns
# REDIRECTS  items that were merged into others (xling wikidata --redirects)
# TRIPLES    more triples, as Q1<TAB>P1<TAB>Q2 a line (xling wikidata --triples)
# DATA_BIN   a data-bin with dict.txt and sentencepiece.bpe.model, as XLM-R's; without it a vocabulary of VOCAB_SIZE pieces is
#            trained on VOCAB_CHARACTERS characters of each language, in OUT/data-bin
# LANGUAGES  keep these, as en,de (default: the 100 largest)
#
# Result: OUT/wiki and OUT/wikidata (tables, with a report.md each), OUT/data-bin/wiki (shards, report.md, picture). An interrupted
# run goes on where it was; after a damaged dump the next run reads the file if it is another, and makes the shards anew (not the vocabulary).
# Hardware: any number of cores; seconds here, docs/scale.md for whole Wikipedias.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ ${1:-} == -* ]]; then
    usage="usage: recipes/wiki.sh [OUT]; the settings are in its first lines"
    [[ $1 =~ ^(-h|--help)$ ]] || die "$1: $usage"
    echo "$usage"
    exit
fi
OUT=${1:-$ROOT/out/wiki}
EXAMPLES=$ROOT/examples/data
DUMPS=${DUMPS:-$EXAMPLES/wiki/*.xml}
WIKIDATA=${WIKIDATA:-$EXAMPLES/wikidata.json}
REDIRECTS=${REDIRECTS:-}
TRIPLES=${TRIPLES:-}
VOCABULARY=${DATA_BIN:-}
LANGUAGES=${LANGUAGES:-}
VOCAB_SIZE=${VOCAB_SIZE:-2000}
VOCAB_CHARACTERS=${VOCAB_CHARACTERS:-10000000}
MAX_TOKENS=${MAX_TOKENS:-256}
MEMORY_LIMIT=${MEMORY_LIMIT:-4GB}
positive VOCAB_SIZE VOCAB_CHARACTERS MAX_TOKENS
((MAX_TOKENS >= 3)) || die "MAX_TOKENS=$MAX_TOKENS: expected a number from 3 on"
if [[ $VOCABULARY ]]; then
    for file in dict.txt sentencepiece.bpe.model; do
        [[ -f $VOCABULARY/$file ]] || die "DATA_BIN=$VOCABULARY: has no $file"
    done
fi

need xling
set -o noglob # patterns are for xling
read -ra dumps <<<"$DUMPS"
read -ra json <<<"$WIKIDATA"
read -ra lists <<<"$TRIPLES"
read -ra merged <<<"$REDIRECTS"
set +o noglob
prepare_out "$DUMPS $WIKIDATA $REDIRECTS $TRIPLES $VOCABULARY $LANGUAGES $VOCAB_SIZE $VOCAB_CHARACTERS $MAX_TOKENS"

# tables FOLDER COMMAND...: xling into a folder that it goes on with. A damaged dump is told and does not stop the rest; the
# next run calls the command again, which reads what has changed.
tables() {
    local folder=$1 status=0
    shift
    [[ ! -e $folder/.done ]] || return 0
    note "$@" --out "$folder" --resume
    "$@" --out "$folder" --resume || status=$?
    if ((status == 3)); then
        echo "${0##*/}: a dump was damaged; going on with what came before the damage ($folder/report.md)" >&2
        return 0
    fi
    ((status == 0)) || exit "$status"
    touch "$folder/.done"
}

stage "articles and links"
tables "$OUT/wiki" xling wiki "${dumps[@]}" --workers "$WORKERS" --memory-limit "$MEMORY_LIMIT"

stage "items and triples"
tables "$OUT/wikidata" xling wikidata "${json[@]}" "${lists[@]/#/--triples=}" "${merged[@]/#/--redirects=}" --workers "$WORKERS"

stage "vocabulary"
if [[ $VOCABULARY ]]; then
    for file in dict.txt sentencepiece.bpe.model; do once "$DATA_BIN/$file" cp "$VOCABULARY/$file" "{}"; done
else
    once "$OUT/text" env PYTHONPATH="$ROOT" python "$ROOT/recipes/wiki_text.py" "$OUT/wiki" "{}" --characters "$VOCAB_CHARACTERS"
    inputs=()
    for file in "$OUT"/text/*; do inputs+=(--input "${file##*/}=$file"); done
    once "$DATA_BIN/dict.txt" xling vocab "${inputs[@]}" --size "$VOCAB_SIZE" --output "$DATA_BIN"
fi

stage "mentions, descriptions, triples"
# what the shards were made of: the tables have changed since if one of them had been damaged and was read again
made_of=$(cksum <"$OUT/wiki/results.json") made_of+=" $(cksum <"$OUT/wikidata/results.json")"
[[ -e $DATA_BIN/wiki/meta.json && -e $OUT/.shards && $(<"$OUT/.shards") == "$made_of" ]] || {
    command=(xling entities --wiki "$OUT/wiki" --wikidata "$OUT/wikidata" --data "$DATA_BIN" --max-tokens "$MAX_TOKENS"
        --workers "$WORKERS" --memory-limit "$MEMORY_LIMIT")
    if [[ -e $DATA_BIN/wiki/meta.json ]]; then command+=(--overwrite); fi
    if [[ $LANGUAGES ]]; then command+=(--languages "$LANGUAGES"); fi
    note "${command[@]}"
    "${command[@]}"
    echo "$made_of" >"$OUT/.shards"
}
echo "$DATA_BIN/wiki/report.md"
