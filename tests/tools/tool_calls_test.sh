#!/usr/bin/env bash
# `leyden run` with messages and tools from files, and `leyden render --parse`: tool_calls_test.sh LEYDEN SOURCE_DIR
# shellcheck disable=SC2317  # tests are called by name
leyden=$1
source_dir=$2
source "$(dirname "$0")/shell_lib.sh"

# Nothing here depends on the weights, and to quantize them for every start of the program takes long.
"$leyden" convert --in "$source_dir/models/demo/checkpoint" --out "$work/demo.leyden" >/dev/null
export LEYDEN_DEMO_MODEL=$work/demo.leyden

cat >"$work/tools.json" <<'END'
[{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city",
  "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
END
cat >"$work/messages.json" <<'END'
[{"role": "system", "content": "Be brief."},
 {"role": "user", "content": "What is the capital of Norway?"}]
END

field() { grep -o "\"$2\":[^,}]*" "$1" | cut -d: -f2-; }

test_messages_of_a_file_are_answered() {
  call run --messages "$work/messages.json" --greedy --json "$work/answer.json"
  exits 0
  says out "Oslo"
  grep -q '"tool_calls":\[\]' "$work/answer.json" || fail "no empty list of tool calls"
  call run --messages <(printf '{"messages": %s, "tools": %s}' "$(<"$work/messages.json")" "$(<"$work/tools.json")") \
    --greedy --json "$work/tools-answer.json" -n 4
  exits 0
  (($(field "$work/tools-answer.json" prompt_tokens) > $(field "$work/answer.json" prompt_tokens) + 20)) ||
    fail "the tools are not part of the prompt"
}
test_tools_of_a_file_are_offered() {
  call run -p "What is the capital of Norway?" --tools "$work/tools.json" -n 4 --greedy --json "$work/one.json"
  exits 0
  call run -p "What is the capital of Norway?" -n 4 --greedy --json "$work/none.json"
  (($(field "$work/one.json" prompt_tokens) > $(field "$work/none.json" prompt_tokens) + 20)) ||
    fail "the tools are not part of the prompt"
}
# The demo model has never called a tool, so the tokens of a call are put into its mouth: every one has a bias
# that makes it certain, the first the most, and each time that one occurs the penalty takes it away.
# make_certain MODEL FORMAT CALL: what makes it answer $work/question.json so, as $forced; no token of CALL may
# occur twice.
make_certain() {
  local model=$1 format=$2 call=$3 question="How is the weather?" ids prompt n=0 id
  local tokenize=("$leyden" tokenize --special --tokenizer "$model/tokenizer.json")
  printf '{"messages": [{"role": "user", "content": "%s"}], "tools": %s}\n' "$question" \
    "$(tr '\n' ' ' <"$work/tools.json")" >"$work/question.json"
  ids=$(printf '%s' "$call" | "${tokenize[@]}" | grep -o '\[.*\]' | tr -d '[]' | tr ',' ' ')
  prompt=$("$leyden" render --format "$format" --jsonl "$work/question.json" | sed 's/^{"prompt"/{"text"/' |
    "${tokenize[@]}" --jsonl - | grep -o '"ids": *\[.*\]' | grep -o '[0-9]*')
  forced=(-m "$model" --weights bf16 --greedy --frequency-penalty 50000)
  for id in $ids; do
    forced+=(--logit-bias "$id=$((90000 - 1000 * n++ + 50000 * $(grep -cx "$id" <<<"$prompt")))")
  done
  forced+=(-n "$n")
}
# call_tool MODEL FORMAT CALL [ARGS...]: asks with tools from a file.
call_tool() {
  make_certain "${@:1:3}"
  call run "${forced[@]}" --messages "$work/question.json" --tools "$work/tools.json" --json "$work/calls.json" "${@:4}"
  exits 0
}
is_called() { # TYPE
  says out "[{\"id\": \"call_0\", \"type\": \"$1\", \"function\": {\"name\": \"sun\", \"arguments\": \"7\"}}]"
  grep -q '"name":"sun"' "$work/calls.json" || fail "no call in the JSON"
  grep -q '"text":""' "$work/calls.json" || fail "the JSON has text"
}
test_calls_of_v31_are_printed_as_json() {
  local demo=$source_dir/models/demo/checkpoint
  local call='<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>sun<｜tool▁sep｜>7<｜tool▁call▁end｜>'
  call_tool "$demo" v3.1 "$call<｜tool▁calls▁end｜>"
  is_called function
  call_tool "$demo" v3.1 '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>sun<｜tool▁sep｜>7'
  says out '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>sun<｜tool▁sep｜>7' # it broke off, so it is text
  grep -q '"tool_calls":\[\]' "$work/calls.json" || fail "half a call in the JSON"
}
test_chat_prints_calls_as_run_does() {
  make_certain "$source_dir/models/demo/checkpoint" v3.1 \
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>sun<｜tool▁sep｜>7<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
  printf '{"format": "leyden-conversation", "version": 1, "messages": [{"role": "system", "content": "", "tools": %s}]}' \
    "$(<"$work/tools.json")" >"$work/talk.json"
  called="leyden chat"
  echo "How is the weather?" | "$leyden" chat --resume "$work/talk.json" "${forced[@]}" >"$work/out" 2>"$work/err"
  [[ $(<"$work/out") == '[{"id": "call_0", "type": "function", "function": {"name": "sun", "arguments": "7"}}]' ]] ||
    fail "the call is printed as '$(<"$work/out")'"
}
# Without <think> a model speaks V3. Its call has three line breaks, and the fences are tokens of their own here.
test_calls_of_v3_are_printed_as_json() {
  local model=$work/v3 call fence='```' json='```json'
  cp -r "$source_dir/models/demo/checkpoint" "$model"
  sed -i 's/"<think>"/"\\n```json\\n"/; s/"<\/think>"/"\\n```"/' "$model/tokenizer.json"
  call="<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>moon<｜tool▁sep｜>sun"$'\n'"$json"$'\n7\n'"$fence"'<｜tool▁call▁end｜>'
  call_tool "$model" v3 "$call<｜tool▁calls▁end｜>"
  is_called moon # V3 names the type itself
  call_tool "$model" v3 "$call"
  is_called moon # only the end of all calls is missing
  call_tool "$model" v3 "${call%"$fence"*}"
  says out "moon<｜tool▁sep｜>sun"
  grep -q '"tool_calls":\[\]' "$work/calls.json" || fail "half a call in the JSON"
}
# Thinking tokens without V3.1's search tokens or V3.2-Exp's model type: R1.
test_r1_always_thinks() {
  local model=$work/r1 think
  cp -r "$source_dir/models/demo/checkpoint" "$model"
  sed -i 's/"model_type": "deepseek_v32"/"model_type": "deepseek_v3"/' "$model/config.json"
  think=$("$leyden" tokenize --special --tokenizer "$model/tokenizer.json" <<<"</think>" |
    grep -o '\[[0-9]*' | tr -d '[')
  local ask=(run -m "$model" --weights bf16 -p "What is 7 + 8?" --greedy --logit-bias 1=-1000 -n 8 --json "$work/r1.json")
  for thinking in "" "--thinking on"; do
    call "${ask[@]}" $thinking
    exits 0
    [[ $(field "$work/r1.json" reasoning) != '""' ]] || fail "there is no reasoning"
    grep -q '"text":""' "$work/r1.json" || fail "there is text before the end of the thoughts"
  done
  # Made to end its thoughts at once, it answers.
  call "${ask[@]}" --logit-bias "$think=90000" --frequency-penalty 90000
  grep -q '"reasoning":""' "$work/r1.json" || fail "the thoughts don't end with </think>"
  [[ $(field "$work/r1.json" text) != '""' ]] || fail "there is no text"
  call run -m "$model" -p x --thinking off
  refuses "this model always thinks before it answers"
  call run -m "$model" -p x -n 1 --raw --thinking off
  exits 0
  call chat -m "$model" --thinking off </dev/null
  refuses "this model always thinks before it answers"
  printf '/think off\n/think\n/think hide\n/think\n' |
    "$leyden" chat -m "$model" >"$work/out" 2>"$work/err"
  says err "this model always thinks before it answers"
  says err "thinking is on"
  says err "thinking is on, and hidden"
}
test_a_model_that_cannot_think_says_so() {
  local model=$work/thoughtless
  cp -r "$source_dir/models/demo/checkpoint" "$model"
  sed -i 's/"<think>"/"<thought>"/' "$model/tokenizer.json"
  call run -m "$model" -p x --thinking on
  refuses "this model has no thinking mode"
  call chat -m "$model" --thinking hide </dev/null
  refuses "this model has no thinking mode"
  call run -m "$model" -p x -n 1 --thinking off
  exits 0
}
# Without a token for users' turns: V2, whose markers are words.
test_v2_speaks_in_plain_text() {
  local model=$work/v2 prompt
  cp -r "$source_dir/models/demo/checkpoint" "$model"
  sed -i 's/"<｜User｜>"/"<｜nobody｜>"/' "$model/tokenizer.json"
  printf '{"text": "<｜begin▁of▁sentence｜>User: What is 7 + 8?\\n\\nAssistant:"}' >"$work/v2.json"
  prompt=$("$leyden" tokenize --special --tokenizer "$model/tokenizer.json" --jsonl "$work/v2.json" |
    grep -o '"ids": *\[.*\]' | grep -o '[0-9]*' | wc -l)
  call run -m "$model" -p "What is 7 + 8?" -n 1 --json "$work/v2-answer.json"
  exits 0
  [[ $(field "$work/v2-answer.json" prompt_tokens) == "$prompt" ]] ||
    fail "the prompt isn't V2's, of $prompt tokens"
  call run -m "$model" -p x --tools "$work/tools.json"
  refuses "message 0 (system) offers tools, which v2 doesn't have"
  call run -m "$model" -p x --thinking on
  refuses "this model has no thinking mode"
}
test_an_answer_to_a_tools_result_is_no_reasoning() {
  cat >"$work/result.json" <<'END'
[{"role": "user", "content": "What is 7 + 8?"},
 {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": "{}"}}]},
 {"role": "tool", "content": "15"}]
END
  # Without its end token, or the demo model would say nothing here.
  call run --messages "$work/result.json" --thinking on --greedy --logit-bias 1=-1000 -n 8 --json "$work/result-answer.json"
  exits 0
  grep -q '"reasoning":""' "$work/result-answer.json" || fail "the answer is taken for reasoning"
  [[ $(field "$work/result-answer.json" text) != '""' ]] || fail "there is no text"
}
# asks MODEL ROLE...: a conversation whose messages have these roles.
asks() {
  local model=$1 role list=
  for role in "${@:2}"; do
    list+="${list:+, }{\"role\": \"${role%+}\", \"content\": \"What is 7 + 8?\""
    [[ $role != *+ ]] || list+=', "prefix": true'
    list+='}'
  done
  printf '[%s]' "$list" >"$work/asked.json"
  call run -m "$model" --messages "$work/asked.json" --greedy -n 4
}
test_only_what_can_be_answered_is_answered() {
  local v31=$source_dir/models/demo/checkpoint v32=$work/v32 model
  cp -r "$v31" "$v32"
  sed -i 's/"<｜fim▁hole｜>"/"｜DSML｜"/' "$v32/tokenizer.json"
  for model in "$v31" "$v32"; do
    asks "$model" user
    exits 0
    asks "$model" user assistant
    refuses "message 1 (assistant) is the last one, expected a user's or a tool's"
    asks "$model" user assistant+
    refuses "message 1 (assistant) is the last one"
  done
  asks "$v31" system
  refuses "there is no message that could be answered"
  asks "$v32" system
  refuses "message 0 (system) is the last one"
  asks "$v31" user system
  exits 0
  asks "$v31" developer
  refuses "there is no message that could be answered"
  asks "$v31" user developer
  exits 0
  asks "$v32" user developer
  exits 0
  asks "$v32" user system
  refuses "message 1 (system) is the last one"
}
test_v32_answers_when_all_results_are_there() {
  local v32=$work/v32-results call='{"function": {"name": "f", "arguments": "{}"}}' results
  cp -r "$source_dir/models/demo/checkpoint" "$v32"
  sed -i 's/"<｜fim▁hole｜>"/"｜DSML｜"/' "$v32/tokenizer.json"
  for results in 1 2 3; do
    printf '[{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [%s, %s]}%s]' \
      "$call" "$call" "$(printf ', {"role": "tool", "content": "%d"}' $(seq "$results"))" \
      >"$work/results.json"
    call run -m "$v32" --messages "$work/results.json" --greedy -n 2
    case $results in
      1) refuses "message 2 (tool) is the last one, but only result 1 of 2" ;;
      2) exits 0 ;;
      3) refuses "message 4 (tool) is a result without a tool call" ;;
    esac
  done
}
test_a_developers_words_are_not_dropped() {
  local role
  for role in system developer; do
    printf '[{"role": "%s", "content": "Be brief."}, {"role": "user", "content": "What is 7 + 8?"}]' \
      "$role" >"$work/$role.json"
    call run --messages "$work/$role.json" --greedy -n 4 --json "$work/$role-answer.json"
    exits 0
  done
  [[ $(field "$work/developer-answer.json" prompt_tokens) == \
    $(field "$work/system-answer.json" prompt_tokens) ]] ||
    fail "the developer's message isn't read as a system message"
}
test_completions_are_parsed_to_the_letter() {
  call render --parse --jsonl "$source_dir/tests/data/text/encoding/parse_cases_v3.2.jsonl"
  exits 0
  [[ $(wc -l <"$work/out") == 60 ]] || fail "$(wc -l <"$work/out") answers to 60 lines"
  local n_errors
  n_errors=$(grep -c '"error": true' "$source_dir/tests/data/text/encoding/parse_cases_v3.2.jsonl")
  [[ $(grep -c '^{"error":' "$work/out") == "$n_errors" ]] || fail "not $n_errors errors"
  call render --parse --lenient --jsonl "$source_dir/tests/data/text/encoding/parse_cases_v3.2.jsonl"
  ! grep -q '^{"error":' "$work/out" || fail "the lenient parser refuses"
}

run_tests
