#!/usr/bin/env bash
# Tests how `leyden chat` keeps conversations, and what it does in a pipe:
# chat_sessions_test.sh LEYDEN [SANITIZERS]
# shellcheck disable=SC2317  # tests are called by name
leyden=$1
sanitizers=${2-}
source "$(dirname "$0")/terminal_lib.sh"

sessions() { find "$XDG_STATE_HOME/leyden/sessions" -name '*.json' 2>/dev/null; }
states() { find "$XDG_STATE_HOME/leyden/sessions" -name '*.kv' 2>/dev/null; }
pipe() { "$leyden" chat --greedy "$@" >"$work/out" 2>"$work/err"; }
says() { grep -qF -- "$2" "$work/$1" || fail "$1 lacks '$2': $(head -c 500 "$work/$1")"; }

talk_once() {
  start --greedy
  enter "What is the capital of Norway?"
  sees "Oslo"
  sees "context "
  prompts
  keys C-d
  ends 0
}

test_a_conversation_is_restored_after_a_restart() {
  start --greedy --thinking hide --system "Be brief."
  enter "/set top-k 33"
  enter "What is the capital of Norway?"
  sees "context "
  prompts
  keys C-d
  ends 0
  equals "$(sessions | wc -l)" 1
  start
  sees "/load takes up the last conversation"
  enter "/load"
  sees "> What is the capital of Norway?"
  enter "/think"
  sees "thinking is on, and hidden"
  enter "/set"
  sees "top-k              33"
  enter "/show system"
  sees "Be brief."
  prompts
  keys C-d
  ends 0
  start --resume --thinking off
  sees ", 1 message: What is the capital of Norway?]"
  enter "/think"
  sees "thinking is off"
  enter "What is 7 + 8?"
  sees "15"
  enter "/undo"
  enter "/show"
  sees "user: What is the capital of Norway?"
  equals "$(sessions | wc -l)" 1
}
test_settings_put_back_are_kept() {
  start --greedy --top-k 33 --logit-bias 7=1
  enter "What is the capital of Norway?"
  sees "context "
  prompts
  grep -q '"top_k": 33' "$(sessions)" || fail "top-k isn't kept"
  enter "/set default"
  sees "[the model's own recommendation is set]"
  prompts
  grep -q '"top_k": 33' "$(sessions)" && fail "/set default isn't kept"
  grep -q '"logit_bias": \[\]' "$(sessions)" || fail "the logit bias stays"
  keys C-d
  ends 0
}
test_what_was_computed_is_not_read_again() {
  talk_once
  equals "$(states | wc -l)" 1
  equals "$(stat -c %a "$(states)")" 600
  start --greedy --resume
  sees "tokens needn't be read again"
  enter "What is 7 + 8?"
  sees "15"
  sees "[read 12 tokens" # the new message alone
  prompts
  keys C-d
  ends 0
  printf 'x' | dd of="$(states)" bs=1 seek=100 conv=notrunc 2>/dev/null
  start --greedy --resume
  sees "it will be read again: "
  enter "/undo"
  enter "What is 2 + 3?"
  sees "2 + 3 = 5."
}
# asks: a conversation whose program is $program, still running.
asks() {
  start --greedy
  enter "What is the capital of Norway?"
  sees "context "
  prompts
  local shell
  shell=$(tmux_ display -p -t leyden '#{pane_pid}')
  read -r program <"/proc/$shell/task/$shell/children"
}
is_kept() {
  equals "$(states | wc -l)" 1
  start --greedy --resume
  sees "tokens needn't be read again"
}
test_what_was_computed_is_kept_when_a_signal_ends_it() {
  local signal
  for signal in TERM HUP; do
    fresh
    asks
    kill -"$signal" "$program"
    ends $((128 + $(kill -l "$signal")))
    is_kept
  done
}
has_ended() { ! kill -0 "$program" 2>/dev/null; }
test_what_was_computed_is_kept_when_the_terminal_is_closed() {
  asks
  tmux_ kill-session -t =leyden
  waits has_ended || fail "it lives on without a terminal"
  is_kept
}
test_a_conversation_taken_back_as_a_whole_is_gone() {
  start --greedy --system "Be brief."
  enter "What is 7 + 8?"
  sees "context "
  prompts
  local file
  file=$(sessions)
  enter "/save"
  sees "[kept as "
  equals "$(states | wc -l)" 1
  enter "/undo"
  sees "[taken back: What is 7 + 8?]"
  prompts
  equals "$(sessions)$(states)" ""
  enter "/save"
  sees "nothing has been said that could be kept"
  enter "/clear"
  sees "[a new conversation begins]" # and none before can be taken up
  prompts
  keys C-d
  ends 0
  equals "$(sessions)$(states)" ""
  start --greedy
  lacks "/load takes up"
  enter "What is 7 + 8?"
  sees "context "
  prompts
  file=$(sessions)
  enter "/undo"
  prompts
  enter "What is 2 + 3?"
  sees "2 + 3 = 5."
  prompts
  equals "$(sessions)" "$file"
}
test_a_conversation_with_a_name_stays_but_empty_it_is_no_last_one() {
  start --greedy --system "Be brief."
  enter "What is 7 + 8?"
  sees "context "
  prompts
  enter "/save sums"
  sees "[kept as sums;"
  enter "/undo"
  prompts
  keys C-d
  ends 0
  start
  lacks "/load takes up"
  enter "/load"
  sees "there is no other conversation"
  enter "/load sums"
  enter "/show"
  sees "system: Be brief."
  lacks "7 + 8"
  prompts
  keys C-d
  ends 0
  launch --resume
  sees "no conversation has been kept that could be resumed"
  ends 1
}
test_a_name_that_only_begins_with_a_time_is_a_persons_and_its_file_stays() {
  local mine=2026-11-27-215536-mine.json in_place=$XDG_STATE_HOME/leyden/sessions
  cd "$HOME" || fail "no home"
  printf 'What is 7 + 8?\n/save ./%s\n' "$mine" | pipe
  cp "$mine" original
  printf '/undo\n' | pipe --resume "$mine"
  [[ -f $mine ]] || fail "/undo has deleted $mine"
  cp original "$mine"
  printf '/save ./elsewhere.json\n' | pipe --resume "$mine"
  [[ -f $mine && -f elsewhere.json ]] || fail "/save has deleted $mine"
  cd - >/dev/null || fail "no way back"
  local name
  for name in 2026-11-27-215536-norway 2026-11-27-215536-2; do
    printf 'What is 7 + 8?\n/save %s\n/save -f other\n' "$name" | pipe
    [[ -f $in_place/$name.json && -f $in_place/$name.kv ]] || fail "/save has deleted $name"
  done
  printf '/undo\n' | pipe --resume 2026-11-27-215536-norway
  [[ -f $in_place/2026-11-27-215536-norway.json ]] || fail "/undo has deleted a name"
}
test_a_name_takes_the_place_of_the_time() {
  talk_once
  local file
  file=$(sessions)
  printf '/save norway\n' | pipe --resume
  equals "$(sessions)" "${file%/*}/norway.json"
  equals "$(states)" "${file%/*}/norway.kv"
}
# How many tokens a conversation's state has.
tokens_kept() {
  start --greedy --resume
  sees "tokens needn't be read again"
  screen | grep -o "[0-9]* tokens needn't"
  keys C-d
  ends 0
}
test_the_computed_state_has_nothing_of_what_was_taken_back() {
  talk_once
  equals "$(tokens_kept)" "18 tokens needn't"
  start --greedy --resume
  enter "What is 7 + 8?"
  sees "15"
  prompts
  enter "/undo"
  sees "taken back"
  prompts
  keys C-d
  ends 0
  equals "$(tokens_kept)" "19 tokens needn't" # the first exchange and the mark behind it
}
# A conversation of two system messages, the first with tools, and a call with its result.
talk_with_tools() {
  cat >"$1" <<'END'
{"format": "leyden-conversation", "version": 1, "model": "", "messages": [
 {"role": "system", "content": "Be brief.", "response_format": {"type": "object"},
  "tools": [{"type": "function", "function": {"name": "add", "parameters": {}}}]},
 {"role": "system", "content": "Be kind."},
 {"role": "user", "content": "What is 7 + 8?"},
 {"role": "assistant", "content": null,
  "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": "add", "arguments": "{}"}}]},
 {"role": "tool", "content": "15"},
 {"role": "assistant", "content": "It is 15."}]}
