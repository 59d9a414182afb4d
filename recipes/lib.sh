# Shared by all recipes: source it, set OUT, then call its functions.
#
#   DRY_RUN=1    print the commands, execute nothing (recipes at the scale of the paper)
#   THREADS=N    threads of one process (default: OMP_NUM_THREADS, or all cores; 1 on a machine that others use)
#   WORKERS=N    processes of the data tools (default: all cores)
#   GPUS=N       of each node, for the recipes that call launcher (default: those of this machine)
#   NODES=1 MASTER=host PORT=29500 JOB=name          several nodes: host of the first one
#
# Every stage writes to a temporary name and moves it to its own; a stage whose result is there is skipped, so a recipe
# that was interrupted goes on where it stopped. $OUT/commands.sh keeps what was run, $OUT/logs what it said.
# Exit codes: 0 done, 2 the input is wrong, 1 (or the command's own) anything else.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
USER_DIR=$ROOT/fairseq_xling
if [[ -d $ROOT/.venv/bin ]]; then PATH=$ROOT/.venv/bin:$PATH; fi
DRY_RUN=${DRY_RUN:-}
WORKERS=${WORKERS:-$(getconf _NPROCESSORS_ONLN)}
export OMP_NUM_THREADS=${THREADS:-${OMP_NUM_THREADS:-$(getconf _NPROCESSORS_ONLN)}}
NODES=${NODES:-1}
PORT=${PORT:-29500}
ENCODE_OPTIONS=()
DEVICE=()
if ! command -v nvidia-smi >/dev/null; then DEVICE=(--cpu); fi

# die MESSAGE: the user's input is wrong
die() {
    echo "${0##*/}: error: $*" >&2
    exit 2
}

# need PROGRAM...: stop unless the programs are there
need() {
    local program
    for program; do
        [[ $DRY_RUN ]] || command -v "$program" >/dev/null ||
            die "$program is not found: run 'make setup' in $ROOT, or activate the environment that has it"
    done
}

