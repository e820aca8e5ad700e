#!/usr/bin/env bash
# Tests `leyden chat` at a terminal: chat_terminal_test.sh LEYDEN [SANITIZERS]
# shellcheck disable=SC2317  # tests are called by name
leyden=$1
sanitizers=${2-}
source "$(dirname "$0")/terminal_lib.sh"

# The demo model ends an answer with token 1; without it, and slowly, it talks until it is stopped.
endless() { with=LEYDEN_ISA=scalar start --greedy -t 1 --logit-bias 1=-1000 "$@"; }

# The process id of the program in the terminal.
program() {
  local shell children
  shell=$(tmux_ display -p -t leyden '#{pane_pid}')
  read -r children <"/proc/$shell/task/$shell/children"
  echo "$children"
}
gone() { [[ ! -e /proc/$1 ]]; }

test_it_answers_and_says_how_fast() {
  start --greedy
  enter "What is the capital of Norway?"
  sees "The capital of Norway is Oslo."
  sees "tokens, " && sees "/s · context "
  prompts
  keys C-d
  ends 0
}
test_help_lists_every_command() {
  start
  enter "/help"
  for word in /help /clear /system /set /show /undo /regen /save /load /sessions /stats /file \
    /quit /think; do
    sees "  $word "
  done
  enter "/quit"
  ends 0
}
test_an_unknown_command_is_not_sent_to_the_model() {
  start --greedy
  enter "/helpme"
  sees "there is no command /helpme"
  enter "/undo 3"
  sees "/undo takes nothing behind it"
  enter "/stats"
  sees "answers   0"
}
test_ctrl_c_stops_an_answer_and_keeps_the_conversation() {
  endless
  enter "Tell me a story about a fox named Mia."
  sees "called Mia"
  keys C-c
  sees "[stopped; what was said is kept"
  prompts
  enter "/show"
  sees "assistant: "
  prompts
  keys C-d
  ends 0
}
test_ctrl_c_at_the_prompt_drops_the_text_and_the_second_leaves() {
  start
  prompts
  types "half a thought"
  sees "half a thought"
  keys C-c
  sees "(Ctrl-C again or Ctrl-D leaves)"
  prompts
  types "another"
  sees "> another"
  keys C-c
  prompts
  lacks "[exit"
  keys C-c
  ends 0
}
test_a_long_prompt_shows_how_far_it_is() {
  with=LEYDEN_ISA=scalar start --greedy -t 1 --prefill-chunk 16 --max-tokens 4
  prompts
  pastes "$(yes 'the fox went home and slept' | head -n 150)"
  sees "[pasted 150 lines #1"
  keys Enter
  sees "tokens/s), "
  sees " left"
  sees "cut off after 4 tokens"
  lacks " left" # the line has gone
}
test_ctrl_c_while_reading_takes_the_message_back() {
  with=LEYDEN_ISA=scalar start --greedy -t 1 --prefill-chunk 16
  prompts
  pastes "$(yes 'the fox went home and slept' | head -n 300)"
  sees "[pasted"
  keys Enter
  sees "tokens/s), "
  keys C-c
  sees "the message was taken back"
  enter "/show"
  sees "nothing has been said"
}
test_ctrl_c_before_an_answer_is_made_anew_leaves_the_earlier_one() {
  with=LEYDEN_ISA=scalar start --greedy -t 1 --prefill-chunk 16 --max-tokens 4
  pastes "$(yes 'the fox went home and slept' | head -n 150)"
  sees "[pasted"
  keys Enter
  sees "cut off after 4 tokens"
  enter "/system Be brief." # so that all is read again
  sees "the system prompt is set"
  prompts
  enter "/regen"
  sees "tokens/s), "
  keys C-c
  sees "[stopped before the answer began]"
  sees "[the earlier answer stays]"
  lacks "taken back"
}
test_lines_continue_after_a_backslash_and_in_quotes() {
  start --greedy
  prompts
  enter 'first line \'
  enter "second line"
  prompts
  enter '"""'
  enter "third line"
  enter 'fourth line"""'
  prompts
  enter "/show"
  sees $'user: first line'
  equals "$(screen | grep -A1 '^user: first line' | tail -n 1)" "second line"
  equals "$(screen | grep -A1 '^user: third line' | tail -n 1)" "fourth line"
}
test_a_backslash_in_quotes_is_part_of_the_text() {
  local kind
  for kind in tmux-256color dumb; do
    with="TERM=$kind" start --greedy
    enter '"""'
    enter 'make \'
    enter '  all"""'
    sees "context "
    prompts
    enter "/show"
    sees 'user: make \'
    equals "$(screen | grep -A1 -F 'user: make \' | tail -n 1)" "  all"
  done
}
test_a_pasted_block_is_one_message() {
  start --greedy
  prompts
  pastes $'What is\nthe capital\nof Norway?'
  sees "of Norway?"
  lacks "tokens, "
  types "!"
  keys Enter
  prompts
  enter "/stats"
  sees "answers   1"
  enter "/show"
  sees "of Norway?!"
}
test_a_pasted_line_break_of_two_characters_is_one() {
  start --greedy
  printf 'What is\r\n7 + 8?' | tmux_ load-buffer -
  tmux_ paste-buffer -p -r -t leyden
  waits shows_typed "7 + 8?" || fail "nothing is pasted"
  keys Enter
  prompts
  enter "/show"
  sees "user: What is"
  equals "$(screen | grep -A1 '^user: What is' | tail -n 1)" "7 + 8?"
}
test_a_pasted_text_is_never_sent_in_part() {
  start --greedy --max-tokens 4
  pastes "$(printf 'row %d\n' {1..50})"
  waits shows_typed "> [pasted 50 lines #1: row 1…]" || fail "the text isn't folded"
  keys BSpace Enter
  sees "isn't whole any more"
  waits shows_typed "> [pasted 50 lines #1: row 1…" || fail "the line isn't back"
  types "]!"
  keys Enter
  sees "context "
  enter "/show"
  sees "row 50!"
  lacks "user: [pasted"
}
test_lines_of_answers_are_broken_between_words() {
  columns=30 start --greedy
  enter "Who are you?"
  sees "very small language model." # the terminal alone would break it as "a ve", "ry small"
  prompts
  equals "$(screen | grep -xcF "I am Leyden's demo model, a")" 1
  keys C-l
  enter "/show"
  sees "assistant: I am Leyden's demo"
  prompts
  equals "$(screen | grep -xcF "assistant: I am Leyden's demo")" 1
  enter "/save talk"
  sees "[kept as talk;"
  prompts
  keys C-d
  ends 0
  columns=30 start --resume talk
  sees "very small language model."
  equals "$(screen | grep -xcF "I am Leyden's demo model, a")" 1
  keys C-l
  enter "/load talk"
  sees "very small language model." 2
  equals "$(screen | grep -xcF "I am Leyden's demo model, a")" 2
}
test_wide_characters_can_be_edited() {
  start --greedy
  prompts
  types "漢字かな wörld 🦊"
  keys Left Left BSpace
  types "t"
  keys C-a
  types "你好"
  sees "> 你好漢字かな wörlt 🦊"
  keys BSpace BSpace C-k
  prompts
  types "/system 漢字 ok"
  keys Enter
  enter "/show system"
  sees "漢字 ok"
}
# The last rows of the screen, as the terminal has them.
ends_with_rows() {
  local count
  count=$(wc -l <<<"$1")
  [[ $(tmux_ capture-pane -p -t leyden | sed 's/ *$//; /^$/d' | tail -n "$count") == "$1" ]]
}
test_rows_of_wide_characters_can_be_edited() {
  columns=80 start --greedy
  types "X$(printf '漢字%.0s' {1..25})Y"
  sees 字Y
  keys C-a DC
  waits ends_with_rows "> $(printf '漢字%.0s' {1..19})漢"$'\n'"字$(printf '漢字%.0s' {1..5})Y" ||
    fail "a character before two rows can't be deleted"
  keys C-c
  sees "(Ctrl-C again"
  prompts
  types "$(printf '漢字%.0s' {1..50})"
  keys C-a
  types X
  keys C-e
  types Y
  waits ends_with_rows "> X$(printf '漢字%.0s' {1..19})"$'\n'"$(printf '漢字%.0s' {1..20})"$'\n'"$(
    printf '漢字%.0s' {1..11}
  )Y" || fail "a character before three rows can't be inserted"
}
test_history_survives_a_restart() {
  start --greedy
  enter "What is 7 + 8?"
  sees "context "
  enter '/system two \'
  enter "lines"
  sees "system prompt is set"
  prompts
  keys C-d
  ends 0
  start --greedy
  prompts
  keys Up
  sees $'lines'
  keys Up
  sees "> What is 7 + 8?"
  keys Enter
  sees "context "
}
test_tab_completes_commands_settings_and_paths() {
  start
  prompts
  types "/sy"
  keys Tab
  types "Be kind."
  sees "> /system Be kind."
  keys C-c
  prompts
  types "/se"
  keys Tab Tab
  sees "/sessions  /set"
  keys C-c
  prompts
  types "/set max"
  keys Tab
  types "7"
  sees "/set max-tokens 7"
  keys C-c
  prompts
  mkdir -p "$work/home/papers"
  touch "$work/home/papers/novel.txt"
  types "/file $work/home/pap"
  keys Tab
  types "nov"
  keys Tab
  sees "/papers/novel.txt"
}
test_tab_lists_below_a_text_of_several_rows() {
  start
  types "$(printf 'word%.0s ' {1..40})$work/home/"
  mkdir "$work/home/one" "$work/home/two"
  keys Tab
  sees "$work/home/one/"
  sees "word word" 2
}
test_system_set_undo_regen_and_clear() {
  start --greedy
  enter "/system You are a pirate."
  enter "/set temp 0.25"
  sees "[temp is 0.25]"
  enter "/set temp"
  sees "temp is 0.25" 2
  enter "/set temp hot"
  sees "'hot' is not a number"
  enter "/set top-p 7"
  sees "top-p is 7, expected more than 0 and at most 1"
  enter "/set"
  sees "temp               0.25"
  enter "/set temp 0"
  enter "What is 7 + 8?"
  sees "context "
  enter "/regen"
  enter "/stats"
  sees "answers   2"
  enter "/undo"
  sees "[taken back: What is 7 + 8?]"
  enter "/undo"
  sees "there is no message to take back"
  enter "What is 2 + 3?"
  prompts
  enter "/clear"
  sees "[a new conversation begins"
  enter "/show"
  sees "system: You are a pirate."
  keys C-l
  enter "/show"
  lacks "user: What is 2 + 3?"
}
test_thoughts_are_shown_or_folded() {
  start --greedy
  prompts
  enter "/think on"
  sees "thoughts are shown"
  enter "What is 7 + 8?"
  sees "context "
  enter "/show thinking"
  prompts
  lacks "came without thinking"
  enter "/think hide"
  enter "What is 2 + 3?"
  sees "[thought for "
  enter "/think"
  sees "thinking is on, and hidden"
  enter "/think off"
  enter "What is 4 + 4?"
  prompts
  enter "/show thinking"
  sees "came without thinking"
}
test_a_file_goes_before_the_next_message() {
  printf 'The key is 漢字.\n' >"$work/home/notes.txt"
  printf 'a\0b' >"$work/home/binary"
  start --greedy
  enter "/file $work/home/none.txt"
  sees "none.txt: "
  enter "/file $work/home/binary"
  sees "is no text"
  enter "/file ~/notes.txt"
  sees "they go before your next message"
  enter "/undo"
  sees "[taken back: the file"
  enter "/file ~/notes.txt"
  sees "they go before your next message" 2
  enter "/file ~/notes.txt"
  sees "they go before your next message" 3
  enter "/show"
  sees "[2 files wait for your next message]"
  enter "/undo"
  sees "[taken back: the 2 files that waited for your next message]"
  enter "/undo"
  sees "there is no message to take back"
  enter "/file ~/notes.txt"
  sees "they go before your next message" 4
  enter "What is the key?"
  sees "context "
  enter "/show"
  sees "[file name]: notes.txt"
  sees "The key is 漢字."
}
test_an_answer_that_memory_ends_is_kept_with_a_sentence() {
  [[ -z $sanitizers ]] || return 0 # they allocate on their own, and end where there is nothing left
  local pid
  endless
  enter "Tell me a story about a fox named Mia."
  sees "called Mia"
  pid=$(program)
  prlimit --pid "$pid" --as=$((1024 * $(awk '/^VmSize/ {print $2}' "/proc/$pid/status"))):unlimited
  sees "not enough memory for a conversation this long"
  screen | grep -qx "there is not enough memory .*" || fail "it isn't a line of its own"
  sees "[the answer ends here; what was said is kept. /undo takes it back]"
  prlimit --pid "$pid" --as=unlimited
  prompts
  grep -q "called Mia" "$HOME"/state/leyden/sessions/*.json || fail "it isn't kept"
  enter "/undo"
  sees "[taken back: Tell me a story"
}
test_a_full_context_is_said_with_what_to_do() {
  start --greedy --context 64
  enter "What is the capital of Norway?"
  sees "Oslo"
  prompts
  enter "$(printf 'word %.0s' {1..100})"
  sees "but the context holds 64"
  sees "/undo takes back the last exchange"
  enter "/show"
  prompts
  lacks "user: word word"
  enter "/undo"
  enter "What is 7 + 8?"
  sees "15"
}
test_a_file_that_does_not_fit_is_said_with_what_to_do() {
  printf 'word %.0s' {1..100} >"$work/home/long.txt"
  start --greedy --context 64
  enter "/file ~/long.txt"
  sees "[that doesn't fit: with it the conversation has "
  enter "What is in it?"
  sees "/undo takes back the file that waits for it"
  lacks "the last exchange"
  enter "/undo"
  sees "[taken back: the file that waited for your next message]"
  enter "What is 7 + 8?"
  sees "15"
}
test_what_was_taken_back_is_in_no_statistics_of_the_context() {
  start --greedy --context 256
  enter "What is the capital of Norway?"
  sees "of 256]"
  enter "/undo"
  enter "/stats"
  sees "context   0 of 256 tokens"
  enter "What is 7 + 8?"
  sees "of 256]" 2
  prompts
  enter "/stats"
  local used
  used=$(screen | grep -o "context [0-9]* of 256]" | tail -n 1 | cut -d ' ' -f 2)
  sees "context   $used of 256 tokens"
}
test_a_slash_alone_is_a_message() {
  start --greedy --max-tokens 3
  enter "/"
  sees "cut off after 3 tokens"
}
test_control_characters_of_the_model_are_pictures() {
  start --greedy --max-tokens 3 --logit-bias "$escape_token=1000"
  enter "hello"
  sees "␛␛␛"
}
test_control_characters_are_pictures_for_run_too_but_only_at_a_terminal() {
  tmux_ kill-session -t =leyden 2>/dev/null
  tmux_ new-session -d -s leyden -x 100 -y 30 \
    "'$leyden' run -p hello -n 3 --greedy --logit-bias $escape_token=1000; echo \"[exit \$?]\"; cat"
  ends 0
  sees "␛␛␛"
  equals "$("$leyden" run -p hello -n 3 --greedy --logit-bias "$escape_token=1000")" $'\e\e\e'
}
test_no_color_and_dumb_terminals_get_plain_text() {
  local escape=$'\e'
  with="NO_COLOR=1" start --greedy
  enter "What is 7 + 8?"
  sees "context "
  tmux_ capture-pane -p -e -t leyden | grep -qF "${escape}[2m" && fail "dim with NO_COLOR"
  with="TERM=dumb" start --greedy
  sees ">"
  tmux_ pipe-pane -t leyden "cat >'$work/raw'"
  enter "What is 7 + 8?"
  sees "context "
  keys C-c
  sees "Ctrl-C again"
  prompts
  keys C-d
  ends 0
  grep -qF "$escape" "$work/raw" && fail "escape codes on a dumb terminal"
  grep -qF "15" "$work/raw" || fail "no answer on a dumb terminal"
}
test_keys_pressed_during_an_answer_wait_for_the_prompt() {
  endless --max-tokens 150
  enter "Tell me a story about a fox named Mia."
  sees "called Mia"
  types "/stats"
  sees "[cut off after 150 tokens"
  sees "> /stats"
  keys Enter
  sees "answers   1"
}
test_sigterm_leaves_the_conversation_and_the_terminal_in_order() {
  endless
  enter "Tell me a story about a fox named Mia."
  sees "called Mia"
  kill -TERM "$(program)"
  ends 143
  start --resume
  sees "Mia"
}
test_closing_the_terminal_keeps_the_conversation() {
  endless
  enter "Tell me a story about a fox named Mia."
  sees "called Mia"
  local pid
  pid=$(program)
  tmux_ kill-session -t =leyden
  waits gone "$pid" || fail "it goes on without a terminal"
  start --resume
  enter "/show"
  sees "assistant: "
  sees "Mia"
}
# resizes COLUMNS ROWS: and waits until the program's terminal has them, since tmux takes its time.
has_size() { [[ $(stty size <"$(tmux_ display -p -t leyden '#{pane_tty}')") == "$2 $1" ]]; }
resizes() {
  tmux_ resize-window -t leyden -x "$1" -y "$2"
  waits has_size "$@" || fail "the window doesn't get $1 columns and $2 rows"
}
test_a_window_may_change_its_size() {
  start --greedy
  types "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
  sees "fifteen"
  resizes 40 20
  types " sixteen"
  sees "sixteen"
  resizes 120 40
  keys C-a
  types "zero "
  keys C-e
  types " 漢字"
  keys Enter
  sees "context "
  enter "/show"
  sees "user: zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen 漢字"
}
test_a_long_line_can_be_typed_and_edited() {
  start --greedy
  types "/system $(printf 'word%d ' {1..150})"
  types "end"
  sees "word150 end"
  keys C-a C-e BSpace BSpace BSpace
  types "tail"
  keys Enter
  sees "the system prompt is set"
  enter "/show system"
  sees "word149 word150 tail"
}
test_stop_and_continue_brings_the_line_back() {
  start --greedy
  types "What is 7 + 8?"
  sees "What is 7 + 8?"
  local pid
  pid=$(program)
  kill -STOP "$pid"
  kill -CONT "$pid"
  types "?"
  sees "> What is 7 + 8??"
  keys BSpace Enter
  sees "7 + 8 = 15."
}
# A shell with job control, which gives the terminal back as it likes it.
in_a_shell() {
  tmux_ kill-session -t =leyden 2>/dev/null
  tmux_ new-session -d -s leyden -x 100 -y 30 "env HOME='$HOME' XDG_STATE_HOME='$XDG_STATE_HOME' PS1='shell$ ' bash --norc -i"
  enter "$1"
  prompts
}
test_after_ctrl_z_and_fg_keys_have_their_meaning() {
  in_a_shell "'$leyden' chat --greedy"
  types "half"
  sees "> half"
  keys C-z
  sees "Stopped"
  enter "fg"
  waits shows_typed "> half" || fail "the line isn't back"
  types "t"
  keys C-a
  types "one "
  keys C-e BSpace
  types "!"
  waits shows_typed "> one half!" || fail "keys mean something else"
  keys C-u
  types "What is 7 + 8?"
  keys Enter
  sees "7 + 8 = 15."
}
test_after_ctrl_z_and_fg_a_plain_terminal_goes_on() {
  in_a_shell "TERM=dumb '$leyden' chat --greedy"
  keys C-z
  sees "Stopped"
  enter "fg"
  sees "'$leyden' chat --greedy" 3
  keys C-c
  sees "(Ctrl-C again or Ctrl-D leaves)"
  enter "What is 7 + 8?"
  sees "7 + 8 = 15."
}

escape_token=$(printf '\033' | "$leyden" tokenize | grep -o '\[[0-9]*\]' | tr -d '[]')
run_tests
