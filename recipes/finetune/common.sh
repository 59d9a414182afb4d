# shellcheck shell=bash
# What the recipes of this folder share: each sets BENCHMARK, TASK and SETTINGS and sources this file, which does the rest.
#
#   recipes/finetune/BENCHMARK.sh CHECKPOINT [--paper PAPER] [--setting SETTING] [--size base|large] [--out DIR] [-- OPTION...]
#
#   CHECKPOINT   what to fine-tune: a .pt file, or a folder of fairseq's or of transformers'
#   --paper      whose hyper-parameters: ernie_m, xlmk, metaxlm, mpmr or weam (default: the recipe's first)
#   --setting    transfer             train on the benchmark's first language, test on all (default; Amazon: supervised)
#                translate_train_all  train on all languages together
#                supervised           for each language: train, choose and test on it alone
#   --size       of the model, where a paper has other numbers for its large one (default: base)
#   --out        default: out/finetune/BENCHMARK-PAPER-SETTING
#   OPTION       further options of fairseq-train, such as --fp16 --fp16-no-flatten-grads
#
# Variables, with their defaults:
#   DATA=folder                the benchmark's files, found by their names (docs/formats.md)
#   TRAIN_FILES VALID_FILES TEST_FILES    LANG=FILE,LANG=FILE or a path with {lang} in it, instead of DATA's
#   TRAIN_FORMAT               of TRAIN_FILES, if not the benchmark's (as SICK to train for XNLI)
#   TRAIN_LANGUAGES            to train on, or each by itself with supervised
#   TEST_SPLIT=test            or dev
#   SELECT=score               the epoch with the best dev score, averaged over all languages (XLM-K, §4.1); score_en: of
#                              English only; last: the last epoch, for benchmarks whose dev part is the test
#   SEEDS="1 2 3 4 5"          as many as the paper has runs (XLM-K: four; mPMR and WEAM do not say: five)
#   EPOCHS MAX_POSITIONS       instead of the paper's
#   UPDATE_FREQ=1              the batch in this many steps, where it does not fit into memory
#   BUDGET=full|smoke          smoke: 8 updates, one seed; the dev and test parts stay whole
#   THREADS, DRY_RUN=1         as in ../lib.sh
#
# A run is in OUT/seed-S, or OUT/LANG/seed-S with supervised: checkpoint_best.pt, train.log and the test in eval/. A run that
# is finished is not made again, an interrupted one goes on from its last epoch. OUT/report holds the table over all seeds.
#
# One GPU is used, or the CPU without one, so that the batch is the paper's. Adam with betas 0.9 and 0.999, epsilon 1e-8
# and gradients clipped at norm 1.0, dropout 0.1, a linear schedule: the papers give no other values for fine-tuning.
# A row of SETTINGS: paper[-size][-setting], batch, learning rate, its decay from layer to layer (- for none), fraction of
# warm-up, weight decay, epochs, longest input in tokens, where the paper says so. What it does not give is named there.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# ---- arguments ------------------------------------------------------------------------------------------------------

if [[ ${1:-} =~ ^(-h|--help)$ ]]; then
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
fi

declare -A rows=()
papers=()
while read -r key row; do
    if [[ $key ]]; then rows[$key]=$row; fi
    if [[ $key && $key != *-* ]]; then papers+=("$key"); fi
done <<<"$SETTINGS"

usage="usage: recipes/finetune/$BENCHMARK.sh CHECKPOINT [--paper $(IFS='|' && echo "${papers[*]}")]
    [--setting transfer|translate_train_all|supervised] [--size base|large] [--out DIR] [-- OPTION...]"
