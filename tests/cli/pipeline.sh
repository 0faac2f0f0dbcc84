#!/bin/sh
# The whole way, small: images, pre-training, both networks, numbers, page, single cases. What later tests need stays in FOLDER:
# data, segment, black-box.
. "$(dirname "$0")/lib.sh"
rm -rf ./*
SIZE=32

# share TEXT NUMBER...: the numbers add to 1.
adds_to_one() {
    what=$1
    shift
    check "$what add to 1" awk -v all="$*" 'BEGIN { n = split(all, v, " "); for (i = 1; i <= n; i++) s += v[i]; exit !(s > 1 - 1e-6 && s < 1 + 1e-6) }'
}

# has_run RUN: every file that doc/formats.md promises of a run, and what it says.
has_run() {
    log=epoch,dice_coef,loss,lr,val_dice_coef,val_loss,val_dice,val_iou,val_auc,seconds
    cases=epoch,case,id,label,dice,score numbers=31466753
    [ "$1" != classifier ] || log=epoch,acc,loss,lr,val_acc,val_loss,val_auc,seconds cases=epoch,case,id,label,score numbers=23591810
    for name in run.json split.csv log.csv cases.csv epochs/epoch-001.png diary.html best.safetensors last.safetensors; do
        [ "$1 $name" = "pretrained split.csv" ] || check "$1/$name" [ -s "$1/$name" ]
    done
    equal "$1: left-overs" "$(find "$1" -name '*.partial-*' | wc -l | tr -d ' ')" 0
    equal "$1: format and disclaimer" "$("$TOOL" json "$1/run.json" format disclaimer | tr '\n' ' ')" \
        "clearmass-run-1 Research software, not a medical device. "
    check "$1: the rest of run.json" "$TOOL" json "$1/run.json" program task model input.size input.channels input.fit \
        input.breast_crop data.path data.manifest_sha256 data.split_sha256 data.train data.validation init train.epochs train.seed \
        train.learning_rate cases state.epochs_done state.best_epoch state.best_metric state.best_value state.stopped >/dev/null
    equal "$1: finished" "$("$TOOL" json "$1/run.json" state.finished)" true
    equal "$1: best_sha256" "$("$TOOL" json "$1/run.json" state.best_sha256)" "$(sha256sum "$1/best.safetensors" | cut -d' ' -f1)"
    equal "$1: log.csv" "$(head -1 "$1/log.csv")" $log
    equal "$1: cases.csv" "$(head -1 "$1/cases.csv")" $cases
    equal "$1: best weights" "$("$TOOL" weights "$1/best.safetensors" | cut -d' ' -f2-)" "$numbers finite"
    check "$1: last weights" "$TOOL" weights "$1/last.safetensors" >/dev/null
    check "$1: the panel" "$TOOL" size "$1/epochs/epoch-001.png" >/dev/null
    page "$1/diary.html"
}

# page FILE: self-contained, and says what it is.
page() {
    holds "$1" "$1" "not a medical device"
    check "$1 ends" grep -q '</html>' "$1"
    valid "$1"
    equal "$1: what it would fetch" "$(grep -oE "(src|href|action)=[\"']?[^\"'> ]{0,24}|url\([^)]{0,24}|@import|https?://[^\"' <]{0,40}" "$1" |
        grep -vE "=[\"']?(data:|#)|url\([\"']?(data:|#)|http://www.w3.org/2000/svg" | head -3)" ""
}

# ---- images ----
must phantom data --cases 8 --height 256 --seed 3 --normal 0.25
must phantom again --cases 8 --height 256 --seed 3 --normal 0.25
check "the same seed makes the same files" diff -r -x dataset.json data again
rm -r again
equal "manifest.csv" "$(head -1 data/manifest.csv)" \
    id,patient,side,view,density,assessment,subtlety,part,label,width,height,image,image_sha256,mask,mask_sha256,crop,crop_sha256
equal "images" "$(column data/manifest.csv id | wc -l | tr -d ' ')" 16
check "dataset.json" "$TOOL" json data/dataset.json >/dev/null
equal "rejected.csv" "$(cat data/rejected.csv)" path,reason
for id in $(column data/manifest.csv id); do
    row=$(grep "^$id," data/manifest.csv)
    size=$(echo "$row" | cut -d, -f10,11 | tr , x)
    equal "$id: image" "$("$TOOL" size "data/full/$id.tif")" "$size 1 16"
    equal "$id: hash" "$(sha256sum "data/full/$id.tif" | cut -d' ' -f1)" "$(echo "$row" | cut -d, -f13)"
    case $row in
    *,normal,*) check "$id: no mask" [ ! -e "data/roi/$id.tif" ] ;;
    *)
        equal "$id: mask" "$("$TOOL" size "data/roi/$id.tif")" "$size 1 8"
        check "$id: crop" "$TOOL" size "data/crop/$id.tif" >/dev/null
        ;;
    esac
done

# The same images by way of a table: not one sample changes.
mkdir table
awk -F, -v OFS=, 'NR == 1 { print "id,image,mask,label,patient"; next }
    { print $1, "../data/" $12, $14 ? "../data/" $14 : "", $9, $2 }' data/manifest.csv >table/cases.csv
must ingest folder table ingested
equal "ingested images" "$(column ingested/manifest.csv image_sha256 | sort)" "$(column data/manifest.csv image_sha256 | sort)"
equal "ingested masks" "$(column ingested/manifest.csv mask_sha256 | sort)" "$(column data/manifest.csv mask_sha256 | sort)"

# ---- training ----
must pretrain pretrained --size $SIZE --epochs 1 --steps 1 --validation-steps 1 --batch 2
has_run pretrained
must train segment data segment --init pretrained --size $SIZE --fit pad --breast-crop --epochs 2 --batch 4 --validation 0.5
has_run segment
equal "segment: epochs in log.csv" "$(column segment/log.csv epoch | tr '\n' ' ')" "0 1 "
equal "segment: rows of cases.csv" "$(column segment/cases.csv epoch | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 4 0; 4 1;"
check "segment: a panel an epoch" [ -s segment/epochs/epoch-002.png ]
must train black-box data black-box --init segment --epochs 1 --batch 4
has_run black-box

must train classify data classifier --init none --recipe published --size $SIZE --epochs 2 --batch 4 --validation 0.5
has_run classifier
equal "classifier: its input and its network" "$("$TOOL" json classifier/run.json input.preprocessing options.classes options.epsilon \
    train.unfreeze train.frozen_norm | tr '\n' ' ')" "caffe 2 0.001 none inference "
equal "classifier: the normal images are counted" "$("$TOOL" json classifier/run.json data.normal)" \
    "$(column data/manifest.csv label | grep -c normal)"
check "classifier: the features are kept" [ -s classifier/features.safetensors ]
equal "classifier: scores are probabilities" "$(column classifier/cases.csv score | awk '$1 < 0 || $1 > 1')" ""
check "a head that learns is not said to be stuck" eval '! grep -q "taught nothing" err'
# Random features are large: at such a rate every probability ends at 0 or 1, and there the loss is flat.
must train classify data stuck --depth 101 --init none --recipe published --size $SIZE --epochs 5 --batch 4 --validation 0.5 \
    --learning-rate 1000
equal "a head that no longer learns is said so once" "$(grep -c "taught nothing: every probability .* smaller --learning-rate" err)" 1
# The weights tell how deep their network is, in a run and in a file.
for weights in stuck stuck/best.safetensors; do
    must train classify data deep --init $weights --size $SIZE --epochs 1 --batch 4 --validation 0.5
    equal "as deep as $weights" "$("$TOOL" json deep/run.json model)" resnet101
    rm -r deep
done
run train classify data deep --depth 50 --init stuck/best.safetensors --size $SIZE --epochs 1
equal "another depth: exit code" "$code" 1
holds "another depth" err "stuck/best.safetensors: weights of ResNet-101, not of ResNet-50"
check "another depth: no run" [ ! -e deep ]
rm -r stuck

equal "split.csv" "$(head -1 segment/split.csv)" id,patient,part
check "the black box keeps the split" cmp segment/split.csv black-box/split.csv
equal "patients in two parts" "$(awk -F, 'NR > 1 && ($2 in part) && part[$2] != $3 { print $2 } NR > 1 { part[$2] = $3 }' segment/split.csv)" ""
equal "every image has a part" "$(column segment/split.csv id | sort)" "$(column data/manifest.csv id | sort)"
equal "split_sha256" "$("$TOOL" json black-box/run.json data.split_sha256)" "$(sha256sum black-box/split.csv | cut -d' ' -f1)"
equal "the black box sees what the segmenter saw" "$("$TOOL" json black-box/run.json input.size input.fit input.breast_crop | tr '\n' ' ')" \
    "$SIZE pad true "

# ---- numbers ----
must evaluate black-box data
holds "evaluate" out "not a medical device"
holds "evaluate: matrices" out "two answers | three answers"
for row in 0 1; do
    name="actual malignant"
    [ $row = 1 ] || name="actual benign or normal"
    equal "evaluate: $name" "$(grep "$name" out | tail -1 | sed "s/.*$name *//; s/[| ]\{1,\}/ /g")" \
        "$("$TOOL" json black-box/evaluation/result.json decisions.1.confusion.$row.0 decisions.1.confusion.$row.1 \
            decisions.1.three_way.$row.0 decisions.1.three_way.$row.1 decisions.1.three_way.$row.2 | tr '\n' ' ' | sed 's/ $//')"
