#!/bin/sh
# Every command tells what it does; a word that is none is a usage error.
. "$(dirname "$0")/lib.sh"

run --version
equal "--version" "$code" 0
check "--version names the program" grep -q '^clearmass [0-9][0-9]*\.[0-9][0-9]*\.[0-9]' out
holds "--version" out "not a medical device"

run --help
equal "--help" "$code" 0
cp out commands
holds "--help" commands "not a medical device"
equal "--help is quiet on standard error" "$(wc -c <err | tr -d ' ')" 0

# The commands and their kinds are those that the program lists itself.
sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p' commands >names
for name in phantom ingest pretrain train evaluate calibrate compare verify report explain model weights; do
    check "--help lists $name" grep -qx "$name" names
done
run ingest --help
sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/ingest \1/p' out >>names
printf 'train segment\ntrain black-box\ntrain classify\n' >>names

while read -r name; do
    # shellcheck disable=SC2086
    run $name --help
    equal "$name --help" "$code" 0
    check "$name --help begins with Usage" grep -q "^Usage: clearmass ${name%% *}" out
    holds "$name --help" out "not a medical device"
    equal "$name --help is quiet on standard error" "$(wc -c <err | tr -d ' ')" 0
    # shellcheck disable=SC2086
    run $name --no-such-option
    equal "$name --no-such-option" "$code" 2
    check "$name --no-such-option says something" [ -s err ]
    # shellcheck disable=SC2086
    run $name
    equal "$name alone" "$code" 2
    check "$name alone says something" [ -s err ]
    equal "$name alone prints no result" "$(wc -c <out | tr -d ' ')" 0
done <names

run no-such-command
equal "an unknown command" "$code" 2
equal "an unknown command is told in one line" "$(cat err)" "clearmass: no command 'no-such-command'; 'clearmass --help' lists them"
run
equal "no command" "$code" 2
holds "no command" err "Usage: clearmass COMMAND"

run model unet
equal "model unet" "$code" 0
holds "model unet" out "Total params: 31,466,753"
holds "model unet" out "Trainable params: 31,454,721"
finish
