#!/usr/bin/env bash
# What the program does with wrong usage, bad files and machines that lack something:
# bad_input_test.sh LEYDEN SOURCE_DIR [SANITIZERS]
# shellcheck disable=SC2317  # tests are called by name
leyden=$1
source_dir=$2
sanitizers=${3-}
source "$(dirname "$0")/shell_lib.sh"
checkpoint=$source_dir/tests/data/oracle/checkpoints/v32-tiny-bf16
data=$source_dir/tests/data

deep=$work/deep.json
head -c 100000 /dev/zero | tr '\0' '[' >"$deep"
huge=$work/huge.json
truncate -s 300M "$huge"
broken=$work/broken.txt # not UTF-8
printf 'a\xff\xc3(b' >"$broken"
folder=$work/folder
mkdir "$folder"
# The demo model, quantized once and not by every start of the program.
"$leyden" convert --in "$source_dir/models/demo/checkpoint" --out "$work/demo.leyden" >/dev/null
export LEYDEN_DEMO_MODEL=$work/demo.leyden

test_wrong_usage_is_status_2_and_says_what() {
  call
  exits 2
  call nonsense -m x
  exits 2
  says err "there is no command 'nonsense'"
  call --nonsense
  exits 2
  says err "there is no option '--nonsense'"
  local command
  for command in chat run convert calibrate compare eval logits inspect bench machine tokenize render; do
    call "$command" --no-such-option
    exits 2
    silent out
    says err "leyden: "
    says err "Try 'leyden"
    call "$command" --help
    exits 0
    silent err
    says out "Usage:"
  done
  for arguments in "run" "run -p" "run -p x -n 0" "run -p x -n many" "run -p x -t 0" "run -p x -f y" \
    "run -p x --messages y" "run --messages x --raw" "run -p x --kv-cache int3" "run -p x --temp hot" \
    "run -p x --thinking maybe" "run -p x --logit-bias 5" "run -p x --logit-bias 5=-inf" "logits" "logits --tokens 1 --tokens-file x" \
    "convert --in x" "convert --out x" "eval" "eval --kl x" "inspect" \
    "calibrate" "calibrate --text x" "calibrate -o x" "calibrate --text x -o y --document-tokens 1" \
    "compare" "compare x" "compare x y -t 0" "chat --thinking maybe" \
    "render --format v9" "run -p x --top-p 7" "run -p x --context -1" "run -p x --prefill-chunk 0" \
    "bench --prefill many" "bench --prefill -3" "bench --depth -5" "bench -t 1,5000" "bench --prefill 0 --decode 0" \
    "bench --layers 0+0 --synthetic lite" "machine --context x" "run -p x --raw --system y" \
    "run -p x --raw --thinking on" "bench --synthetic lite -m $checkpoint --layers 1+0 --prefill 1" \
    "bench --layers 1+1 --prefill 1" "render --lenient" "bench --recipe int8 --weights f32 --prefill 1"; do
    # shellcheck disable=SC2086
    call $arguments
    exits 2
    silent out
  done
  call logits --tokens ""
  exits 2
  says err "--tokens: '' is not a list of ids"
  for seed in -1 18446744073709551616 0x10 ""; do
    call run -p x -n 1 --seed "$seed"
    exits 2
    says err "--seed: '$seed' is not a whole number from 0 to 2^64 - 1"
  done
  call run -p x -n 1 --seed 18446744073709551615
  exits 0
  call run -p x -t 0
  says err "--threads: 0 is out of range, expected at least 1"
  call bench --repeat 0
  says err "--repeat: 0 is out of range, expected 1 to 1000"
  call run -p x --thinking maybe
  says err "--thinking: 'maybe' is not one of on|off"
  call run -p x --raw --thinking on
  says err "--raw excludes --thinking on"
  call run -p x -n 1 --raw --thinking off # which asks for nothing
  exits 0
  LEYDEN_ISA=mmx call run -p x
  exits 2
  says err "LEYDEN_ISA=mmx"
}
test_help_tells_the_defaults() {
  local help
  call bench --help
  help=$(tr -s ' \n' ' ' <"$work/out")
  for text in "default: int8, but int4 for bench --synthetic and machine --plan v3.2|v3|lite" \
    "The same as --weights (synthetic weights: int4 by default)" "computed together, 1 to 8192" \
    "the model's maximum, of which plans count 4096 tokens at most"; do
    [[ $help == *"$text"* ]] || fail "--help lacks '$text'"
  done
  called="vm --help"
  bash "$source_dir/tests/numa/vm" --help >"$work/out"
  says out "usage: vm "
  says out "LEYDEN_VM_CACHE"
}
test_an_empty_name_of_a_file_is_wrong_usage() {
  local none=$work/none.leyden
  refused() {
    call "$@" ""
    exits 2
    says err ": expected a path"
    silent out
    nothing_at "$none"
  }
  refused run -m
  refused run -f
  refused run --messages
  refused run -p x --tools
  refused run -p x --json
  refused convert --in "$checkpoint" --out
  refused convert --in "$checkpoint" --out "$none" --calibration
  refused convert --in "$checkpoint" --out "$none" --report
  refused calibrate --text "$0" --out
  refused eval --perplexity
  refused logits --tokens-file
  refused machine --plan
  refused tokenize --jsonl
  call inspect ""
  exits 2
  says err "path: expected a path"
}
test_a_missing_file_is_named() {
  for arguments in "run -m NONE -p x" "run -f NONE" "run --messages NONE" "run -p x --tools NONE" \
    "inspect NONE" "convert --in NONE --out $work/out.leyden" \
    "convert --in $checkpoint --out $work/out.leyden --routing-stats NONE" "eval --perplexity NONE" \
    "eval --questions NONE" "logits --tokens-file NONE" "tokenize --tokenizer NONE" "tokenize --jsonl NONE" \
    "render --jsonl NONE" "chat -m NONE" "chat --resume ./NONE.json" "run -p x --weights NONE.json" \
    "calibrate --text NONE -o $work/out.leyden" "calibrate -m NONE --text $0 -o $work/out.leyden" \
    "compare NONE NONE" "convert --in $checkpoint --out $work/out.leyden --calibration NONE" \
    "convert --in $checkpoint --out $work/out.leyden --recipe NONE.json"; do
    # shellcheck disable=SC2086
    call $arguments
    refuses NONE
  done
  nothing_at "$work/out.leyden"
}
test_a_directory_where_a_file_belongs_is_named() {
  for arguments in "run -m $folder -p x" "run -f $folder" "run --messages $folder" "run -p x --tools $folder" \
    "run -p x -n 1 --json $folder" "inspect $folder" "convert --in $checkpoint --out $folder" \
    "eval --perplexity $folder" "eval --questions $folder" "logits --tokens-file $folder" \
    "logits --tokens 1 --json $folder" "tokenize --tokenizer $folder" "tokenize --jsonl $folder" \
    "render --jsonl $folder" "machine --json $folder" "calibrate --text $folder -o $work/out" \
    "calibrate --text $0 -o $folder" "compare $folder $folder" \
    "convert --in $checkpoint --out $work/out --calibration $folder" \
    "convert --in $checkpoint --out $work/out --report $folder"; do
    # shellcheck disable=SC2086
    call $arguments
    refuses "$folder"
  done
}
test_deep_and_huge_json_is_refused() {
  local file
  for file in "$deep" "$huge"; do
    for arguments in "run --messages $file" "run -p x --tools $file" "logits --tokens-file $file" \
      "eval --perplexity $file" "tokenize --tokenizer $file" "chat --resume $file"; do
      # shellcheck disable=SC2086
      call $arguments
      refuses "$file"
    done
  done
  cp -r "$checkpoint" "$work/deep"
  cp "$deep" "$work/deep/config.json"
  call inspect "$work/deep"
  refuses "$work/deep/config.json" "deep"
  call render --format v3 --jsonl "$deep"
  exits 0 # a line with an error is answered by a line with an error
  says out '"error"'
}
# A pipe would wait for a writer, a link to itself is no file that isn't there.
test_pipes_and_links_to_themselves_in_a_checkpoint_are_refused() {
  local demo=$source_dir/models/demo/checkpoint odd=$work/odd file
  for file in config.json tokenizer.json tokenizer_config.json generation_config.json model.safetensors \
    model.safetensors.index.json; do
    rm -rf "$odd" && mkdir "$odd" && ln -s "$demo"/* "$odd"
    rm -f "$odd/$file" && mkfifo "$odd/$file"
    call run -m "$odd" -p x -n 1
    refuses "$odd/$file: is not a regular file"
    rm "$odd/$file" && ln -s "$odd/$file" "$odd/$file"
    call run -m "$odd" -p x -n 1
    refuses "$odd/$file: can't open: Too many levels of symbolic links"
  done
}
test_input_without_an_end_is_refused() {
  local -x GLIBC_TUNABLES=glibc.malloc.hugetlb=1 # hundreds of megabytes are read, a third of the time by pages of 4 KiB
  for arguments in "tokenize --jsonl /dev/zero" "render --jsonl /dev/zero" "eval --questions /dev/zero" "run -f /dev/zero"; do
    # shellcheck disable=SC2086
    call $arguments
    refuses "/dev/zero: has"
  done
  called="leyden chat </dev/zero"
  timeout 100 "$leyden" chat </dev/zero >"$work/out" 2>"$work/err"
  status=$?
  refuses "standard input: has a line of more than"
  called="leyden tokenize </dev/zero"
  "$leyden" tokenize </dev/zero >"$work/out" 2>"$work/err"
  status=$?
  refuses "standard input: has more than"
}
test_standard_input_is_read_from_where_it_stands_whatever_it_is() {
  called="read; leyden tokenize"
  printf 'one\ntwo\n' >"$work/two.txt"
  { read -r && "$leyden" tokenize >"$work/out" 2>"$work/err"; } <"$work/two.txt"
  status=$?
  exits 0
  says out '"text": "two\n"'
  called="leyden tokenize <FOLDER"
  "$leyden" tokenize <"$folder" >"$work/out" 2>"$work/err"
  status=$?
  refuses "standard input: can't be read: Is a directory"
  if ! command -v python3 >/dev/null; then
    echo "skipped: there is no Python that could give a socket to read from"
    return
  fi
  called="leyden tokenize <socket"
  python3 - "$leyden" >"$work/out" 2>"$work/err" <<'END'
import socket, subprocess, sys
here, there = socket.socketpair()
with subprocess.Popen([sys.argv[1], "tokenize"], stdin=there) as program:
    there.close()
    here.sendall(b"three")
    here.close()
sys.exit(program.returncode)
END
  status=$?
  exits 0
  says out '"text": "three"'
}
test_a_split_pattern_that_is_none_is_named_with_its_file() {
  local odd=$work/pattern
  mkdir "$odd" && ln -s "$source_dir/models/demo/checkpoint"/* "$odd" && rm "$odd/tokenizer.json"
  sed 's/"Regex": *"/&(((/' "$source_dir/models/demo/checkpoint/tokenizer.json" >"$odd/tokenizer.json"
  call run -m "$odd" -p x -n 1
  refuses "$odd: tokenizer.json: split pattern '(((" "compile"
}
test_text_that_is_not_utf8_is_answered_or_refused_but_never_breaks() {
  call run -f "$broken" -n 2 --greedy --json "$work/answer.json"
  exits 0
  call run -p "$(cat "$broken")" --system "$(cat "$broken")" -n 2 --greedy
  exits 0
  call run --messages "$broken"
  refuses "$broken" "byte"
  printf '[{"role": "user", "content": "%s"}]' "$(cat "$broken")" >"$work/messages.json"
  call run --messages "$work/messages.json"
  refuses "$work/messages.json" "UTF-8"
  printf '{"text": "%s"}\n' "$(cat "$broken")" >"$work/lines.jsonl"
  call tokenize --jsonl "$work/lines.jsonl"
  says out '"error"'
}
test_calibrate_refuses_what_is_no_text_for_its_model() {
  local out=$work/calibration
  refused() {
    call calibrate --text "$1" -o "$out" # with the demo model, which has a tokenizer
    refuses "$1" "${@:2}"
    nothing_at "$out"
  }
  refused "$broken" "byte 1" "UTF-8"
  : >"$work/empty.txt"
  refused "$work/empty.txt" "there is no text in it"
  printf '{"documents": [[], []]}' >"$work/ids.json"
  refused "$work/ids.json" "there is no text in it"
  printf '[1, 2, 99999]' >"$work/ids.json"
  refused "$work/ids.json" "token 99999 is outside the vocabulary"
  printf '[1, -2]' >"$work/ids.json"
  refused "$work/ids.json" "-2"
  printf '[1, "two"]' >"$work/ids.json"
  refused "$work/ids.json" "two"
  printf '[1, 2, 3, 4]' >"$work/ids.json"
  for target in "$work/none/x" "$work/ids.json/x"; do # before the model is run
    call calibrate -m "$checkpoint" --text "$work/ids.json" -o "$target"
    refuses "$target"
  done
  call calibrate -m "$checkpoint" --text "$work/ids.json" -o /dev/full
  refuses "/dev/full" "no regular file"
}
test_calibrations_of_other_models_and_no_calibrations_are_refused() {
  local out=$work/calibrated.leyden calibration=$work/tiny.calibration
  printf '[1, 2, 3, 4]' >"$work/ids.json"
  call calibrate -m "$checkpoint" --text "$work/ids.json" -o "$calibration"
  exits 0
  says out "no token reached"
  says out "will be rounded by the average of the others"
  call convert --in "$checkpoint" --out "$out" --recipe int4 --calibration "$calibration"
  exits 0
  ! grep -q "the calibration covers" "$work/out" || fail "a calibration of all it can be of is named"
  rm "$out"
  call convert --in "$checkpoint" --recipe small --calibration "$calibration" --dry-run # k_b, v_b
  exits 0
  says out "the calibration covers 100 of 136 matrices that become int4"
  refused() {
    call convert --in "$checkpoint" --out "$out" --recipe "$@"
    refuses
    nothing_at "$out"
  }
  call convert --in "$source_dir/models/demo/checkpoint" --out "$out" --recipe int4 --calibration "$calibration"
  refuses "$calibration" "for this model"
  for flag in "" --dry-run; do
    # shellcheck disable=SC2086
    refused int8 --calibration "$calibration" $flag
    says err "becomes int4"
  done
  refused int4 --calibration "$checkpoint/model-00001-of-00003.safetensors"
  refused int4 --calibration "$checkpoint/config.json"
  head -c 1000 "$calibration" >"$work/cut.calibration"
  refused int4 --calibration "$work/cut.calibration"
  says err "$work/cut.calibration"
  refused int4 --calibration "$work/cut.calibration" --resume
}
test_rules_for_nothing_are_warned_of() {
  local recipe=$work/typo.json
  printf '{"name": "my\\u001b[31m", "rules": [{"tensors": "*.expert.*", "format": "int4"}, {"tensors": "*.experts.*", "format": "int4"}, {"tensors": "embed", "format": "int4"}]}' >"$recipe"
  call convert --in "$checkpoint" --recipe "$recipe" --dry-run
  exits 0
  says err "leyden: warning: recipe my"
  says err "rule '*.expert.*' does nothing, as it matches no packed matrix of this model"
  says err "rule 'embed' does nothing"
  [[ $(wc -l <"$work/err") == 2 ]] || fail "another number of warnings"
  ! grep -q $'\e' "$work/out" "$work/err" || fail "an escape sequence of the recipe's name is printed"
  for name in bf16 int8 balanced int4 small f32; do
    call convert --in "$checkpoint" --recipe "$name" --dry-run
    exits 0
    silent err
  done
}
test_a_conversion_reads_the_small_files_first() {
  cp -r "$source_dir/models/demo/checkpoint" "$work/damaged"
  local name out=$work/damaged.leyden
  for name in tokenizer.json tokenizer_config.json generation_config.json; do
    printf '{"cut off' >"$work/damaged/$name"
    call convert --in "$work/damaged" --dry-run
    refuses "$work/damaged: $name: "
    call convert --in "$work/damaged" --out "$out"
    refuses "$work/damaged: $name: "
    nothing_at "$out"
    cp "$source_dir/models/demo/checkpoint/$name" "$work/damaged"
  done
  call convert --in "$work/damaged" --dry-run
  exits 0
}
test_compare_takes_two_containers_of_one_model() {
  local a=$work/a.leyden b=$work/b.leyden other=$work/other.leyden
  call convert --in "$checkpoint" --out "$a" --recipe int8
  call convert --in "$checkpoint" --out "$b" --recipe int4 --compress
  call convert --in "$data/oracle/checkpoints/v32-odd-dims" --out "$other" --recipe int8
  exits 0
  call compare "$a" "$b"
  exits 0
  says out "relative RMSE"
  call compare "$a" "$other"
  refuses "$other" "they hold different models"
  call compare "$a" "$checkpoint"
  refuses "$checkpoint" "is a directory"
  call compare "$checkpoint/config.json" "$a"
  refuses "$checkpoint/config.json" "is not a leyden container"
  call compare "$a" "$b" --json "$work/none/x.json"
  refuses "$work/none/x.json"
  head -c 100000 "$b" >"$work/cut.leyden"
  call compare "$a" "$work/cut.leyden"
  refuses "$work/cut.leyden" "cut off"
  local at
  for at in 200000 300000; do # somewhere in the tensors
    cp "$b" "$work/flipped.leyden"
    printf '\xa5' | dd of="$work/flipped.leyden" bs=1 seek=$at conv=notrunc status=none
    call inspect --verify "$work/flipped.leyden"
    exits 1
    says err "tensor '"
  done
  cp "$a" "$work/flipped.leyden"
  printf '\xa5' | dd of="$work/flipped.leyden" bs=1 seek=$(($(stat -c %s "$a") / 2)) conv=notrunc status=none
  call compare "$a" "$work/flipped.leyden"
  refuses "$work/flipped.leyden: tensor '" "is damaged"
  call compare "$work/flipped.leyden" "$work/flipped.leyden"
  exits 0 # nothing contradicts it: inspect --verify reads checksums
}
test_verify_names_damaged_files_inside_a_container() {
  local flipped=$work/flipped.leyden at
  call inspect --verify "$work/demo.leyden"
  exits 0
  at=$(LC_ALL=C grep -abo '"pre_tokenizer"' "$work/demo.leyden" | head -n 1 | cut -d: -f1)
  cp "$work/demo.leyden" "$flipped"
  printf 'q' | dd of="$flipped" bs=1 seek="$at" conv=notrunc status=none
  call inspect --verify "$flipped" --json "$work/verified.json"
  refuses "$flipped: 'tokenizer.json' at byte" "is damaged"
  says out "3 of 4 small files"
  grep -q "'tokenizer.json' at byte" "$work/verified.json" || fail "the JSON lacks it"
  call inspect --verify "$checkpoint"
  refuses "$checkpoint: only leyden containers have checksums to verify"
  silent out
}
test_a_conversion_replaces_none_of_its_inputs() {
  local model=$data/gguf/models/v32-small-q8_0 out
  refused_unharmed() { # IN OUT FILE ORIGINAL
    call convert --in "$1" --out "$2" --recipe int8
    refuses "$2" "is the same file as" "which it is made from"
    cmp -s "$3" "$4" || fail "$3 was harmed"
  }
  cp "$model.gguf" "$work/m.gguf"
  ln -s m.gguf "$work/link.gguf"
  for out in "$work/m.gguf" "$work/folder/../m.gguf" "$work/link.gguf"; do
    refused_unharmed "$work/m.gguf" "$out" "$work/m.gguf" "$model.gguf"
    refused_unharmed "$work/link.gguf" "$out" "$work/m.gguf" "$model.gguf"
  done
  cp "$model.gguf" "$work/n.gguf.partial"
  refused_unharmed "$work/n.gguf.partial" "$work/n.gguf" "$work/n.gguf.partial" "$model.gguf"
  cp "$model-split"-0000?-of-00002.gguf "$work"
  local parts=$work/v32-small-q8_0-split
  refused_unharmed "$parts-00001-of-00002.gguf" "$parts-00002-of-00002.gguf" \
    "$parts-00002-of-00002.gguf" "$model-split-00002-of-00002.gguf"
  cp -r "$checkpoint" "$work/original"
  for file in "$checkpoint"/*; do
    file=${file##*/}
    refused_unharmed "$work/original" "$work/original/$file" "$work/original/$file" "$checkpoint/$file"
  done
  call convert --in "$work/original" --out "$work/original/model.leyden" # beside them it may lie
  exits 0
}
test_a_conversion_puts_no_weights_beside_its_inputs() {
  local only=$work/only name
  cp -r "$source_dir/models/demo/checkpoint" "$only"
  mv "$only/model.safetensors" "$only/foo.safetensors"
  for name in model other; do
    call convert --in "$only" --out "$only/$name.safetensors" --recipe int8
    refuses "$only/$name.safetensors" "choose another name"
    nothing_at "$only/$name.safetensors"
    rm -f "$only/$name.safetensors"
  done
}
# spared FILE ARGUMENTS...: every one of these outputs is FILE, which is refused unharmed.
spared() {
  cp "$1" "$work/before"
  call "${@:2}"
  refuses "is the same file as" "which it is made from"
  cmp -s "$1" "$work/before" && return
  fail "$1 was harmed"
  cp "$work/before" "$1"
}
test_reports_and_calibrations_replace_none_of_their_inputs() {
  local original=$work/spared out=$work/spared.leyden stats=$work/spared_stats.json ids=$work/spared_ids.json
  local recipe=$work/spared_recipe.json calibration=$work/spared.calibration file
  cp -r "$checkpoint" "$original"
  printf '{"name": "mine", "rules": [{"tensors": "*", "format": "int4"}]}' >"$recipe"
  printf '[1,2,3,4,5,6,7]' >"$ids"
  call eval -m "$checkpoint" --perplexity "$ids" --routing-stats "$stats"
  call calibrate -m "$checkpoint" --text "$ids" -o "$calibration"
  local from=(convert --in "$original" --calibration "$calibration" --recipe "$recipe" --routing-stats "$stats")
  for file in "$recipe" "$stats"; do spared "$file" "${from[@]}" --out "$file"; done
  for file in "$recipe" "$stats" "$calibration" "$original"/*; do
    spared "$file" "${from[@]}" --out "$out" --report "$file"
  done
  spared "$recipe" "${from[@]}" --out "$out" --report "$out"
  spared "$recipe" "${from[@]}" --out "$out" --report "$work/folder/../spared.leyden.partial"
  nothing_at "$out"
  cp "$stats" "$work/x.json.partial"
  spared "$work/x.json.partial" convert --in "$original" --routing-stats "$work/x.json.partial" --out "$out" \
    --report "$work/x.json"
  call "${from[@]}" --out "$out" --report "$original/report.json"
  exits 0
  for file in "$ids" "$original"/*.safetensors "$original/config.json"; do
    spared "$file" calibrate -m "$original" --text "$ids" -o "$file"
  done
  spared "$recipe" calibrate -m "$original" --weights "$recipe" --text "$ids" -o "$recipe"
  spared "$out" calibrate -m "$out" --text "$ids" -o "$out"
  spared "$stats" calibrate -m "$out" --routing-stats "$stats" --text "$ids" -o "$stats"
  ln -s "$ids" "$work/y.partial"
  spared "$ids" calibrate -m "$out" --text "$ids" -o "$work/y"
}
# A name that can't be written is refused before the work, not after it: nothing is printed.
test_where_json_goes_is_asked_first() {
  local ids=$work/asked_ids.json
  printf '[1,2,3]' >"$ids"
  for arguments in "machine" "bench --synthetic lite --layers 1+0 --prefill 1 --repeat 1" "inspect $checkpoint" \
    "run -p x -n 1" "eval -m $checkpoint --perplexity $ids" "logits -m $checkpoint --tokens 1" \
    "compare $work/demo.leyden $work/demo.leyden"; do
    # shellcheck disable=SC2086
    call $arguments --json "$folder"
    refuses "$folder: is a directory"
    silent out
  done
  call machine --plan "$work/not_there"
  refuses "$work/not_there"
  silent out
}
test_a_plan_is_refused_as_loading_would_be() {
  local compressed=$work/planned_zstd.leyden
  call convert --in "$checkpoint" --out "$compressed" --recipe int4 --compress
  exits 0
  while IFS='|' read -r model option value expected; do
    for arguments in "machine --plan" "run -p x -n 1 -m"; do
      [[ $arguments$model != run*lite ]] || continue # a shape isn't a model to run
      # shellcheck disable=SC2086
      call $arguments "$model" "$option" ${value:+"$value"}
      refuses "$expected"
      silent out
    done
  done <<END
$checkpoint|--context|99999|context is 99999, but $checkpoint was made for at most
lite|--context|999999999|context is 999999999, but lite was made for at most
lite|--attention|sparse|sparse attention was asked for, but lite has no indexer
$checkpoint|--mmap||only a leyden container can be mapped
$work/demo.leyden|--weights|bf16|so 'bf16' can't be had from it
$compressed|--mmap||is compressed, so it can't be mapped
END
}
test_json_replaces_no_input() {
  local original=$work/json_spared ids=$work/json_ids.json file
  local prompt=$work/json_prompt.txt asked=$work/json_asked.jsonl
  cp -r "$checkpoint" "$original"
  printf '[1,2,3]' >"$ids"
  printf 'Hello' >"$prompt"
  printf '{"prompt_tokens": [1], "expected_tokens": [1]}\n' >"$asked"
  for file in "$original"/*.safetensors "$original/config.json"; do
    spared "$file" inspect "$original" --json "$file"
    spared "$file" machine --plan "$original" --json "$file"
  done
  file=$original/model-00002-of-00003.safetensors # the others ask as inspect does (tools/json_output)
  spared "$file" bench -m "$original" --prefill 1 --json "$file"
  spared "$file" run -m "$original" -p x -n 1 --raw --json "$file"
  spared "$file" logits -m "$original" --tokens 1 --json "$file"
  spared "$file" eval -m "$work/demo.leyden" --perplexity "$ids" --kl "$original" --json "$file"
  spared "$ids" logits -m "$original" --tokens-file "$ids" --json "$ids"
  spared "$ids" eval -m "$original" --perplexity "$ids" --json "$ids"
  spared "$ids" eval -m "$original" --perplexity "$ids" --routing-stats "$ids"
  spared "$asked" eval -m "$original" --questions "$asked" --json "$asked"
  spared "$prompt" run -m "$original" -f "$prompt" --raw -n 1 --json "$prompt"
  spared "$work/demo.leyden" compare "$work/demo.leyden" "$work/demo.leyden" --json "$work/demo.leyden"
  local recipe=$work/json_recipe.json stats=$work/json_stats.json
  printf '{"name": "mine", "rules": [{"tensors": "*", "format": "int4"}]}' >"$recipe"
  call eval -m "$work/demo.leyden" --perplexity "$ids" --routing-stats "$stats"
  spared "$recipe" bench --synthetic lite --layers 1+0 --prefill 1 --recipe "$recipe" --json "$recipe"
  spared "$recipe" machine --plan lite --weights "$recipe" --json "$recipe"
  spared "$stats" machine --plan "$work/demo.leyden" --routing-stats "$stats" --json "$stats"
  call eval -m "$original" --perplexity "$ids" --routing-stats "$work/both.json" --json "$work/both.json"
  refuses "is the same file as"
  nothing_at "$work/both.json"
  call logits -m "$original" --tokens-file "$ids" --json "$work/new.json" # beside them it may lie
  exits 0
}
# In a /dev of its own, since what is tested would have replaced /dev/stdout.
test_json_goes_through_links_and_open_files() {
  local real=$work/real.json link=$work/link.json
  ln -s real.json "$link"
  for _ in first again; do
    call run -p hi -n 1 --greedy --json "$link"
    exits 0
    [[ -L $link && ! -L $real ]] || fail "the link was replaced"
    grep -q '"finish"' "$real" || fail "nothing was written where the link leads"
  done
  ln -s circle "$work/circle"
  call run -p hi -n 1 --greedy --json "$work/circle"
  refuses "$work/circle: Too many levels of symbolic links"
  silent out
  called="leyden run --json /dev/stdout"
  # shellcheck disable=SC2016
  unshare --mount "${maybe_user[@]}" bash -c '
    (mount -t tmpfs tmpfs /dev && touch /dev/null && ln -s /proc/self/fd /dev/fd &&
      ln -s /proc/self/fd/1 /dev/stdout) || exit 99
    "$2" run -p hi -n 1 --greedy --json /dev/stdout >"$1/out" 2>"$1/err" &&
      "$2" run -p hi -n 1 --greedy --json /dev/fd/5 5>>"$1/five" >/dev/null 2>>"$1/err"
    status=$?
    [[ -L /dev/stdout && -L /dev/fd ]] && exit $status
    exit 98' - "$work" "$leyden" 2>/dev/null
  status=$?
  if [[ $status == 99 ]]; then
    echo "skipped: no /dev can be mounted here"
    return
  fi
  exits 0
  [[ $(wc -l <"$work/out") == 2 ]] || fail "not the text and then the JSON: $(<"$work/out")"
  says out '"finish"'
  grep -q '"finish"' "$work/five" || fail "nothing in an open file"
}
test_nothing_to_measure_is_refused() {
  local ids
  for ids in '[]' '[5]' '{"documents": [[], [5]]}' '{"tokens": [5]}'; do
    printf '%s' "$ids" >"$work/nothing.json"
    call eval -m "$checkpoint" --perplexity "$work/nothing.json"
    refuses "$work/nothing.json: no document has two tokens"
    silent out
  done
}
# Nothing of the work is done before: no figures are printed.
test_what_cannot_be_done_is_said_before_the_work() {
  local ids=$work/before_ids.json asked=$work/before.jsonl
  local measured=(eval -m "$checkpoint" --perplexity "$ids")
  printf '{"documents": [[1,2,3,4,5]]}' >"$ids"
  refused() { # SAID ARGUMENTS...
    call "${@:2}"
    refuses "$1"
    silent out
  }
  refused "$work/not_there" "${measured[@]}" --kl "$work/not_there"
  refused "the models' vocabularies differ" "${measured[@]}" --kl "$work/demo.leyden"
  refused "a document of 5 tokens doesn't fit a context of 4" "${measured[@]}" --context 4 --kl "$checkpoint"
  refused "a document of 5 tokens doesn't fit a context of 4" "${measured[@]}" --context 4 \
    --routing-stats "$work/before_stats.json"
  call "${measured[@]}" --context 4 # the last token is only compared
  exits 0
  printf '{"prompt_tokens": [1, 2, 3, 4, 5], "expected_tokens": [1]}\n' >"$asked"
  refused "a question of 5 tokens" "${measured[@]}" --context 4 --questions "$asked"
  : >"$work/empty.txt"
  refused "there is no text in it" calibrate --text "$work/empty.txt" -o "$work/before" --context 99999999
  refused "a document of 5 tokens doesn't fit a context of 4" calibrate -m "$checkpoint" --text "$ids" \
    -o "$work/before" --context 4
  refused "3 tokens and 5 more don't fit a context of 7" logits -m "$checkpoint" --tokens 1,2,3 \
    --decode 5 --context 7
  local bench=(bench -m "$checkpoint" --prefill 1 --repeat 1 --context 7)
  refused "a depth of 8 doesn't fit a context of 7" "${bench[@]}" --depth 0,8
  refused "1 tokens at a depth of 7 don't fit a context of 7" "${bench[@]}" --depth 0,7
  # before anything is loaded, which would find no such recipe
  local unloaded=(-m "$checkpoint" --weights "$work/none.json")
  refused "a document of 5 tokens" eval "${unloaded[@]}" --perplexity "$ids" --context 3
  refused "a document of 5 tokens" eval "${unloaded[@]}" --perplexity "$ids" --context 4 --kl "$checkpoint"
  refused "a question of 5 tokens" eval "${unloaded[@]}" --questions "$asked" --context 4
  refused "3 tokens and 5 more" logits "${unloaded[@]}" --tokens 1,2,3 --decode 5 --context 7
  refused "a document of 5 tokens" calibrate "${unloaded[@]}" --text "$ids" -o "$work/before" --context 4
  printf '[1, 99999]' >"$ids"
  printf '{"prompt_tokens": [1], "expected_tokens": [99999]}\n' >"$asked"
  refused "$ids: token 99999" eval "${unloaded[@]}" --perplexity "$ids"
  refused "$asked: line 1: token 99999" eval "${unloaded[@]}" --questions "$asked"
  refused "token 99999" logits "${unloaded[@]}" --tokens 1,99999
  refused "$ids: token 99999" calibrate "${unloaded[@]}" --text "$ids" -o "$work/before"
  # this one no machine has room for
  refused "a depth of 999999 doesn't fit a context of" bench --synthetic v3.2 --layers 0+4000 --depth 999999
  call inspect --verify "$work/demo.leyden" --numa=foo
  exits 2
  says err "'foo' is no policy"
  silent out
}
test_token_ids_beyond_the_vocabulary_are_named_with_their_file() {
  local ids=$work/beyond.json
  printf '{"tokens": [1, 2, 99999]}' >"$ids"
  printf '{"prompt_tokens": [99999], "expected_tokens": [1]}\n' >"$work/beyond.jsonl"
  for arguments in "logits --tokens-file $ids" "eval --perplexity $ids" \
    "eval --questions $work/beyond.jsonl"; do
    # shellcheck disable=SC2086
    call $arguments -m "$checkpoint"
    refuses "$work/beyond.json" ": token 99999 is outside the vocabulary of"
  done
  call logits -m "$checkpoint" --tokens 1,99999
  refuses "--tokens: token 99999 is outside the vocabulary of"
}
test_a_bias_for_a_token_beyond_the_vocabulary_is_refused() {
  local command
  for command in "run -p x -n 1" chat; do
    # shellcheck disable=SC2086
    call $command --logit-bias 7=1 --logit-bias 2048=1 # the demo model's vocabulary has 2048
    refuses "--logit-bias: token 2048 is outside the vocabulary of 2048"
    # shellcheck disable=SC2086
    call $command --logit-bias 2047=1
    exits 0
  done
  called="/set logit-bias 2048=1"
  printf '/set logit-bias 2047=1\n%s\n/set logit-bias\n' "$called" |
    "$leyden" chat >"$work/out" 2>"$work/err"
  status=$?
  exits 1
  says err "leyden: logit-bias: token 2048 is outside the vocabulary of 2048"
}
test_stops_and_biases_are_taken_as_they_stand_one_at_a_time() {
  stops_at() { # ANSWER STOP...
    call run -p "What is the capital of Norway?" --greedy "${@:2}"
    exits 0
    [[ $(<"$work/out") == "$1" ]] || fail "'$(<"$work/out")' is not '$1'"
  }
  stops_at "The capital of Norway is Oslo." --stop "[of]" --stop "[capital,of]"
  stops_at "The capital of " --stop "[of]" --stop Norway --stop=Oslo
  call run -p x -n 1 --stop a b
  exits 2
  says err "not expected: b"
  call run -p x -n 1 --logit-bias 5=1 6=1
  exits 2
  says err "not expected: 6=1"
  call run -p x -n 1 --logit-bias "[5=1]"
  exits 2
  says err "--logit-bias: '[5=1]' is not of the form ID=VALUE"
}
test_help_shows_one_word_for_what_takes_one() {
  call run --help
  grep -q -e '--stop TEXT  ' "$work/out" || fail "$(grep -e --stop "$work/out")"
  grep -q -e '--logit-bias TEXT  ' "$work/out" || fail "$(grep -e --logit-bias "$work/out")"
}
test_help_shows_what_may_be_typed() {
  call inspect --help
  grep -q -e '--numa  ' "$work/out" || fail "$(grep -e --numa "$work/out")"
  call bench --help
  ! grep -F '... ...' "$work/out" || fail "the dots are doubled"
  says out "--prefill N[,N] ..."
}
test_small_models_have_sizes() {
  call convert --in "$checkpoint" --out "$work/tiny.leyden"
  exits 0
  ! grep -E '[^0-9]0\.0+ GB' "$work/out" || fail "a size is 0"
}
test_set_takes_one_sign_of_equality_away() {
  called=chat
  printf '/set stop==\n/set stop = =>\n/set stop =x\n/set stop y\n/set temp =0.5\n/set\n' |
    "$leyden" chat >"$work/out" 2>"$work/err"
  says err "= | => | x | y "
  says err "temp               0.5"
}
test_a_model_beyond_a_link_is_the_one_that_was_named() {
  mkdir -p "$work/real/deep"
  ln -s real/deep "$work/lk"
  cp "$work/demo.leyden" "$work/real/m.leyden"
  call chat -m "$work/lk/../m.leyden"
  exits 0
  silent err
}
test_questions_that_cannot_be_asked_are_named_with_their_line() {
  local file=$work/asked.jsonl
  refused() { # PROMPT EXPECTED SAID [ARGS...]
    printf '{"prompt_tokens": [1], "expected_tokens": [2]}\n\n' >"$file"
    printf '{"prompt_tokens": %s, "expected_tokens": %s}\n' "$1" "$2" >>"$file"
    call eval -m "$checkpoint" --questions "$file" "${@:4}"
    refuses "$file: line 3: $3"
    silent out
  }
  refused '[]' '[1]' "field 'prompt_tokens' is a list of 0 elements, expected at least one token id"
  refused '[1]' '[]' "field 'expected_tokens' is a list of 0 elements, expected at least one token id"
  refused '[1, 99999]' '[1]' "token 99999 is outside the vocabulary of"
  refused '[1]' '[1, 99999]' "token 99999 is outside the vocabulary of"
  refused '[1, 2, 3, 4, 5]' '[1]' "a question of 5 tokens with its answer doesn't fit a context of 4" --context 4
  refused '[1, 2, 3]' '[1, 2, 3]' "a question of 5 tokens with its answer doesn't fit a context of 4" --context 4
  call eval -m "$checkpoint" --questions "$file" --context 5
  exits 0
  says out "/2"
}
test_questions_without_a_kind_are_not_taken_for_all() {
  local question='"prompt_tokens": [1], "expected_tokens": [2]'
  printf '{%s}\n{%s}\n{"kind": "sums", %s}\n' "$question" "$question" "$question" >"$work/asked.jsonl"
  call eval -m "$checkpoint" --questions "$work/asked.jsonl" --json "$work/scores.json"
  exits 0
  grep -q '^without kind .*/2 ' "$work/out" || fail "$(<"$work/out")"
  (($(grep -c '^all .*/3 ' "$work/out") == 1)) || fail "$(<"$work/out")"
  grep -q '"without kind":' "$work/scores.json" || fail "$(<"$work/scores.json")"
}
test_no_kind_of_question_is_called_as_the_total_is() {
  local question='"prompt_tokens": [1], "expected_tokens": [2]'
  printf '{%s}\n{"kind": "all", %s}\n' "$question" "$question" >"$work/asked.jsonl"
  call eval -m "$checkpoint" --questions "$work/asked.jsonl"
  refuses "$work/asked.jsonl: line 2: field 'kind' is \"all\", expected another name than the total's"
  silent out
}
test_kinds_of_questions_do_nothing_to_a_terminal() {
  printf '{"kind": "od\\u001b[31md\\nx", "prompt_tokens": [1], "expected_tokens": [2]}\n' >"$work/asked.jsonl"
  call eval -m "$checkpoint" --questions "$work/asked.jsonl"
  exits 0
  grep -q '^od␛\[31md…             *./1 ' "$work/out" || fail "$(<"$work/out")"
  [[ $(wc -l <"$work/out") == 3 ]] || fail "$(<"$work/out")"
}
test_a_mapped_container_is_compared_with_a_checkpoint() {
  printf '[1, 2, 3]' >"$work/ids.json"
  call eval --mmap --perplexity "$work/ids.json" --kl "$source_dir/models/demo/checkpoint"
  exits 0
  says out "KL divergence from"
}
test_messages_and_tools_that_are_none_are_named() {
  refused() {
    printf '%s' "$2" >"$work/request.json"
    call run "$1" "$work/request.json" ${3+"${@:3}"}
    refuses "$work/request.json: " "field"
  }
  printf '[]' >"$work/request.json"
  call run --messages "$work/request.json"
  refuses "$work/request.json" "at least one message"
  refused --messages '{}'
  refused --messages '{"messages": 5}'
  refused --messages '[{"role": "user", "content": 7}]'
  refused --messages '[{"content": "x"}]'
  refused --messages '[{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]'
  refused --tools '{"tools": [5]}' -p x
  refused --tools '[{"function": {"name": true}}]' -p x
  says err "field '[0].function.name' is true, expected a string"
  refused --tools '[{"function": "f"}]' -p x
  says err "field '[0].function' is \"f\", expected an object"
  printf '7' >"$work/request.json"
  call run -p x --tools "$work/request.json"
  refuses "$work/request.json" "expected an object"
  refused --messages '[{"role": "wizard", "content": "x"}]'
}
test_an_unwritable_target_is_named_and_nothing_is_left() {
  : >"$work/file"
  call convert --in "$checkpoint" --out "$work/file/x.leyden"
  refuses "$work/file/x.leyden"
  call convert --in "$checkpoint" --out "$work/none/x.leyden"
  refuses "$work/none/x.leyden" "No such file"
  call convert --in "$checkpoint" --out /dev/null
  refuses "/dev/null" "no regular file"
  [[ -c /dev/null ]] || fail "/dev/null is no device any more"
  call run -p x -n 1 --json "$work/none/x.json"
  refuses "$work/none/x.json"
  for arguments in "run -p x -n 1 --greedy" "tokenize --jsonl $work/line" "render --format v3 --jsonl $work/line" \
    "inspect $checkpoint --json -" "logits --tokens 1" "inspect $checkpoint" "run --help" "--version"; do
    printf '{"text": "x", "messages": [{"role": "user", "content": "x"}]}\n' >"$work/line"
    called="leyden $arguments >/dev/full"
    # shellcheck disable=SC2086
    "$leyden" $arguments >/dev/full 2>"$work/err" </dev/null
    status=$?
    refuses "can't write"
  done
}
maybe_user=()
[[ $(id -u) == 0 ]] || maybe_user=(--map-root-user)
# Inside a mount namespace of its own, with a file system of 300 KB.
on_a_full_disk() {
  mkdir -p "$work/small"
  # shellcheck disable=SC2016
  unshare --mount "${maybe_user[@]}" bash -c '
    mount -t tmpfs -o size=300k tmpfs "$1" || exit 99
    "${@:2}" >"$1/../out" 2>"$1/../err" </dev/null
    status=$?
    find "$1" -type f >"$1/../left"
    exit $status' - "$work/small" "$@"
  status=$?
}
test_a_full_disk_is_said_and_nothing_is_left() {
  on_a_full_disk true 2>/dev/null
  if [[ $status != 0 ]]; then
    echo "skipped: no small tmpfs can be mounted here, so the full disk isn't tested"
    return
  fi
  called="leyden convert, on a full disk"
  on_a_full_disk "$leyden" convert --in "$checkpoint" --out "$work/small/x.leyden" --recipe f32
  refuses "$work/small/x.leyden" "No space left on device"
  [[ ! -s $work/left ]] || fail "files are left: $(<"$work/left")"
  called="leyden logits, on a full disk"
  on_a_full_disk "$leyden" logits --tokens "$(seq -s, 1 200)" --json "$work/small/x.json"
  refuses "$work/small/x.json" "No space left on device"
  [[ ! -s $work/left ]] || fail "files are left: $(<"$work/left")"
}
test_a_machine_without_sys_is_taken_as_it_is() {
  called="leyden run, without /sys"
  # shellcheck disable=SC2016
  unshare --mount "${maybe_user[@]}" bash -c 'mount -t tmpfs tmpfs /sys || exit 99; exec "$@"' - \
    "$leyden" run -p "What is 7 + 8?" --greedy >"$work/out" 2>"$work/err" </dev/null
  status=$?
  if [[ $status == 99 ]]; then
    echo "skipped: /sys can't be hidden here"
    return
  fi
  exits 0
  says out "7 + 8 = 15."
  silent err
}
test_closed_standard_files_do_no_harm() {
  called="leyden inspect >&-"
  "$leyden" inspect "$checkpoint" >&- 2>"$work/err" </dev/null
  status=$?
  refuses "standard output: can't write"
  called="leyden inspect --json - 2>&-"
  "$leyden" inspect "$checkpoint" --json - 2>&- >"$work/out" </dev/null
  status=$?
  exits 0
  says out '"kind"'
  called="leyden chat <&-" # which would wait for a file of its own that got the number
  timeout 60 "$leyden" chat <&- >"$work/out" 2>"$work/err"
  status=$?
  exits 0
  silent out
  silent err
}
test_a_limit_on_files_is_a_sentence() {
  called="leyden convert, ulimit -f 100"
  (ulimit -f 100 && "$leyden" convert --in "$checkpoint" --out "$work/limited.leyden" >"$work/out" 2>"$work/err")
  status=$?
  refuses "$work/limited.leyden: can't reserve" "File too large"
  nothing_at "$work/limited.leyden"
  called="leyden logits, ulimit -f 1"
  (ulimit -f 1 && exec "$leyden" logits --tokens 1,2 >"$work/limited.json") 2>&1 | head -c 4000 >"$work/err"
  status=${PIPESTATUS[0]}
  refuses "standard output: can't write"
}
# Names and texts of a file can't write to the terminal whatever they like.
test_control_characters_of_a_file_are_pictures() {
  local odd=$work/control
  cp -r "$checkpoint" "$odd"
  sed -i 's/"model-00003-of/"\\u001b[2J\\u009bmodel-00003-of/' "$odd/model.safetensors.index.json"
  call inspect "$odd"
  refuses "␛[2J�model-00003-of-00003.safetensors: is missing"
  grep -q $'\e' "$work/err" && fail "an escape code"
  call inspect "$work/"$'\e[2Jnone'
  refuses "␛[2Jnone"
}
test_little_address_space_is_a_sentence() {
  if [[ -n $sanitizers ]]; then
    echo "skipped: sanitizers need terabytes of address space, so a limit isn't tested"
    return
  fi
  local megabytes ended=0
  # Between 40 and 60 lie the places where threads can't be started.
  for megabytes in 30 40 {44..60} 70 80 100 150 200 300 400 600 1200; do
    called="leyden run, ulimit -v $megabytes MB"
    (
      ulimit -v $((megabytes * 1024))
      timeout 60 "$leyden" run -p "What is 7 + 8?" -n 4 --greedy -t 2 >"$work/out" 2>"$work/err" </dev/null
    )
    status=$?
    [[ $status == 0 || $status == 1 || ($status == 127 && $megabytes -lt 44) ]] || fail "status $status"
    [[ $status == 0 || -s $work/err ]] || fail "no sentence"
    [[ $status == 0 ]] && ended=$megabytes
  done
  ((ended > 0)) || fail "it never had enough"
  for megabytes in 60 100 200 300 400; do
    called="leyden run -t 64, ulimit -v $megabytes MB"
    (
      ulimit -v $((megabytes * 1024))
      timeout 60 "$leyden" run -p "What is 7 + 8?" -n 4 --greedy -t 64 >"$work/out" 2>"$work/err" </dev/null
    )
    status=$?
    [[ $status == 0 ]] || refuses
  done
}
test_bench_computes_on_chosen_cpus_alone() {
  local cpu
  cpu=$(awk '/^Cpus_allowed_list/ {print int($2)}' /proc/self/status)
  ulimit -Sv 300000 # what the machine offers is measured in what memory there is, so in little time
  call bench -m "$checkpoint" --cpus "$cpu" --prefill 1 --repeat 1 --format jsonl
  ulimit -Sv "$(ulimit -Hv)"
  exits 0
  says out '"threads":1,'
}
test_bench_keeps_what_it_has_measured_when_a_row_fails() {
  if [[ -n $sanitizers ]]; then
    echo "skipped: sanitizers need terabytes of address space, so a limit isn't tested"
    return
  fi
  called="leyden bench -t 1,4000, ulimit -v 300 MB"
  (
    ulimit -v 300000
    timeout 60 "$leyden" bench -m "$checkpoint" --prefill 1 --repeat 1 -t 1,4000 --format json \
      --json "$work/rows.json" >"$work/out" 2>"$work/err" </dev/null
  )
  status=$?
  refuses "can't start 4000 threads"
  says out '"threads":1,'
  grep -q '"threads":1,' "$work/rows.json" || fail "no JSON"
}
test_a_machine_is_measured_in_what_a_limit_leaves() {
  if [[ -n $sanitizers ]]; then
    echo "skipped: sanitizers need terabytes of address space, so a limit isn't tested"
    return
  fi
  local megabytes expected
  while read -r megabytes expected; do
    called="leyden machine -t 1, ulimit -v $megabytes MB"
    (
      ulimit -v $((megabytes * 1024))
      timeout 60 "$leyden" machine -t 1 --plan "$LEYDEN_DEMO_MODEL" --json "$work/machine.json" \
        >"$work/out" 2>"$work/err" </dev/null
    )
    status=$?
    exits 0
    says out "$expected"
    ! grep -E 'split +0\.0+ GB' "$work/out" || fail "a node's share is 0"
    grep -q '"estimates":\[{.*"fits":' "$work/machine.json" || fail "no figures of the plan"
    rm -f "$work/machine.json"
  done <<'END'
700 on nodes that read
140 how fast nodes read wasn't measured
END
}
test_a_context_longer_than_memory_is_refused_with_a_table() {
  cp -r "$checkpoint" "$work/long"
  sed -i 's/"max_position_embeddings": *[0-9]*/"max_position_embeddings": 250000000/' "$work/long/config.json"
  call run -m "$work/long" -p x --raw --context 250000000
  refuses "$work/long" "cache of 250000000 tokens" "available"
  call logits -m "$work/long" --tokens 1,2,3
  exits 0 # the cache grows as it is used
}
test_routing_stats_are_counted_kept_and_refused_for_another_model() {
  local stats=$work/stats.json
  printf '[1,2,3,4,5,6,7]' >"$work/some_tokens.json"
  call eval -m "$checkpoint" --perplexity "$work/some_tokens.json" --routing-stats "$stats"
  exits 0
  grep -q '"experts"' "$stats" || fail "no counts in $(<"$stats")"
  call convert --in "$checkpoint" --out "$work/counted.leyden" --routing-stats "$stats"
  exits 0
  call inspect "$work/counted.leyden"
  says out "how often experts are used"
  call convert --in "$data/oracle/checkpoints/v2lite-tiny" --out "$work/x.leyden" --routing-stats "$stats"
  refuses "$stats" "the model has"
  nothing_at "$work/x.leyden"
  call logits -m "$data/oracle/checkpoints/v2lite-tiny" --tokens 1 --routing-stats "$stats"
  refuses "$stats" "the model has"
}
test_one_thread_and_no_huge_pages_give_the_same_answer() {
  local first=
  for arguments in "-t 1" "-t 2" "-t 1 --huge-pages off" "-t 3 --huge-pages thp" "--huge-pages auto"; do
    # shellcheck disable=SC2086
    call run -p "What is 7 + 8?" --greedy $arguments
    exits 0
    [[ -n $first ]] || first=$(<"$work/out")
    [[ $(<"$work/out") == "$first" ]] || fail "'$(<"$work/out")' is not '$first'"
  done
  call run -p "What is 7 + 8?" --greedy --huge-pages hugetlb
  [[ $status == 0 ]] || refuses "huge pages of 2 MiB" "vm.nr_hugepages=" # none are reserved, as a rule
}
test_the_same_seed_gives_the_same_text_for_any_number_of_threads() {
  local first=
  for threads in 1 2 3 7; do
    call run -p "Tell me a story about a fox named Mia." --temp 1 --seed 11 -n 40 -t $threads
    exits 0
    [[ -n $first ]] || first=$(<"$work/out")
    [[ $(<"$work/out") == "$first" ]] || fail "'$(<"$work/out")' is not '$first'"
  done
  call run -p "Tell me a story about a fox named Mia." --temp 1 --seed 12 -n 40
  [[ $(<"$work/out") != "$first" ]] || fail "another seed gives the same text"
}

# Sanitizers look at what reads foreign files; the command line and what it refuses are the suite's.
if [[ -n $sanitizers ]]; then
  for test in wrong_usage help_ an_empty_name set_takes where_json_goes json_ nothing_to_measure what_cannot_be_done \
    a_conversion_replaces reports_and_calibrations one_thread the_same_seed bench_computes \
    input_without_an_end; do
    for function in $(compgen -A function "test_$test"); do unset -f "$function"; done
  done
fi

run_tests