done
E=black-box/evaluation
equal "predictions.csv" "$(head -1 $E/predictions.csv)" \
    id,patient,label,part,score,answer,dice,iou,truth_pixels,predicted_pixels,mask,image,side,view,density,assessment,subtlety
equal "a row for every validation image" "$(column $E/predictions.csv id | sort)" \
    "$(awk -F, '$3 == "validation" { print $1 }' black-box/split.csv | sort)"
for id in $(column $E/predictions.csv id); do
    equal "$id: evaluated mask" "$("$TOOL" size "$E/masks/$id.png")" "160x256 1 8"
done
check "result.json" "$TOOL" json $E/result.json program run.path run.task run.model run.epoch run.weights_sha256 data.path data.part \
    data.images data.patients data.benign data.malignant data.normal data.external data.test_evaluations overlap.dice.mean \
    overlap.dice.mean_low overlap.dice.median overlap.dice.q1 overlap.dice.share_above_half overlap.iou.mean \
    overlap.dice_malignant.mean overlap.soft_batch_dice overlap.batch overlap.empty_truths score.auc score.auc_low \
    score.auc_standard_error score.roc.0.2 decisions.0.low decisions.0.chosen_on decisions.0.confusion.1.1 \
    decisions.0.three_way.1.2 decisions.0.accuracy.low decisions.0.majority_class decisions.0.sensitivity.value \
    decisions.0.specificity.value decisions.0.ppv decisions.0.npv decisions.0.f1 decisions.0.balanced_accuracy answers_by unreadable >/dev/null
