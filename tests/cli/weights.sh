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

# ---- Keras' small files: what does not fit ----
run weights show "$GOLDEN/plain.h5"
equal "show: exit code" "$code" 0
holds "show: versions" out "Keras 2.2.4, backend tensorflow"
holds "show: a layer" out "3x3x2x4, 4"
holds "show: counts" out "3 layers, 2 with weights, 6 arrays, 92 numbers"
holds "show: no network of ours" out "Fits no network: weights of no network known here: 2 layers with weights, the first is 'conv2d_1'"
run weights import "$GOLDEN/plain.h5" out.safetensors
refused "import of another network" "plain.h5: weights of no network known here"
run weights import "$GOLDEN/bad_layer_missing.h5" out.safetensors
refused "import of a damaged file" "bad_layer_missing.h5: layer 'batch_normalization_1': it is listed, but cannot be read"
run weights import "$GOLDEN/genuine_arrays.csv" out.safetensors
refused "import of something else" "genuine_arrays.csv: no HDF5 file"
run weights import no_such.h5 out.safetensors
refused "import of nothing" "no_such.h5: No such file or directory"
run weights import "$GOLDEN/plain.h5" out.txt
equal "import to a strange type: exit code" "$code" 2
run weights show "$GOLDEN/bad_keras_3.h5"
refused "show of Keras 3's layout" "weights as Keras 3 lays them out"
equal "failures write nothing" "$(ls)" "$(printf 'cache\nerr\nout')"
run weights export no_such.safetensors out.h5
refused "export of nothing" "no_such.safetensors: No such file or directory"
mkdir empty
run weights export empty out.h5
refused "export of no run" "empty: no run with weights in it"
cut=$HERE/../../../shared/data/keras-h5/resnet50_notop_TRUNCATED_first1MiB.h5
if [ -e "$cut" ]; then
    run weights import "$cut" out.safetensors
    refused "the genuine file cut short" "cut short: 1048576 bytes of"
    run weights import "${cut%/*}/resnet50_partial_conv1_to_res3a_REAL.h5" out.safetensors
    refused "the first layers of the genuine file" "like ResNet-50, but without a layer 'res3b_branch2a'"
    must weights import "${cut%/*}/resnet50_partial_conv1_to_res3a_REAL.h5" out.safetensors --partial
    holds "the first layers of the genuine file, wanted" err "76 layers were not in the file and have initial values"
    rm out.safetensors
else
    echo "skipped: the genuine files are not here"
fi

# ---- Files as large as the published ones, made and read with h5py ----
if ! /usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null; then
    echo "skipped: whole files of Keras need python3-h5py"
    finish
fi
keras() { /usr/bin/python3 "$HERE/../../tools/keras_files.py" "$@"; }

# The published ResNet50 without its head: Keras 1's names, 175 layers.
check "made with h5py" keras make resnet50-2015 old.h5 --keras 1
must weights show old.h5
holds "show: no version" out "Keras 1 (no version told), backend not told"
holds "show: the counts" out "175 layers, 106 with weights, 318 arrays, 23587712 numbers"
holds "show: the network" out "Fits: ResNet-50, 3 channels, no head, epsilon 0.001"
must weights import old.h5 old.safetensors
check "import: every number" keras check resnet50-2015 old.safetensors
equal "import tells the source" "$("$TOOL" weights old.safetensors)" "318 23587712 finite"
must weights show old.safetensors
holds "show: safetensors" out "318 arrays, 23587712 numbers"
holds "show: its network" out "Fits: ResNet-50, 3 channels, no head, epsilon 0.001"
must weights export old.safetensors keras2.h5
check "export: as Keras reads it" keras check resnet50-2015 keras2.h5
must weights import keras2.h5 again.safetensors
check "export and import: the same arrays" "$TOOL" same old.safetensors again.safetensors
run weights import old.h5 unet.safetensors --network unet
refused "another network than wanted" "old.h5: weights of ResNet-50, not of ZF_UNET_224"
keras edit keras2.h5 reshape res4c_branch2b
run weights import keras2.h5 again.safetensors
refused "a wrong shape" "keras2.h5: layer 'res4c_branch2b': 'res4c_branch2b/bias:0' is [255], res4c_branch2b/bias should be [256]"
check "a failed import leaves the old file" "$TOOL" same old.safetensors again.safetensors
keras edit keras2.h5 remove res4c_branch2b
run weights import keras2.h5 again.safetensors
refused "a missing layer" "keras2.h5: like ResNet-50, but without a layer 'res4c_branch2b'"
must weights import keras2.h5 partial.safetensors --partial
holds "a missing layer that may be" err "1 layers were not in the file and have initial values"
keras edit keras2.h5 poison bn3a_branch1
run weights import keras2.h5 again.safetensors
refused "a number that is none" "'bn3a_branch1/moving_variance:0' holds a number that is not finite"
rm ./*.h5 ./*.safetensors

# The later names, a head, a whole model, attributes in pieces.
keras make resnet50-2018 new.h5 --top 5 --whole-model --split
must weights import new.h5 new.safetensors
holds "import: the later names" out "new.safetensors: ResNet-50, 3 channels, 5 classes, epsilon 1.001e-05, 23597957 numbers"
check "import of the later names: every number" keras check resnet50-2018 new.safetensors --top 5
equal "the options are kept" "$(head -c 4096 new.safetensors | grep -c '\\"classes\\":5,\\"epsilon\\":1.001')" 1
must weights export new.safetensors new.h5
check "export of the later names" keras check resnet50-2018 new.h5 --top 5
rm ./*.h5 ./*.safetensors

# The U-Net, by order, from a file and out of a run's folder.
keras make unet unet.h5
must weights import unet.h5 unet.safetensors --network unet
check "import of the U-Net: every number" keras check unet unet.safetensors
mkdir run && mv unet.safetensors run/best.safetensors
must weights export run unet.h5
check "export of a run" keras check unet unet.h5
must weights export run unet.onnx
check "an ONNX file" grep -aq 'Research software, not a medical device' unet.onnx
must weights export run copy.safetensors
check "export to safetensors" "$TOOL" same run/best.safetensors copy.safetensors
keras edit unet.h5 remove conv2d_7
run weights import unet.h5 copy.safetensors --network unet
refused "a U-Net without a layer" "unet.h5: 44 layers with weights; ZF_UNET_224 has 45"
finish
