#!/bin/sh
# From DICOM files on: phantoms in the archive's layout, with its faults, become a data set; explain takes the files themselves.
# FOLDER holds what pipeline.sh left: black-box.
. "$(dirname "$0")/lib.sh"
RUN=$WORK/black-box
[ -s "$RUN/best.safetensors" ] || { echo "$WORK: pipeline.sh has to come first" >&2; exit 1; }
rm -rf archive && mkdir archive && cd archive || exit 1
WORK=$WORK/archive

# film FAULT: the film that has it.
film() {
    awk -F, -v fault="$1" '$1 == fault { print $2; exit }' made/faults.csv
}

# dicom ID: its image's file.
dicom() {
    find "made/CBIS-DDSM/$1" -name 1-1.dcm | head -1
}

# same_judgement TEXT A B: the outputs of two explanations are the same but for their names.
same_judgement() {
    check "$1: mask" cmp "$2-mask.png" "$3-mask.png"
    check "$1: overlay" cmp "$2-overlay.png" "$3-overlay.png"
    equal "$1: score, verdict" "$("$TOOL" json "$2.json" score verdict)" "$("$TOOL" json "$3.json" score verdict)"
}

run phantom made --faults
equal "--faults without --archive" "$code" 2
must phantom made --archive --faults --cases 8 --height 256 --several 0.3 --test 0.25
must phantom plain --cases 8 --height 256 --several 0.3 --test 0.25
run phantom made --archive
equal "a folder that is used" "$code" 1
equal "is told in one line" "$(cat err)" "clearmass: made: is not empty; name a new folder"

must ingest cbis made/CBIS-DDSM --csv made/mass_case_description_train_set.csv --csv made/mass_case_description_test_set.csv data
equal "images but the truncated and the missing one" "$(column data/manifest.csv id | wc -l | tr -d ' ')" 14
equal "parts" "$(column data/manifest.csv part | sort -u | tr '\n' ' ')" "test train "
column plain/manifest.csv image_sha256 | sort >drawn
column data/manifest.csv image_sha256 | sort >read
equal "every image is one that was drawn" "$(comm -23 read drawn)" ""
holds "audit.html" data/audit.html "not a medical device"
valid data/audit.html

# ---- a patient in train and in test ----
cp -r data leaky
sed -i '/^Mass-Training_P_00004_LEFT_CC,/s/,train,/,test,/' leaky/manifest.csv
equal "one row was changed" "$(cmp -s data/manifest.csv leaky/manifest.csv; echo $?)" 1
for task in segment classify; do
    run train $task leaky refused --init none --size 32 --epochs 1
    equal "train $task: exit code" "$code" 1
    equal "train $task: one line with the patient's name" "$(cat err)" "clearmass: leaky: 1 patient is both in train and in test (P_00004), \
so results on the test part would flatter; --allow-leak trains all the same"
    check "train $task: nothing is made" [ ! -e refused ]
done

# ---- explain ----
good=$(film two-folders) turned=$(film monochrome1) cut=$(film truncated-image) third=$(film misnamed-series)
mkdir -p mixed/deep tiffs
cp "$(dicom "$good")" mixed/2.25.1
cp "$(dicom "$turned")" "mixed/deep/with space"
cp "$(dicom "$cut")" mixed/cut
cp "data/full/$good.tif" tiffs/good.tif
cp "data/full/$turned.tif" tiffs/turned.tif
cp "data/full/$third.tif" tiffs/third.tif # batches of three everywhere: another size may round otherwise
echo "no image" >mixed/notes.txt
must explain tiffs --run "$RUN" -o from-tiff
run explain mixed --run "$RUN" -o from-dicom
equal "a folder with a broken file" "$code" 1
holds "the broken file is named" err "mixed/cut: truncated DICOM"
equal "files that were found" "$(column from-dicom/summary.csv path | tr '\n' ' ')" "mixed/2.25.1 mixed/cut mixed/deep/with space "
same_judgement "a DICOM file and its TIFF" from-dicom/2.25.1 from-tiff/good
same_judgement "MONOCHROME1 and its TIFF" "from-dicom/with space" from-tiff/turned
check "two images give two masks" [ "$(sha256sum <from-tiff/good-mask.png)" != "$(sha256sum <from-tiff/turned-mask.png)" ]
equal "the picture below the mask is the mammogram" "$("$TOOL" size from-dicom/2.25.1-mask.png)" "160x256 1 8"

must explain "$(dicom "$good")" "$(dicom "$turned")" "$(dicom "$third")" --run "$RUN" -o archive-files
same_judgement "files of the archive are called after their films" "archive-files/$good-1-1" from-tiff/good
same_judgement "and the second" "archive-files/$turned-1-1" from-tiff/turned
finish