holds "result.json" $E/result.json "not a medical device"
images=$("$TOOL" json $E/result.json data.images)
equal "images counted" "$images" "$(column $E/predictions.csv id | wc -l | tr -d ' ')"
equal "the hash of the weights" "$("$TOOL" json $E/result.json run.weights_sha256)" "$("$TOOL" json black-box/run.json state.best_sha256)"
for d in 0 1; do
    equal "confusion $d counts every image" "$("$TOOL" json $E/result.json decisions.$d.confusion.0.0 decisions.$d.confusion.0.1 \
        decisions.$d.confusion.1.0 decisions.$d.confusion.1.1 | awk '{ s += $1 } END { print s }')" "$images"
done
check "thresholds.json" "$TOOL" json black-box/thresholds.json program disclaimer low high wanted_sensitivity wanted_specificity chosen_on images \
    manifest_sha256 weights_sha256 >/dev/null
low=$("$TOOL" json black-box/thresholds.json low) high=$("$TOOL" json black-box/thresholds.json high)
equal "answers follow the thresholds" "$(awk -F, -v low="$low" -v high="$high" \
    'NR > 1 && $6 != ($5 < low ? "benign" : $5 > high ? "malignant" : "uncertain")' $E/predictions.csv)" ""

run calibrate black-box
equal "too few patients for a promise" "$code" 1
holds "calibrate" err "no band can be promised: too few patients with"
equal "calibration.json without a promise" "$("$TOOL" json black-box/calibration.json guaranteed)" null
must verify black-box/evaluation -o replayed
holds "verify" out "Same: all "
sed -i 's/"auc": [01]\.[0-9]*/"auc": 0.4375/;s/"auc": null/"auc": 0.4375/' $E/result.json
run verify black-box -o replayed
equal "a changed result" "$code" 1
holds "verify" out "score.auc: 0.4375, now"
cp replayed/result.json $E/result.json
must report black-box
page black-box/report.html
must evaluate segment
equal "a segment run gives no answers" "$("$TOOL" json segment/evaluation/result.json answers_by)" null
must report segment
page segment/report.html
must compare black-box segment -o compared
holds "compare" out "not a medical device"
check "comparison.json" "$TOOL" json compared/comparison.json cases runs.0.auc.low runs.1.dice.value pairs.0.auc.p_holm tests >/dev/null
page compared/comparison.html
run evaluate segment ingested
equal "the same pictures again" "$code" 1
holds "a leak" err "that the run learnt from are here too"
must evaluate segment ingested --allow-leak
equal "another data set is an external test" "$("$TOOL" json segment/evaluation/result.json data.external data.part data.test_evaluations | tr '\n' ' ')" \
    "true external 1 "
