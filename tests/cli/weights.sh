#!/bin/sh
# Weights from the user's side: fetched, looked at, imported, exported.
. "$(dirname "$0")/lib.sh"
rm -rf ./*
GOLDEN=$HERE/../golden/keras
export XDG_CACHE_HOME="$WORK/cache"
CACHE=$WORK/cache/clearmass/weights
for name in http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; do unset "$name"; done

# refused TEXT WORDS: the last run failed, with one line that holds the words.
refused() {
    equal "$1: exit code" "$code" 1
    equal "$1: lines" "$(grep -c . err)" 1
    holds "$1" err "$2"
}

# ---- fetch ----
# The program's own sum of a published file cannot be met by a small one: files of one's own stand for it here, and the published
# names for what goes wrong.
sum=$(md5sum <"$GOLDEN/plain.h5" | cut -c1-32)
run weights fetch mine --from "file://$GOLDEN/plain.h5" --md5 "$sum"
equal "fetch: exit code" "$code" 0
equal "fetch prints the file" "$(cat out)" "$CACHE/mine.h5"
check "fetch brings the file" cmp -s "$GOLDEN/plain.h5" "$CACHE/mine.h5"
equal "fetch leaves nothing else" "$(ls "$CACHE")" mine.h5
run weights fetch mine --from "file:///no/such/file" --md5 "$sum"
equal "fetch a second time: exit code" "$code" 0
holds "fetch a second time" err "already there"
echo >>"$CACHE/mine.h5"
run weights fetch mine --from "file://$GOLDEN/plain.h5" --md5 "$sum"
refused "a damaged file in the cache" "$CACHE/mine.h5: its MD5 is $(md5sum <"$CACHE/mine.h5" | cut -c1-32), not $sum; remove it to download it again"
rm "$CACHE/mine.h5"
head -c 1000 "$GOLDEN/plain.h5" >"$CACHE/mine.h5.part"
run weights fetch mine --from "file://$GOLDEN/plain.h5" --md5 "$sum"
equal "fetch the rest: exit code" "$code" 0
holds "fetch the rest" err "going on after 1000 bytes"
check "fetch the rest brings the file" cmp -s "$GOLDEN/plain.h5" "$CACHE/mine.h5"

run weights fetch resnet50 --from "file://$GOLDEN/plain.h5"
refused "another sum" "has the MD5 $sum, not a268eb855778b3df3c7506639542a6af: not kept"
run weights fetch resnet50 --from "file:///no/such/file"
refused "no such file" "file:///no/such/file cannot be reached"
run weights fetch zf-unet --from http://127.0.0.1:9/zf_unet_224.h5
refused "nobody there" "http://127.0.0.1:9/zf_unet_224.h5 cannot be reached ("
holds "nobody there: what to do" err "by hand: save that file as $CACHE/zf-unet.h5 (its MD5 is 203146f209baf34ac0d793e1691f1ab7)"
https_proxy=http://127.0.0.1:9 run weights fetch resnet152
refused "a proxy that is none" "https://github.com/keras-team/keras-applications/releases/download/resnet/resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5 cannot be reached ("
holds "a proxy that is none: what to do" err "by hand: save that file as $CACHE/resnet152.h5"
equal "failures leave nothing" "$(ls "$CACHE")" mine.h5
(unset XDG_CACHE_HOME HOME && run weights fetch resnet50 && exit 1)
holds "no cache folder" err "neither XDG_CACHE_HOME nor HOME is set"

run weights fetch vgg16
equal "an unknown name: exit code" "$code" 2
holds "an unknown name" err "no published weights 'vgg16'; there are: resnet50, "
run weights fetch ../mine --from file:///x --md5 "$sum"
equal "a name with a folder: exit code" "$code" 2
run weights fetch mine --md5 "$sum"
equal "a sum without an address: exit code" "$code" 2
run weights fetch resnet50 --from file:///x --md5 "$sum"
equal "another sum for a published name: exit code" "$code" 2
finish
