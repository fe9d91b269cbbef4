#!/usr/bin/env bash
# Measures Quarry beside other crawlers with the shared benchmark, where its folder is there; says so and ends where not.
#
#   usage: tools/bench.sh [OPTIONS OF THE BENCHMARK...]     BENCH_DIR names its folder (../shared/bench)
set -eu
cd "$(dirname "$0")/.."
bench=${BENCH_DIR:-../shared/bench}
if [ ! -x "$bench/run.sh" ]; then
    echo "make bench: skipped, for the shared benchmark is not at $bench (BENCH_DIR names another place)"
    exit 0
fi
tools/packages.sh "the benchmark" nginx redis-server
[ $# -gt 0 ] || set -- main --rounds "${ROUNDS:-3}"

# One process crawls the site; its state, data and private Redis lie in the row's own folder.
# shellcheck disable=SC2016  # BASE and OUT are the benchmark's, expanded by it
row='quarry=XDG_STATE_HOME="$OUT/state" .venv/bin/quarry run bench/crawl.py "$BASE/" --depth 1000 --max-runs 1000000'
row+=' --parallel '${PARALLEL:-16}' --storage-path "$OUT/data" --format json'
# shellcheck disable=SC2016
exec "$bench/run.sh" --only scrapy-lean,scrapy-redis,celery --row "$row" \
    --items '.venv/bin/python bench/items.py "$OUT/data"' "$@"
