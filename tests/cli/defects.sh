#!/bin/sh
# One folder a defect: defects/NAME holds
#   make      the input, made in an empty folder (missing: nothing is needed)
#   command   what the user types
#   expected  the exit code, then all that is told on standard error: one line a fault
#   after     what must be true then (may be missing)
# FOLDER holds what pipeline.sh left: data, segment, black-box. A word after FOLDER picks the defects whose names hold it.
. "$(dirname "$0")/lib.sh"
BASE=$WORK
[ -s black-box/best.safetensors ] || { echo "$BASE: pipeline.sh has to come first" >&2; exit 1; }

clearmass() {
    "$CLEARMASS" "$@"
}

# small_disk KILOBYTES COMMAND...: no file grows beyond; the same error path as a full disk, EFBIG for ENOSPC.
small_disk() (
    trap '' XFSZ
    ulimit -f $(($1 * 2))
    shift
    "$@"
)

# picture FILE SEED, mask FILE: 64 x 48, grey.
picture() { "$TOOL" png "$1" 64 48 "$2"; }
mask() { "$TOOL" png "$1" 64 48 0; }

# folder_of_images: two good cases and their masks in in/benign and in/malignant.
folder_of_images() {
    mkdir -p in/benign in/malignant
    picture in/benign/a.png 1 && mask in/benign/a_mask.png
    picture in/malignant/b.png 2 && mask in/malignant/b_mask.png
}

# run_like SOURCE TARGET: a run folder of one's own to damage, without copying the weights.
run_like() {
    mkdir "$2"
    for f in "$1"/*; do
        case $f in
        *.json | *.csv) cp "$f" "$2/" ;;
        *) ln -s "$f" "$2/" ;;
        esac
    done
}

# Neither how far it is, nor what argp adds, nor a place that moves with the length of the metadata.
told() {
    sed -E 's/ends at byte [0-9]+ of/ends at byte N of/; /^[a-z ]+: [0-9]+\/[0-9]+ in |: [0-9]+%, /d; /^Try `/,$d' "$1"
}

for defect in "$HERE"/defects/*"${4-}"*/; do
    name=$(basename "$defect")
    rm -rf "$BASE/case" && mkdir "$BASE/case" && cd "$BASE/case" || exit 1
    ln -s ../data ../segment ../black-box .
    WORK=$BASE/case
    # shellcheck disable=SC1091
    if [ -e "$defect/make" ] && ! . "$defect/make"; then
        fail "$name: the input could not be made"
        continue
    fi
    # shellcheck disable=SC1091
    (. "$defect/command") >"$BASE/out" 2>"$BASE/err"
    code=$?
    equal "$name: exit code" "$code" "$(head -1 "$defect/expected")"
    tail -n +2 "$defect/expected" >"$BASE/wanted"
    told "$BASE/err" >"$BASE/told"
    check "$name: what is told (< wanted, > told)" diff "$BASE/wanted" "$BASE/told"
    equal "$name: (null) in what is told" "$(grep -F "(null)" "$BASE/err" "$BASE/out")" ""
    equal "$name: left-overs" "$(find . -name '*.partial-*')" ""
    # shellcheck disable=SC1091
    [ ! -e "$defect/after" ] || . "$defect/after"
done
cd "$BASE" && rm -rf "$BASE/case"
finish
