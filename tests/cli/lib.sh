# tests/cli/lib.sh: sourced by the tests of the command line. SCRIPT CLEARMASS TOOL FOLDER, all absolute: the program, cli_tool
# (tool.c) and a folder to work in, made here.
set -u
export LC_ALL=C OMP_WAIT_POLICY=passive
CLEARMASS=$1 TOOL=$2 WORK=$3
HERE=$(cd "$(dirname "$0")" && pwd)
failures=0 checks=0
export XDG_CACHE_HOME="$WORK/cache"
mkdir -p "$WORK" && cd "$WORK" || exit 1

fail() {
    echo "FAIL: $*" >&2
    failures=$((failures + 1))
}

# check TEXT COMMAND...: the command succeeds.
check() {
    checks=$((checks + 1))
    what=$1
    shift
    "$@" || fail "$what"
}

# equal TEXT GOT WANTED
equal() {
    checks=$((checks + 1))
    [ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"
}

# holds TEXT FILE WORDS: the words stand somewhere in the file.
holds() {
    checks=$((checks + 1))
    grep -qF -e "$3" "$2" || fail "$1: '$3' is not in $2"
}

# run ARGUMENT...: the program; its exit code in $code, what it said in $WORK/out and $WORK/err.
run() {
    "$CLEARMASS" "$@" >"$WORK/out" 2>"$WORK/err"
    code=$?
}

# must ARGUMENT...: ends the test where the program does not succeed, since nothing after it could.
must() {
    run "$@"
    checks=$((checks + 1))
    [ "$code" -eq 0 ] && return
    echo "FAIL: clearmass $*: exit code $code" >&2
    cat "$WORK/err" >&2
    exit 1
}

# valid FILE: HTML Tidy, where it is installed, has nothing to say about the page.
valid() {
    command -v tidy >/dev/null || return 0
    checks=$((checks + 1))
    said=$(tidy -q -e "$1" 2>&1)
    [ -z "$said" ] || fail "$1: tidy: $(echo "$said" | head -n 3)"
}

# column FILE NAME: a column of a CSV file whose fields hold no commas, without the header.
column() {
    awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) k = i; next } { print $k }' "$1"
}

finish() {
    if [ "$failures" -gt 0 ]; then
        echo "$failures of $checks checks failed" >&2
        exit 1
    fi
    echo "$checks checks passed"
    exit 0
}
