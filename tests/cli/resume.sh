#!/bin/sh
# The same command gives the same bytes, however often the process is killed on the way.
. "$(dirname "$0")/lib.sh"
rm -rf ./*
EPOCHS=3

# start RUN OPTION...: a training in the background, $pid.
start() {
    "$CLEARMASS" train segment data "$@" --init none --size 32 --batch 2 --validation 0.34 >>"out-$1" 2>>"err-$1" &
    pid=$!
}

train() {
    start "$@"
    wait "$pid"
}

# appears PATTERN: waits for a file; false where the training ends before.
appears() {
    while kill -0 "$pid" 2>/dev/null; do
        # shellcheck disable=SC2086
        set -- $1
        [ -e "$1" ] && return
        sleep 0.02
    done
    return 1
}

# same RUN TEXT: the weights, the counters and the curves are those of the uninterrupted run.
same() {
    for name in best.safetensors last.safetensors split.csv cases.csv epochs/epoch-00$EPOCHS.png; do
        check "$2: $name is the same" cmp "whole/$name" "$1/$name"
    done
    equal "$2: log.csv but for the seconds" "$(sed 's/,[^,]*$//' "$1/log.csv")" "$(sed 's/,[^,]*$//' whole/log.csv)"
    equal "$2: state" "$("$TOOL" json "$1/run.json" state.epochs_done state.best_epoch state.best_value state.finished state.best_sha256)" \
        "$("$TOOL" json whole/run.json state.epochs_done state.best_epoch state.best_value state.finished state.best_sha256)"
    equal "$2: left-overs" "$(find "$1" -name '*.partial-*')" ""
}

must phantom data --cases 6 --height 256 --views CC --seed 5
check "training" train whole --epochs $EPOCHS
check "training again" train again --epochs $EPOCHS
same again "twice"
rm -r again

# Killed while the images are read, in the first epoch, while either checkpoint is written, after an epoch, at any moment.
random=$(($(od -An -N2 -tu2 /dev/urandom) % 100))
kills=0
for moment in 'killed/run.json' 'killed/.best.safetensors.partial-*' 'killed/.last.safetensors.partial-*' 'killed/last.safetensors' \
    "sleep 0.$random"; do
    start killed --epochs $EPOCHS
    case $moment in
    sleep*) $moment ;;
    *) appears "$moment" ;;
    esac
    kill -9 "$pid" 2>/dev/null && kills=$((kills + 1))
    wait "$pid" 2>/dev/null
    [ ! -e killed/run.json ] || check "killed at $moment: run.json is whole" "$TOOL" json killed/run.json task >/dev/null
    for name in killed/best.safetensors killed/last.safetensors; do
        [ ! -e $name ] || check "killed at $moment: $name is whole" "$TOOL" weights $name >/dev/null
    done
done
check "some processes were killed before they were done ($kills)" [ "$kills" -ge 4 ]
check "the last process finishes" train killed --epochs $EPOCHS
same killed "killed $kills times, lastly after 0.$random seconds"
rm -r killed

# A run that has ended is prolonged by a larger --epochs, and is then the longer run.
check "one epoch" train longer --epochs 1
check "and two more" train longer --epochs $EPOCHS
same longer "prolonged"
rm -r longer

# What this machine finds fastest may change; a run keeps what it was begun with.
check "one epoch, to be gone on with elsewhere" train moved --epochs 1
check "the choices are kept" test -s moved/kernels.json
cache=$XDG_CACHE_HOME/clearmass/kernels.json
cp "$cache" cache-before
sed 's/"winograd"/"DIRECT"/; s/"direct"/"winograd"/; s/"DIRECT"/"direct"/; s/"folded"/"PLAIN"/; s/"plain"/"folded"/; s/"PLAIN"/"plain"/' \
    cache-before >"$cache"
check "and two more where other kernels are faster" train moved --epochs $EPOCHS
same moved "with the run's own kernels"
check "a run begun there" train other --epochs $EPOCHS
check "has other bits" test "$(cmp -s whole/best.safetensors other/best.safetensors; echo $?)" = 1
mv cache-before "$cache"
rm -r moved other

# Ctrl-C leaves a run that can be measured and gone on with.
start stopped --epochs 1000
appears 'stopped/last.safetensors'
kill -INT "$pid"
wait "$pid"
equal "Ctrl-C: exit code" $? 1
holds "Ctrl-C" err-stopped "of 1000; the same command goes on"
equal "Ctrl-C: state" "$("$TOOL" json stopped/run.json state.stopped state.finished | tr '\n' ' ')" "interrupted false "
must evaluate stopped
check "Ctrl-C: the page" [ -s stopped/diary.html ]
grep '(null)' err-* out-* && fail "(null) in a message"
[ "$failures" -gt 0 ] || rm -rf ./*
finish