usage=${usage//$'\n   '/}
CHECKPOINT=
declare -A option=([paper]=${papers[0]} [setting]=${DEFAULT_SETTING:-transfer} [size]=base [out]="")
while (($#)) && [[ $1 != -- ]]; do
    if [[ $1 == --* ]]; then
        name=${1#--}
        [[ $name && ${option[$name]+known} ]] || die "$1: unknown option; $usage"
        [[ ${2:-} ]] || die "$1: needs a value; $usage"
        option[$name]=$2
        shift 2
    else
        [[ -z $CHECKPOINT ]] || die "$1: one checkpoint at a time; $usage"
        CHECKPOINT=$1
        shift
    fi
done
if (($#)); then shift; fi
paper=${option[paper]} setting=${option[setting]} size=${option[size]}

[[ $CHECKPOINT ]] || die "name the checkpoint to fine-tune; $usage"
[[ $DRY_RUN || -e $CHECKPOINT ]] || die "CHECKPOINT $CHECKPOINT: no such file or folder"
[[ " ${papers[*]} " == *" $paper "* ]] || die "--paper $paper: has no numbers for $BENCHMARK; expected one of ${papers[*]}"
[[ $setting =~ ^(transfer|translate_train_all|supervised)$ ]] ||
    die "--setting $setting: expected transfer, translate_train_all or supervised"
[[ $size =~ ^(base|large)$ ]] || die "--size $size: expected base or large"

for key in "$paper-$size-$setting" "$paper-$setting" "$paper-$size" "$paper"; do
    if [[ ${rows[$key]:-} ]]; then break; fi
done
read -r batch lr decay warmup weight_decay epochs max_positions source <<<"${rows[$key]}"

# ---- variables ------------------------------------------------------------------------------------------------------

SELECT=${SELECT:-score}
TEST_SPLIT=${TEST_SPLIT:-test}
EPOCHS=${EPOCHS:-$epochs}
MAX_POSITIONS=${MAX_POSITIONS:-$max_positions}
UPDATE_FREQ=${UPDATE_FREQ:-1}
BUDGET=${BUDGET:-full}
TRAIN_LANGUAGES=${TRAIN_LANGUAGES:-}
TRAIN_LANGUAGES=${TRAIN_LANGUAGES// /,}
declare -A num_seeds=([xlmk]=4)
choice BUDGET smoke full
case $BUDGET in
    full) budget=() interval=50 SEEDS=${SEEDS:-$(seq -s ' ' "${num_seeds[$paper]:-5}")} ;;
    smoke) budget=(--max-update 8) interval=1 SEEDS=${SEEDS:-1} ;;
esac
[[ $SELECT =~ ^(score|score_[A-Za-z_-]+|last)$ ]] || die "SELECT=$SELECT: expected score, score_LANGUAGE or last"
choice TEST_SPLIT dev test
positive EPOCHS MAX_POSITIONS UPDATE_FREQ
((batch % UPDATE_FREQ == 0)) || die "UPDATE_FREQ=$UPDATE_FREQ: must divide the batch of $batch"
check_seeds
if [[ -z $TRAIN_LANGUAGES ]]; then
    case $setting in
        transfer) TRAIN_LANGUAGES=${SOURCE_LANGUAGES:-} ;;
        translate_train_all) TRAIN_LANGUAGES=all ;;
    esac
fi

# ---- files: all are looked for before anything is trained -----------------------------------------------------------

need xling fairseq-train
names=(--test-split "$TEST_SPLIT")
if [[ ${DATA:-} ]]; then names+=(--data "$DATA"); fi
if [[ ${TRAIN_FILES:-} ]]; then names+=(--train-files "$TRAIN_FILES"); fi
if [[ ${VALID_FILES:-} ]]; then names+=(--valid-files "$VALID_FILES"); fi
if [[ ${TEST_FILES:-} ]]; then names+=(--test-files "$TEST_FILES"); fi
if [[ $TRAIN_LANGUAGES ]]; then names+=(--train-languages "$TRAIN_LANGUAGES"); fi
if [[ $SELECT == last ]]; then names+=(--no-valid); fi
if [[ $setting == supervised ]]; then names+=(--each); fi
if [[ $DRY_RUN ]]; then
    names+=(--dry-run)
    DATA=${DATA:-DATA}
fi
languages=()
if [[ -z $DRY_RUN || $setting == supervised ]]; then
    found=$(python "$ROOT/recipes/finetune/languages.py" "$BENCHMARK" "${names[@]}") || exit "$?"
    mapfile -t languages <<<"$found"
fi

OUT=${option[out]:-$ROOT/out/finetune/$BENCHMARK-$paper-$setting}
if [[ -z $DRY_RUN ]]; then
    prepare_out "$(
        echo "checkpoint $CHECKPOINT $(find -L "$CHECKPOINT" -maxdepth 1 -type f ! -name '.*' -printf '%f %s %T@\n' | sort | cksum)"
        echo "data ${DATA:-} $TEST_SPLIT $(find -L "${DATA:-/dev/null}" -maxdepth 3 -type f -printf '%P %s\n' | sort | cksum)"
        echo "files ${TRAIN_FILES:-} ${TRAIN_FORMAT:-} ${VALID_FILES:-} ${TEST_FILES:-}"
        echo "settings $paper $setting $key ${rows[$key]} $TRAIN_LANGUAGES $SELECT $EPOCHS $MAX_POSITIONS $BUDGET $*"
    )"
fi

# ---- runs -----------------------------------------------------------------------------------------------------------

# fine_tune DIR SEED LANG: train, then test; with a language, on it alone
fine_tune() {
    local run=$1 seed=$2 lang=$3 checkpoint=checkpoint_best.pt
    local files=() optimizer=(adam) select=() test=()
    if [[ ${DATA:-} ]]; then files+=(--benchmark-data "$DATA"); fi
    if [[ ${TRAIN_FILES:-} ]]; then files+=(--train-files "$TRAIN_FILES"); fi
    if [[ ${TRAIN_FORMAT:-} ]]; then files+=(--train-format "$TRAIN_FORMAT"); fi
    if [[ ${lang:-$TRAIN_LANGUAGES} ]]; then files+=(--train-languages "${lang:-$TRAIN_LANGUAGES}"); fi
    if [[ $SELECT == last ]]; then
        checkpoint=checkpoint_last.pt
        select=(--disable-validation)
    else
        if [[ ${VALID_FILES:-} ]]; then files+=(--valid-files "$VALID_FILES"); fi
        if [[ $lang ]]; then files+=(--valid-languages "$lang"); fi
        select=(--best-checkpoint-metric "$SELECT" --maximize-best-checkpoint-metric)
    fi
    if [[ $decay != - ]]; then optimizer=(layerwise_adam --layer-lr-decay "$decay"); fi

    stage "$BENCHMARK${lang:+ $lang}, seed $seed"
    train "$run" "$CHECKPOINT" --task "$TASK" --benchmark "$BENCHMARK" "${files[@]}" --arch xling "${DEVICE[@]}" \
        --distributed-world-size 1 --max-positions "$MAX_POSITIONS" --batch-size $((batch / UPDATE_FREQ)) \
        --update-freq "$UPDATE_FREQ" --optimizer "${optimizer[@]}" --adam-betas '(0.9, 0.999)' --adam-eps 1e-8 \
        --weight-decay "$weight_decay" --clip-norm 1.0 --lr "$lr" --lr-scheduler warmup_linear --warmup-ratio "$warmup" \
        --max-epoch "$EPOCHS" "${budget[@]}" --seed "$seed" --num-workers 1 --log-format simple --log-interval "$interval" \
        --no-epoch-checkpoints "${select[@]}" "${options[@]}"

    if [[ ${TEST_FILES:-} ]]; then
        test=(--files "$TEST_FILES")
    else
        test=(--data "${DATA:-}" --split "$TEST_SPLIT")
    fi
    once "$run/eval/results.json" xling eval "$BENCHMARK" --checkpoint "$run/$checkpoint" "${test[@]}" \
        ${lang:+--languages "$lang"} --out "$run/eval"
    [[ $DRY_RUN ]] || sed -n '/^| \*\*average/p' "$run/eval/report.md"
}

options=("$@")
echo "$BENCHMARK, $setting, hyper-parameters of $paper ($source)"
for seed in $SEEDS; do
    if [[ $setting == supervised ]]; then
        for lang in "${languages[@]}"; do fine_tune "$OUT/$lang/seed-$seed" "$seed" "$lang"; done
    else
        fine_tune "$OUT/seed-$seed" "$seed" ''
    fi
done

stage "report"
note xling report "$OUT" --out "$OUT/report"
if [[ -z $DRY_RUN ]]; then
    logged report xling report "$OUT" --out "$OUT/report"
    echo "$OUT/report/report.md"
fi
