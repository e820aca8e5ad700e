#!/usr/bin/env bash
# make_man_pages.sh PROGRAM DIR: writes DIR/leyden.1 and DIR/leyden-COMMAND.1 from what --help says.
set -euo pipefail
program=$1
dir=$2
mkdir -p "$dir"
version=$("$program" --version)

# page NAME: help text on standard input, roff on standard output. In a help text, the first line says what
# it is, "Usage: ..." how it is called; a title ends with a colon, an item is indented by two blanks,
# its description follows behind two blanks or on the next line, indented further.
page() {
  awk -v name="$1" -v version="$version" '
    function roff(text) {
      gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text)
      sub(/^[.\047]/, "\\\\\\&&", text)
      return text
    }
    NR == 1 {
      printf ".TH %s 1 \"\" \"%s\" \"User Commands\"\n", toupper(name), version
      first = $0; sub(/\.$/, "", first)
      printf ".SH NAME\n%s \\- %s\n", roff(name), roff(tolower(substr(first, 1, 1)) substr(first, 2))
      next
    }
    /^Usage: / { printf ".SH SYNOPSIS\n%s\n", roff(substr($0, 8)); next }
    /^[A-Z][^ ]*( [^ ]+)*:$/ {
      title = $0; sub(/:$/, "", title)
      printf ".SH %s\n", roff(toupper(title)); next
    }
    /^  [^ ]/ {
      item = substr($0, 3); description = ""
      if (match(item, /   *[^ ]/)) {
        description = substr(item, RSTART + RLENGTH - 1); item = substr(item, 1, RSTART - 1)
      }
      printf ".TP\n.B %s\n", roff(item)
      if (description != "") print roff(description)
      next
    }
    /^    / { sub(/^ +/, ""); print roff($0); next }
    /^$/ { blank = 1; next }
    { if (!notes++) print ".SH NOTES"; else if (blank) print ".PP"; else print ".br"
      blank = 0; print roff($0) }
  '
}

# The program's own page names the commands; each of them has a page.
"$program" --help | page leyden >"$dir/leyden.1"
mapfile -t commands < <("$program" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p')
((${#commands[@]})) || { echo "make_man_pages.sh: --help names no commands" >&2; exit 1; }
{
  echo ".SH SEE ALSO"
  printf '.BR leyden\\-%s (1)\n' "${commands[@]}"
} >>"$dir/leyden.1"
for command in "${commands[@]}"; do
  {
    "$program" "$command" --help | page "leyden-$command"
    printf '.SH SEE ALSO\n.BR leyden (1)\n'
  } >"$dir/leyden-$command.1"
done