END
}
test_the_system_prompt_is_changed_without_its_tools() {
  local file=$work/home/talk.json
  talk_with_tools "$file"
  printf '/system\n/system You are a pirate.\n' | pipe --resume "$file"
  says err "Be brief."
  says err "Be kind."
  says "home/talk.json" '"content": "You are a pirate."'
  says "home/talk.json" '"name": "add"'
  says "home/talk.json" '"response_format": '
  printf '/set top-k 3\n' | pipe --resume "$file" --system "You are a monk."
  says "home/talk.json" '"content": "You are a monk."'
  says "home/talk.json" '"name": "add"'
  printf '/system ""\n/system\n' | pipe --resume "$file"
  says err "there is no system prompt"
  says "home/talk.json" '"name": "add"'
  talk_with_tools "$file"
  printf '/system\n/set top-k 3\n' | pipe --resume "$file" --system ""
  says err "there is no system prompt"
  says "home/talk.json" '"name": "add"'
}
test_tool_calls_are_shown() {
  local file=$work/home/talk.json call
  call='[{"id": "call_0", "type": "function", "function": {"name": "add", "arguments": "{}"}}]'
  talk_with_tools "$file"
  printf '/show\n' | pipe --resume "$file"
  says err "assistant: $call"
  printf '/load %s\n' "$file" | pipe
  says err "> What is 7 + 8?"
  says err "It is 15."
  sed -i '/"role": "tool"/d; /call_0/s/},$/}]}/; /It is 15/d' "$file"
  printf '/load %s\n' "$file" | pipe
  says err "> What is 7 + 8?"
  says err "$call"
}
test_a_state_that_can_not_be_restored_stays() {
  local file=$work/home/talk.json before
  printf 'What is 7 + 8?\n/save %s\n' "$file" | pipe
  before=$(sha256sum "$file.kv")
  printf 'What is 2 + 3?\n/load %s\n' "$file" | pipe --kv-cache int8
  equals "$(sha256sum "$file.kv")" "$before"
  printf '' | pipe --kv-cache int8 --resume "$file"
  equals "$(sha256sum "$file.kv")" "$before"
  start --greedy --kv-cache int8 --resume "$file"
  sees "it will be read again: "
  enter "What is 2 + 3?"
  sees "2 + 3 = 5."
  prompts
  keys C-d
  ends 0
  start --greedy --kv-cache int8 --resume "$file"
  sees "tokens needn't be read again"
}
test_what_was_taken_back_stays_in_no_state_that_can_not_be_restored() {
  local file=$work/home/talk.json before
  printf 'What is 7 + 8?\nWhat is 2 + 3?\n/save %s\n' "$file" | pipe
  before=$(stat -c %s "$file.kv")
  printf '/undo\n' | pipe --kv-cache int8 --resume "$file"
  [[ ! -e $file.kv ]] || (($(stat -c %s "$file.kv") < before)) || fail "the state has what was taken back"
}
test_an_idle_program_puts_no_state_over_a_newer_one() {
  talk_once
  local name
  name=$(basename "$(sessions)" .json)
  start --greedy --resume
  sees "18 tokens needn't be read again"
  printf 'What is 2 + 3?\n' | pipe --resume "$name"
  keys C-d
  ends 0
  equals "$(tokens_kept)" "38 tokens needn't"
}
test_a_logit_bias_of_the_command_line_takes_the_place_of_the_files() {
  local file=$work/home/talk.json
  printf 'What is 7 + 8?\n/save %s\n' "$file" | pipe --logit-bias 7=1 --logit-bias 8=2
  printf '/set top-k 3\n' | pipe --resume "$file" --logit-bias 9=3
  equals "$(tr -d ' \n' <"$file" | grep -o '"logit_bias":[^a-z]*\]\]')" '"logit_bias":[[9,3.0]]'
  printf '/set top-k 4\n' | pipe --resume "$file"
  equals "$(tr -d ' \n' <"$file" | grep -o '"logit_bias":[^a-z]*\]\]')" '"logit_bias":[[9,3.0]]'
}
test_a_conversation_without_settings_gets_the_models() {
  local file=$work/home/talk.json
  talk_with_tools "$file"
  printf '/set\n' | "$leyden" chat --resume "$file" 2>"$work/err"
  grep -qE '^ *temp +0\.6 ' "$work/err" || fail "the temperature isn't the model's"
  grep -qE '^ *top-p +0\.95 ' "$work/err" || fail "top-p isn't the model's"
  grep -qE '^ *seed +0 ' "$work/err" && fail "the seed isn't random"
  printf '/load %s\n/set\n' "$file" | "$leyden" chat --temp 0.3 --seed 7 2>"$work/err"
  grep -qE '^ *temp +0\.6 ' "$work/err" || fail "the temperature isn't the model's after /load"
  grep -qE '^ *seed +7 ' "$work/err" || fail "the seed is another one after /load"
}
test_a_logit_bias_of_a_token_that_is_none_is_refused() {
  local file=$work/home/talk.json other=$work/home/other.json
  printf 'What is 7 + 8?\n/save %s\n' "$file" | pipe
  printf 'What is 7 + 8?\n/save %s\n' "$other" | pipe
  sed -i 's/"logit_bias": \[\]/"logit_bias": [[1000000, 1]]/' "$file"
  printf '' | pipe --resume "$file"
  equals "$?" 1
  says err "talk.json: field 'settings.logit_bias': token 1000000 is outside the vocabulary of"
  printf '' | pipe --resume "$file" --logit-bias 7=1
  equals "$?" 0
  printf '/load %s\nWhat is 2 + 3?\n' "$file" | pipe --resume "$other"
  says err "talk.json: field 'settings.logit_bias': token 1000000 is outside the vocabulary of"
  grep -q "2 + 3" "$other" || fail "the present conversation isn't the present one any more"
}
test_names_are_kept_listed_and_never_taken_away() {
  start --greedy
  enter "What is 7 + 8?"
  sees "context "
  enter "/save sums"
  sees "[kept as sums;"
  enter "/clear"
  enter "What is 2 + 3?"
  prompts
  enter "/save sums"
  sees "there is another conversation named sums already"
  enter "/save more/sums"
  sees "more/sums"
  enter "/save ../../evil"
  enter "/save .hidden"
  sees "'.hidden' can't be the name"
  enter "/sessions"
  sees "  sums "
  enter "/load sums"
  sees "> What is 7 + 8?"
  enter "/sessions"
  sees "* sums "
  enter "/load none"
  sees "there is no conversation named none"
}
test_a_name_with_a_space_is_quoted_for_the_shell() {
  start --greedy
  enter "What is 7 + 8?"
  sees "context "
  prompts
  enter "/save $HOME/my talk.json"
  sees "--resume '$HOME/my talk.json' goes on with it]"
  prompts
  enter "/save it's mine"
  sees "[kept as it's mine; leyden chat --resume 'it'\\''s mine' goes on with it]"
  prompts
  keys C-d
  ends 0
}
test_a_name_or_path_with_a_space_is_completed() {
  mkdir "$HOME/my place"
  printf 'What is 7 + 8?\n/save %s/my place/talk.json\n/save my talk\n' "$HOME" | pipe
  start
  types "/load my t"
  keys Tab
  sees "> /load my talk"
  keys Enter
  sees "> What is 7 + 8?"
  prompts
  types "/load $HOME/my pl"
  keys Tab
  types "ta"
  keys Tab
  sees "> /load $HOME/my place/talk.json"
  keys C-c
  prompts
  keys C-d
  ends 0
}
test_a_model_is_the_same_by_any_of_its_paths() {
  local model
  model=$(realpath "$(dirname "$0")/../../models/demo/checkpoint")
  ln -s "$model" "$HOME/link"
  printf 'What is 7 + 8?\n/save talk\n' | pipe -m "$model"
  start -m "$HOME/./link"
  enter "/load talk"
  sees "> What is 7 + 8?"
  prompts
  lacks "it was had with"
  enter "/show model"
  sees "$HOME/./link: "
  prompts
  keys C-d
  ends 0
}
test_a_damaged_file_is_refused_and_kept() {
  talk_once
  local file
  file=$(sessions)
  printf 'no JSON' >"$file"
  launch --resume
  sees "${file##*/}"
  ends 1
  equals "$(<"$file")" "no JSON"
  start --greedy
  sees "damaged: "
  enter "What is 7 + 8?"
  sees "context "
  equals "$(<"$file")" "no JSON"
  equals "$(sessions | wc -l)" 2
}
test_pipes_and_folders_among_the_conversations_are_passed_over() {
  talk_once
  local place
  place=$(dirname "$(sessions)")
  rm "$place/../history"
  mkfifo "$place/pipe.json" "$place/../history" # nobody writes into them
  mkdir "$place/folder.json"
  start --greedy
  enter "/sessions"
  sees "What is the capital of Norway?" 2
  lacks "folder"
  enter "/load $place/pipe.json"
  sees "pipe.json: is not a regular file"
  enter "/load $place/folder.json"
  sees "folder.json: is a directory"
  enter "/file $place/pipe.json"
  sees "pipe.json: is not a regular file" 2
  enter "What is 7 + 8?"
  sees "15"
  prompts
  enter "/save $place"
  sees "sessions: is a directory"
  prompts
  keys C-d
  ends 0
}
test_two_programs_at_one_conversation_lose_nothing() {
  talk_once
  local name
  name=$(basename "$(sessions)" .json)
  start --greedy --resume
  prompts
  printf 'What is 2 + 3?\n' | pipe --resume "$name"
  enter "What is 7 + 8?"
  sees "15"
  prompts
  sees "[another leyden wrote $name; this one is kept as $name-2]"
  equals "$(sessions | wc -l)" 2
  grep -q "2 + 3" "$XDG_STATE_HOME/leyden/sessions/$name.json" || fail "the pipe's turn is lost"
  grep -q "7 + 8" "$XDG_STATE_HOME/leyden/sessions/$name-2.json" || fail "the terminal's turn is lost"
}
test_nothing_is_kept_when_asked_or_impossible() {
  start --greedy --no-save
  enter "What is 7 + 8?"
  sees "context "
  enter "/save talk"
  sees "conversations aren't kept now"
  enter "/save $work/home/talk.json"
  sees "[kept as "
  prompts
  keys C-d
  ends 0
  [[ ! -e $XDG_STATE_HOME ]] || fail "--no-save has written"
  grep -q "7 + 8" "$work/home/talk.json" || fail "no talk.json"
  : >"$work/home/blocked"
  XDG_STATE_HOME=$work/home/blocked start --greedy
  sees "conversations can't be kept"
  enter "What is 7 + 8?"
  sees "15"
}
test_what_is_saved_by_path_is_never_overwritten_by_its_state() {
  printf 'my notes' >"$work/home/notes.kv"
  printf 'mine, too' >"$work/home/letter.json.kv"
  start --greedy
  enter "What is 7 + 8?"
  sees "context "
  local name
  for name in talk.kv talk.v1 notes.json; do
    enter "/save $work/home/$name"
    sees "[kept as $work/home/$name;"
    prompts
  done
  lacks "can't be kept"
  for name in talk.kv talk.v1 notes.json; do
    grep -q "7 + 8" "$work/home/$name" || fail "$name is lost"
    [[ -f $work/home/$name.kv ]] || fail "no $name.kv"
  done
  enter "/save $work/home/letter.json"
  sees "letter.json.kv is no session of leyden's, and stays as it is"
  prompts
  keys C-d
  ends 1
  equals "$(<"$work/home/notes.kv")" "my notes"
  equals "$(<"$work/home/letter.json.kv")" "mine, too"
  start --greedy --resume "$work/home/talk.kv"
  sees "tokens needn't be read again"
  keys C-d
  ends 0
}
test_without_saving_a_resumed_file_stays_as_it_was_until_asked() {
  local file=$work/home/talk.json before
  printf 'What is 7 + 8?\n/save %s\n' "$file" | pipe
  rm -f "$file.kv"
  before=$(<"$file")
  start --greedy --no-save --resume "$file"
  enter "What is 2 + 3?"
  sees "2 + 3 = 5."
  enter "/set top-k 33"
  prompts
  keys C-d
  ends 0
  equals "$(<"$file")" "$before"
  [[ ! -e $file.kv ]] || fail "there is a state"
  printf 'What is 2 + 3?\n' | pipe --no-save --resume "$file"
  equals "$(<"$file")" "$before"
  start --greedy --no-save --resume "$file"
  enter "What is 2 + 3?"
  sees "2 + 3 = 5."
  prompts
  enter "/save"
  sees "[kept as $file;"
  enter "What is 4 + 4?"
  sees "context " 2
  prompts
  grep -q "4 + 4" "$file" || fail "it isn't kept after /save"
  keys C-d
  ends 0
  [[ -f $file.kv ]] || fail "no state"
}
# A conversation whose folder has become a file.
starts_where_nothing_can_be_kept() {
  start --greedy
  mkdir -p "$XDG_STATE_HOME/leyden"
  rm -r "$XDG_STATE_HOME/leyden/sessions"
  : >"$XDG_STATE_HOME/leyden/sessions"
  enter "What is 7 + 8?"
  sees "can't keep this: "
}
test_leaving_with_what_can_not_be_kept_is_asked_and_a_failure() {
  starts_where_nothing_can_be_kept
  sees "Not a directory"
  prompts
  keys C-d
  sees "can't keep this: " 2
  sees "Leaving would lose it. /save PATH keeps it elsewhere"
  prompts
  enter "/save $work/home/rescued.json"
  sees "[kept as "
  prompts
  keys C-d
  ends 0
  grep -q "7 + 8" "$work/home/rescued.json" || fail "it wasn't rescued"
  XDG_STATE_HOME=$work/home/other starts_where_nothing_can_be_kept
  prompts
  keys C-c
  sees "(Ctrl-C again or Ctrl-D leaves)"
  prompts
  keys C-c
  sees "Leaving would lose it"
  prompts
  enter "/quit"
  ends 1
}
test_clearing_or_loading_over_what_can_not_be_kept_is_asked() {
  printf 'What is 2 + 3?\n/save %s\n' "$work/home/other.json" | pipe
  starts_where_nothing_can_be_kept
  prompts
  enter "/clear"
  sees "/clear would lose it. /save PATH keeps it elsewhere; /clear again does it."
  prompts
  enter "/load $work/home/other.json"
  sees "/load would lose it."
  prompts
  enter "/show"
  sees "user: What is 7 + 8?"
  prompts
  enter "/save $work/home/rescued.json"
  sees "[kept as "
  prompts
  enter "/load $work/home/other.json"
  sees "> What is 2 + 3?"
  prompts
  enter "/clear"
  enter "What is 4 + 4?"
  sees "can't keep this: " 4
  prompts
  enter "/clear"
  sees "/clear would lose it." 2
  prompts
  enter "/clear"
  sees "[a new conversation begins]"
  prompts
  keys C-d
  ends 1
  grep -q "7 + 8" "$work/home/rescued.json" || fail "it wasn't rescued"
}
test_what_can_be_kept_again_is_kept_on_leaving() {
  talk_once
  local file
  file=$(sessions)
  start --greedy --resume
  mkdir "$file.partial" # where it should be written
  enter "What is 7 + 8?"
  sees "can't keep this: "
  sees "Is a directory"
  prompts
  rmdir "$file.partial"
  keys C-d
  ends 0
  grep -q "7 + 8" "$file" || fail "it isn't kept"
}
test_a_state_that_can_not_be_kept_is_a_failure() {
  start --greedy
  enter "What is 7 + 8?"
  sees "context "
  prompts
  local file
  file=$(sessions)
  mkdir "${file%.json}.kv.partial"
  keys C-d
  sees "the computed state can't be kept: "
  ends 1
  grep -q "7 + 8" "$file" || fail "the text isn't kept"
}
test_a_pipe_that_can_not_keep_what_was_asked_for_has_status_1() {
  talk_once
  local file before
  file=$(sessions)
  before=$(<"$file")
  mkdir "$file.partial"
  printf 'What is 7 + 8?\n' | pipe --resume
  equals "$?" 1
  says out "15"
  says err "can't keep this: "
  equals "$(<"$file")" "$before"
}
# Inside a mount namespace of its own, with a home that can't be written, or that is full.
test_a_full_or_read_only_home_is_said_and_loses_nothing() {
  local maybe_user=()
  [[ $(id -u) == 0 ]] || maybe_user=(--map-root-user)
  if ! unshare --mount "${maybe_user[@]}" mount -t tmpfs -o size=300k tmpfs "$work/home" 2>/dev/null; then
    echo "skipped: no small tmpfs can be mounted here, so the full home isn't tested"
    return
  fi
  talk_once
  local file before
  file=$(sessions)
  before=$(<"$file")
  mkdir "$work/full"
  # shellcheck disable=SC2016
  printf 'What is 7 + 8?\n' | unshare --mount "${maybe_user[@]}" bash -c '
    mount -t tmpfs -o size=300k tmpfs "$1/full" && cp -r "$XDG_STATE_HOME" "$1/full/state"
    export XDG_STATE_HOME=$1/full/state
    dd if=/dev/zero of="$1/full/rest" 2>/dev/null
    "$2" chat --greedy --resume >"$1/out" 2>"$1/err"
    status=$?
    cat "$XDG_STATE_HOME"/leyden/sessions/*.json >"$1/after"
    exit $status' - "$work" "$leyden"
  equals "$?" 1
  says out "15"
  says err "No space left on device"
  equals "$(<"$work/after")" "$before"
  # shellcheck disable=SC2016
  printf 'What is 7 + 8?\n' | unshare --mount "${maybe_user[@]}" bash -c '
    mount --bind "$1/home" "$1/home" && mount -o remount,bind,ro "$1/home" || exit 99
    "$2" chat --greedy --resume >"$1/out" 2>"$1/err"' - "$work" "$leyden"
  equals "$?" 1
  says out "15"
  says err "Read-only file system"
  equals "$(<"$file")" "$before"
}
test_kept_files_are_private() {
  talk_once
  equals "$(stat -c %a "$XDG_STATE_HOME/leyden")" 700
  equals "$(stat -c %a "$(sessions)")" 600
  equals "$(stat -c %a "$XDG_STATE_HOME/leyden/history")" 600
}
test_a_pipe_gets_one_answer_a_line_and_no_escape_codes() {
  printf 'What is the capital of Norway?\r\n\n/system Be brief.\nWhat is 7 + 8?' | pipe
  equals "$?" 0
  equals "$(wc -l <"$work/out")" 2
  says out "The capital of Norway is Oslo."
  says out "15"
  [[ ! -s $work/err ]] || fail "it says '$(<"$work/err")'"
  equals "$(sessions | wc -l)" 0
}
test_a_pipe_never_gets_control_characters_or_thoughts() {
  local escape_token
  escape_token=$(printf '\033' | "$leyden" tokenize | grep -o '\[[0-9]*\]' | tr -d '[]')
  printf 'hello\n' | pipe --max-tokens 3 --logit-bias "$escape_token=1000"
  equals "$(<"$work/out")" "␛␛␛"
  printf 'What is 7 + 8?\n' | pipe --thinking on
  equals "$(wc -l <"$work/out")" 1
  [[ -s $work/err ]] || fail "no thoughts on standard error"
  grep -q $'\e' "$work/out" "$work/err" && fail "escape codes in a pipe"
}
test_a_pipes_errors_give_an_empty_line_and_status_1() {
  printf '%s\nWhat is 7 + 8?\n' "$(printf 'word %.0s' {1..100})" | pipe --context 64
  equals "$?" 1
  equals "$(wc -l <"$work/out")" 2
  equals "$(head -n 1 "$work/out")" ""
  says err "but the context holds 64"
  printf '/nonsense\n' | pipe
  equals "$?" 1
  says err "there is no command /nonsense"
}
# is_ended_by_ctrl_c ARGS...: while it answers, slowly and without an end; the status, and what had been said.
answers_at_length() { grep -q "called Mia" "$work/out"; }
is_ended_by_ctrl_c() {
  [[ -z $failed ]] || return
  : >"$work/out"
  LEYDEN_ISA=scalar env --default-signal=INT "$leyden" "$@" --greedy -t 1 --logit-bias 1=-1000 \
    <"$work/questions" >"$work/out" 2>"$work/err" & # which ignores SIGINT, as scripts do
  local pid=$! status
  if waits answers_at_length; then kill -INT "$pid"; else kill -KILL "$pid"; fi
  wait "$pid" 2>/dev/null
  status=$?
  equals "$status" 130
  equals "$(tail -c 1 "$work/out" | od -An -c | tr -d ' ')" '\n'
}
test_ctrl_c_ends_run_and_a_pipe_with_status_130() {
  local question="Tell me a story about a fox named Mia."
  printf '%s\nWhat is 7 + 8?\n' "$question" >"$work/questions"
  is_ended_by_ctrl_c run -p "$question" --json "$work/answer.json"
  grep -q '"finish":"interrupt"' "$work/answer.json" || fail "the JSON doesn't say it"
  is_ended_by_ctrl_c chat
  equals "$(grep -c "15" "$work/out")" 0
  is_ended_by_ctrl_c chat --resume "$(talk_in_a_file)"
  grep -q "called Mia" "$work/home/talk.json" || fail "what was said isn't kept"
}
test_an_answer_that_memory_ends_is_written_with_status_1() {
  [[ -z $sanitizers ]] || return 0 # they allocate on their own, and end where there is nothing left
  : >"$work/out"
  LEYDEN_ISA=scalar "$leyden" run -p "Tell me a story about a fox named Mia." --json "$work/answer.json" \
    --greedy -t 1 --logit-bias 1=-1000 >"$work/out" 2>"$work/err" &
  local pid=$! status
  waits answers_at_length || fail "there is no answer"
  prlimit --pid "$pid" --as=$((1024 * $(awk '/^VmSize/ {print $2}' "/proc/$pid/status"))):unlimited
  wait "$pid"
  status=$?
  equals "$status" 1
  says err "leyden: there is not enough memory for a conversation this long"
  says answer.json '"finish":"error"'
  says answer.json "called Mia"
}
talk_in_a_file() {
  printf 'What is 2 + 3?\n/save %s\n' "$work/home/talk.json" | pipe
  echo "$work/home/talk.json"
}
test_a_signal_that_is_to_be_ignored_is_ignored() {
  local signal command pid question="Tell me a story about a fox named Mia."
  printf '%s\n' "$question" >"$work/questions"
  for signal in INT HUP TERM; do
    for command in chat "run -f $work/questions"; do
      [[ -z $failed ]] || return
      : >"$work/out"
      # shellcheck disable=SC2086
      LEYDEN_ISA=scalar env --default-signal=INT --ignore-signal=$signal "$leyden" $command --greedy -t 1 \
        --logit-bias 1=-1000 -n 100 <"$work/questions" >"$work/out" 2>"$work/err" &
      pid=$!
      waits answers_at_length || fail "no answer"
      kill -"$signal" "$pid"
      wait "$pid" 2>/dev/null
      equals "$command, $signal: $?" "$command, $signal: 0"
    done
  done
}
test_a_full_disk_is_said() {
  printf 'What is 7 + 8?\n' | "$leyden" chat --greedy >/dev/full 2>"$work/err"
  equals "$?" 1
  says err "can't write"
}
test_wrong_usage_is_2_and_help_is_0() {
  pipe --thinking maybe </dev/null
  equals "$?" 2
  pipe --resume none </dev/null
  equals "$?" 1
  says err "there is no conversation named none"
  pipe --help </dev/null
  equals "$?" 0
  says out "--resume"
  pipe </dev/null
  equals "$?" 0
}

run_tests