equal "looks at external images are counted" "$(column segment/test_evaluations.csv part)" external

# ---- single cases ----
mkdir mixed
"$TOOL" png mixed/wide.png 300 90 7
"$TOOL" png mixed/one.png 1 1 7
cp "data/full/$(column $E/predictions.csv id | head -1).tif" mixed/
must explain mixed --run black-box -o explained
holds "explain" out "not a medical device"
equal "summary.csv" "$(head -1 explained/summary.csv)" path,verdict,score,regions,error
equal "summary.csv: rows" "$(column explained/summary.csv path)" "$(ls mixed | sed 's,^,mixed/,')"
for path in mixed/*; do
    stem=$(basename "${path%.*}") size=$("$TOOL" size "$path" | cut -d' ' -f1)
    J=explained/$stem.json
    equal "$stem: mask" "$("$TOOL" size "explained/$stem-mask.png")" "$size 1 8"
    check "$stem: overlay" "$TOOL" size "explained/$stem-overlay.png" >/dev/null
    check "$stem: JSON" "$TOOL" json "$J" format program disclaimer image.path image.sha256 run.path thresholds verdict score low high \
        peak cut regions rest_score rest_share >/dev/null
    equal "$stem: size" "$("$TOOL" json "$J" image.width image.height | paste -sd x)" "$size"
    equal "$stem: thresholds" "$("$TOOL" json "$J" low high | paste -sd ' ')" "$low $high"
    score=$("$TOOL" json "$J" score)
    equal "$stem: verdict" "$("$TOOL" json "$J" verdict)" \
        "$(awk -v s="$score" -v low="$low" -v high="$high" 'BEGIN { print (s < low ? "benign" : s > high ? "malignant" : "uncertain") }')"
    shares=$("$TOOL" json "$J" rest_share) n=$("$TOOL" json "$J" regions) i=0
    while [ "$i" -lt "$n" ]; do
        shares="$shares $("$TOOL" json "$J" regions.$i.score_share)"
        check "$stem: region $i lies in the image" [ "$("$TOOL" json "$J" regions.$i.x1)" -le "${size%x*}" -a \
            "$("$TOOL" json "$J" regions.$i.y1)" -le "${size#*x}" ]
        i=$((i + 1))
    done
    # shellcheck disable=SC2086
    adds_to_one "$stem: shares of the score" $shares
done
first=$(column $E/predictions.csv id | head -1)
check "evaluate and explain give one score" awk -v a="$("$TOOL" json "explained/$first.json" score)" \
    -v b="$(column $E/predictions.csv score | head -1)" 'BEGIN { d = (a - b) / b; exit !(d < 1e-5 && d > -1e-5) }'
check "evaluate and explain give one mask" "$TOOL" near "explained/$first-mask.png" "$E/masks/$first.png" 1

# ---- the classifier, and two opinions ----
must evaluate classifier
C=classifier/evaluation
equal "classifier: predictions.csv" "$(head -1 $C/predictions.csv | cut -d, -f1-12)" \
    id,patient,label,part,score,answer,cam_hit,cam_energy,region_share,cam,roi,crop
equal "classifier: a row for every validation crop" "$(column $C/predictions.csv id | sort)" \
    "$(awk -F, 'NR == FNR { crop[$1] = $16 != ""; next } $3 == "validation" && crop[$1] { print $1 }' data/manifest.csv classifier/split.csv | sort)"
for id in $(column $C/predictions.csv id); do
    size=$("$TOOL" size "data/crop/$id.tif" | cut -d' ' -f1)
    equal "$id: Grad-CAM" "$("$TOOL" size "$C/cam/$id.png")" "$size 1 8"
    equal "$id: the lesion in the crop" "$("$TOOL" size "$C/roi/$id.png")" "$size 1 8"
done
check "classifier: result.json" "$TOOL" json $C/result.json cam.all.crops cam.all.pointing_game.value cam.malignant.energy_inside.low \
    cam.without score.auc decisions.0.accuracy.low decisions.0.majority_class decisions.0.f1_macro decisions.1.three_way.1.2 >/dev/null
check "classifier: thresholds.json" [ -s classifier/thresholds.json ]
must report classifier
page classifier/report.html
holds "the classifier's page" classifier/report.html "Grad-CAM"
must explain mixed --run black-box --classifier classifier -o asked
equal "asked: summary.csv" "$(head -1 asked/summary.csv)" path,verdict,score,regions,error,map,classifier,malignant,why
for path in mixed/*; do
    stem=$(basename "${path%.*}")
    equal "$stem: the map says what it said" "$("$TOOL" json "asked/$stem.json" opinions.map)" "$("$TOOL" json "explained/$stem.json" verdict)"
    equal "$stem: a picture of every crop" "$(find asked -name "$stem-crop-*.png" | wc -l | tr -d ' ')" "$("$TOOL" json "asked/$stem.json" regions)"
done
must evaluate black-box --classifier classifier
holds "evaluate --classifier" out "accuracy of the decided"
O=black-box/opinions
check "opinions: result.json" "$TOOL" json $O/result.json format accord.agree accord.differ systems.0.three_way.1.2 \
    systems.0.accuracy_of_decided.low systems.0.majority_class_of_decided systems.2.uncertain.value data.left_out classifier.path >/dev/null
equal "opinions: patients that trained the classifier are left out" "$(column $O/predictions.csv patient | sort -u | while read -r p; do
    awk -F, -v p="$p" '$2 == p && $3 == "train" { print p }' classifier/split.csv; done)" ""
must report black-box
page black-box/report.html
holds "the page" black-box/report.html "Two opinions"
run evaluate black-box --classifier classifier --part train
equal "images that trained are refused" "$code" 1
holds "images that trained are refused" err "that neither learned from"
run explain mixed --run classifier -o asked
equal "a classifier alone is refused" "$code" 1
holds "a classifier alone is refused" err "(--classifier)"

must explain "data/full/$first.tif" --run segment -o marked
equal "a segment run gives no verdict" "$("$TOOL" json "marked/$first.json" verdict thresholds | tr '\n' ' ')" "none null "
check "and says why" "$TOOL" json "marked/$first.json" note >/dev/null
finish
