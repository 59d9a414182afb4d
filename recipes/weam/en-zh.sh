#!/usr/bin/env bash
# WEAM for English and Chinese (WEAM, §3.1): mBERT trained further on translation2019zh (Xu, 2019), 5.2 million pairs.
#
#   CORPUS=translation2019zh_train.json recipes/weam/en-zh.sh
#
# The corpus is a JSON object a line, with "english" and "chinese". It is fetched by hand from the page its author names:
#   https://github.com/brightmart/nlp_chinese_corpus (translation2019zh)
# Chinese words for the aligner are jieba's; pieces are characters, as mBERT's.
#
# Expected, zero-shot: MLQA Chinese EM / F1 41.7 / 63.7 (mBERT + TLM 40.1 / 62.0), XNLI Chinese 74.4 (73.1); Tables 1 and 2.
# Duration: not given in the paper, not measured. Variables: common.sh.

TARGET=zh
CORPUS=${CORPUS:-}

check_corpus() {
    [[ $DRY_RUN || -f $CORPUS ]] || die "CORPUS=$CORPUS: no such file; see the head of this script"
}
corpus() {
    once "$OUT/raw/zh" python "$ROOT/recipes/weam/json_lines.py" "${CORPUS:-CORPUS}" chinese "{}"
    once "$OUT/raw/en" python "$ROOT/recipes/weam/json_lines.py" "${CORPUS:-CORPUS}" english "{}"
}
source "$(dirname "$0")/common.sh"