# choice NAME VALUE...: stop unless the variable has one of the values
choice() {
    local name=$1 value
    shift
    for value; do [[ ${!name} != "$value" ]] || return 0; done
    local others=${*:1:$#-1}
    die "$name=${!name}: expected ${others// /, } or $value"
}

# positive NAME...: stop unless the variables are numbers from 1 on
positive() {
    local name
    for name; do [[ ${!name} =~ ^[1-9][0-9]*$ ]] || die "$name=${!name}: expected a number from 1 on"; done
}

# check_seeds: stop unless SEEDS are numbers
check_seeds() {
    local seed
    for seed in $SEEDS; do [[ $seed =~ ^[0-9]+$ ]] || die "SEEDS=$SEEDS: expected numbers separated by spaces"; done
}

# check_rows KNOWN...: stop unless ROWS are some of these, each once
check_rows() {
    local row rows=" "
    for row in $ROWS; do
        [[ " $* " == *" $row "* ]] || die "ROWS: '$row' is unknown; there are $*"
        [[ $rows != *" $row "* ]] || die "ROWS: '$row' is named twice"
        rows+="$row "
    done
}

# prepare_out SETTINGS: make $OUT and its path absolute; a run there with other settings is moved aside
prepare_out() {
    OUT=$(realpath -m "$OUT")
    DATA_BIN=$OUT/data-bin
    ENCODED=$OUT/encoded
    if [[ -f $OUT/settings && $(<"$OUT/settings") != "$1" ]]; then
        local old
        old=$OUT.$(date -r "$OUT/settings" +%Y%m%d-%H%M%S)
        echo "$OUT holds a run with other data or settings: moved to $old"
        mv "$OUT" "$old"
    fi
    mkdir -p "$OUT/logs" 2>/dev/null || die "OUT=$OUT: cannot be written"
    [[ -w $OUT ]] || die "OUT=$OUT: no permission to write there"
    echo "$1" >"$OUT/settings"
}

# part N D: N / D, at least 1
part() {
    echo $(($1 / $2 > 0 ? $1 / $2 : 1))
}

stage() {
    printf '\n== %s\n' "$*"
}

# note WORD...: keep a command for the report
note() {
    local line
    line=$(printf '%q ' "$@")
    if [[ $DRY_RUN ]]; then echo "${line% }"; else echo "${line% }" >>"$OUT/commands.sh"; fi
}

# logged NAME COMMAND...: run with its output in $OUT/logs/NAME.log; show the end of it if it fails
logged() {
    local log=$OUT/logs/$1.log status=0
    shift
    "$@" >"$log" 2>&1 || status=$?
    if ((status)); then
        grep -v '^ *$' "$log" | tail -n 15 >&2
        echo "${0##*/}: failed (exit code $status), log: $log" >&2
        exit "$status"
    fi
}

# once RESULT COMMAND...: run a command that makes RESULT, unless it is there. In COMMAND, {} stands for a temporary name
# of RESULT; a command without {} must itself leave nothing half-written.
once() {
    local result=$1 temporary
    shift
    [[ $DRY_RUN || ! -e $result ]] || return 0
    note "${@//\{\}/$result}"
    [[ -z $DRY_RUN ]] || return 0
    temporary=${result%/*}/.${result##*/}.tmp
    rm -rf "$temporary"
    mkdir -p "${result%/*}"
    local name=${result#"$OUT"/}
    logged "${name//\//-}" "${@//\{\}/$temporary}"
    if [[ -e $temporary ]]; then mv "$temporary" "$result"; fi
    [[ -e $result ]] || { echo "${0##*/}: $1 made no $result" >&2 && exit 1; }
}

# download URL FILE: continues what was cut off
download() {
    if [[ ! $DRY_RUN && -e $2.part ]]; then echo "continuing ${2##*/}"; fi
    [[ $DRY_RUN || ! -e $2 ]] || return 0
    note curl -L --fail --retry 5 -C - -o "$2" "$1"
    [[ -z $DRY_RUN ]] || return 0
    mkdir -p "${2%/*}"
    curl -L --fail --retry 5 -C - --silent --show-error -o "$2.part" "$1" || die "$1 cannot be downloaded to $2"
    mv "$2.part" "$2"
}

# write_languages CODE...: languages.txt of the data-bin
write_languages() {
    [[ $DRY_RUN ]] && return
    mkdir -p "$DATA_BIN"
    printf '%s\n' "$@" | sort -u >"$DATA_BIN/.languages.tmp"
    mv "$DATA_BIN/.languages.tmp" "$DATA_BIN/languages.txt"
}

# encode_mono LANG SPLIT FILE...: raw text -> $ENCODED/mono/SPLIT.LANG; more options of xling encode in the array ENCODE_OPTIONS
encode_mono() {
    local lang=$1 split=$2 inputs=()
    shift 2
    local file
    for file; do inputs+=(--input "$file"); done
    once "$ENCODED/mono/$split.$lang" xling encode --model "$DATA_BIN/sentencepiece.bpe.model" "${inputs[@]}" \
        "${ENCODE_OPTIONS[@]}" --workers "$WORKERS" --output "$ENCODED/mono/$split.$lang"
}

# encode_pair A B SPLIT FILE...: -> $ENCODED/para/SPLIT.A-B.{A,B}; files in turn A's, B's (or as ENCODE_OPTIONS say)
encode_pair() {
    local a=$1 b=$2 split=$3 inputs=()
    shift 3
    local file
    for file; do inputs+=(--input "$file"); done
    once "$ENCODED/para/$split.$a-$b.$b" xling encode --model "$DATA_BIN/sentencepiece.bpe.model" --pair "$a-$b" \
        "${inputs[@]}" "${ENCODE_OPTIONS[@]}" --workers "$WORKERS" --output "$ENCODED/para/$split.$a-$b"
}

# binarise_mono LANG: $ENCODED/mono/{train,valid}.LANG -> $DATA_BIN/mono/LANG
binarise_mono() {
    once "$DATA_BIN/mono/$1" fairseq-preprocess --user-dir "$USER_DIR" --only-source --srcdict "$DATA_BIN/dict.txt" \
        --trainpref "$ENCODED/mono/train.$1" --validpref "$ENCODED/mono/valid.$1" --destdir "{}" --workers "$WORKERS"
}

# binarise_pair A B [OPTION...]: $ENCODED/para/{train,valid}.A-B.{A,B} -> $DATA_BIN/para/A-B
binarise_pair() {
    once "$DATA_BIN/para/$1-$2" fairseq-preprocess --user-dir "$USER_DIR" -s "$1" -t "$2" \
        --srcdict "$DATA_BIN/dict.txt" --tgtdict "$DATA_BIN/dict.txt" --trainpref "$ENCODED/para/train.$1-$2" \
        --validpref "$ENCODED/para/valid.$1-$2" --destdir "{}" --workers "$WORKERS" "${@:3}"
}

# in_parallel N FUNCTION ITEM...: FUNCTION with the words of each ITEM, N at a time; fails if one of them does
in_parallel() {
    local limit=$1 function=$2 item pids=() failed=0
    shift 2
    for item; do
        # shellcheck disable=SC2086
        "$function" $item &
        pids+=($!)
        if ((${#pids[@]} >= limit)); then
            wait "${pids[0]}" || failed=$?
            pids=("${pids[@]:1}")
        fi
    done
    for item in "${pids[@]}"; do wait "$item" || failed=$?; done
    ((failed == 0)) || exit "$failed"
}

# prepare OPTION...: the data-bin of the arrays languages (en de) and pairs ("en de"), WORKERS of them at a time, with a
# vocabulary of the training text that xling vocab makes with these options. The text is in $OUT/text/{train,valid}/:
# LANG, A-B.A and A-B.B, and A-B.links where a pair is aligned (LINKS: how they are carried to pieces).
prepare() {
    local inputs=() lang jobs=$WORKERS
    for lang in "${languages[@]}"; do inputs+=(--input "$lang=$OUT/text/train/$lang"); done
    once "$DATA_BIN/dict.txt" xling vocab "${inputs[@]}" "$@" --output "$DATA_BIN"
    write_languages "${languages[@]}"
    WORKERS=1 in_parallel "$jobs" encode_and_binarise "${languages[@]}" "${pairs[@]}"
}

# encode_and_binarise LANG | encode_and_binarise A B: the text of prepare
encode_and_binarise() {
    local split text aligned=() ENCODE_OPTIONS
    for split in train valid; do
        text=$OUT/text/$split ENCODE_OPTIONS=()
        if (($# == 1)); then
            encode_mono "$1" $split "$text/$1"
            continue
        fi
        if [[ -e $text/$1-$2.links ]]; then
            ENCODE_OPTIONS=(--alignment "$text/$1-$2.links" --links "$LINKS") aligned=(--align-suffix align)
        fi
        encode_pair "$1" "$2" $split "$text/$1-$2.$1" "$text/$1-$2.$2"
    done
    if (($# == 1)); then binarise_mono "$1"; else binarise_pair "$1" "$2" "${aligned[@]}"; fi
}

# shards DIR: DIR, or its folders shard0, shard1, ... joined by ':'
shards() {
    local found=("$1"/shard[0-9]*)
    if [[ -d ${found[0]} ]]; then (IFS=: && echo "${found[*]}"); else echo "$1"; fi
}

# count_gpus: sets GPUS unless the user did
count_gpus() {
    if [[ -z ${GPUS:-} ]]; then
        if command -v nvidia-smi >/dev/null; then GPUS=$(nvidia-smi -L | wc -l); else GPUS=${DRY_RUN:+8}; fi
    fi
    [[ ${GPUS:-} =~ ^[1-9][0-9]*$ ]] || die "no GPU found; set GPUS to their number on each node"
}

# launcher: sets GPUS, and LAUNCHER for one process a GPU on all nodes
launcher() {
    local program
    program=$(command -v fairseq-train || echo fairseq-train)
    count_gpus
    positive NODES
    LAUNCHER=("$program")
    if ((NODES > 1)); then
        [[ ${MASTER:-} ]] || die "NODES=$NODES: set MASTER to the host name of the first node"
        LAUNCHER=(torchrun --nnodes "$NODES" --nproc_per_node "$GPUS" --rdzv_id "${JOB:-xling}" --rdzv_backend c10d
            --rdzv_endpoint "$MASTER:$PORT" "$program")
    elif ((GPUS > 1)); then
        LAUNCHER=(torchrun --standalone --nproc_per_node "$GPUS" "$program")
    fi
}

# train DIR OPTION...: fairseq-train into DIR, from its last checkpoint if there is one; DIR/done marks the end. The log is
# DIR/train.log; the progress lines are shown.
train() {
    local dir=$1
    shift
    [[ $DRY_RUN || ! -e $dir/done ]] || return 0
    local words=("${LAUNCHER[@]:-fairseq-train}" "$@" --user-dir "$USER_DIR" --save-dir "$dir")
    note "${words[@]}"
    [[ -z $DRY_RUN ]] || return 0
    mkdir -p "$dir"
    local status=0
    "${words[@]}" 2>&1 | tee -a "$dir/train.log" |
        sed -u -n 's/.*| \(train_inner\|valid\) | \(.\{1,110\}\).*/  \2/p' || status=$?
    if ((status)); then
        # wrong input is one line; fairseq's list of all options is left out
        grep -v "^ *\$\|fairseq_cli.train | {'" "$dir/train.log" | tail -n $((status == 2 ? 1 : 15)) >&2
        echo "${0##*/}: training failed (exit code $status), log: $dir/train.log" >&2
        exit "$status"
    fi
    touch "$dir/done"
}

# report RECIPE OPTION...: recipes/RECIPE_report.py writes $OUT/report.md and $OUT/results.json
report() {
    PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH} python -m "recipes.${1//\//.}_report" --out "$OUT" "${@:2}"
    echo "$OUT/report.md"
}
