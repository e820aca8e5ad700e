#!/usr/bin/env bash
# Usage: chat_pipe_test.sh PROGRAM. In a pipe, chat answers line by line, without escape codes.
set -euo pipefail
program=$1
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

answers=$(printf 'What is the capital of Norway?\nWhat is 7 + 8?\n' |
  HOME=$home XDG_STATE_HOME=$home/state "$program" chat --greedy)
expected=$'The capital of Norway is Oslo.\n7 + 8 = 15.'
if [[ $answers != "$expected" ]]; then
  printf 'found:\n%s\nexpected:\n%s\n' "$answers" "$expected"
  exit 1
fi
if [[ $answers == *$'\e'* ]]; then
  echo 'there are escape codes in the pipe'
  exit 1
fi
