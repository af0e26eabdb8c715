#!/bin/sh
# Everything that a GPU is to show, without ROS: the tests that need one, then figures with their targets.
#   bash tests/gpu/day.sh OUTPUT [options of tests/gpu/measure.py]      PYTHON=python3 BUDGET=130 (seconds)
# OUTPUT/results.json, table.txt, profile.txt, tests.txt, log.txt. Run again, it measures what is missing.
cd "$(dirname "$0")/../.." || exit 2
output=$(realpath -m "${1:?usage: day.sh OUTPUT [options]}")
shift
mkdir -p "$output"
python=${PYTHON:-python3}
export PYTHONPATH="$PWD" PYTHONUNBUFFERED=1 OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
end=$(($(date +%s) + ${BUDGET:-130}))

measure() {  # again while a part ends the process: it is left out then
    for attempt in 1 2 3 4; do
        "$python" tests/gpu/measure.py "$output" --budget $((end - $(date +%s))) "$@" 2>&1 && return
        [ "$(date +%s)" -lt "$end" ] || return
    done
}

{
    measure --retry --only environment speed "$@"
    if ! grep -q "rc 0" "$output/tests.txt" 2>/dev/null; then
        {
            # shellcheck disable=SC2046  # file names without spaces
            timeout 60 "$python" -m pytest -m gpu -q -p no:cacheprovider $(grep -rl --include='test_*.py' "mark\.gpu" tests/core) 2>&1
            echo "rc $?"
        } | tee "$output/tests.txt" | tail -n 40
    fi
    measure "$@"
} 2>&1 | tee -a "$output/log.txt"
