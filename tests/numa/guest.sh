#!/bin/sh
# guest.sh HASH PROMPT CASE...: runs in a machine that `vm` has booted. HASH is of the logits every
# placement must give, /text the answer to PROMPT; the model is /m.leyden, the program /leyden.
hash=$1
prompt=$2
shift
run= # what leyden runs under
shift
export LEYDEN_ISA=avx2
failed=0

# check NAME COMMAND...: one line, and what the command said if it fails.
check() {
  name=$1
  shift
  if "$@" >/tmp/said 2>&1; then
    echo "ok    $name"
  else
    echo "FAIL  $name"
    sed 's/^/      /' /tmp/said
    failed=1
  fi
}

# Past the 64 tokens the demo model's indexer may choose, so that it chooses.
{
  printf '{"tokens":[0'
  i=1
  while [ $i -lt 72 ]; do
    printf ',%d' $((i * 37 % 2000))
    i=$((i + 1))
  done
  printf ']}'
} >/tmp/tokens.json

# without CALL COMMAND...: with leyden refused a system call.
without() {
  run="/refusing $1"
  shift
  "$@"
  set -- $?
  run=
  return "$1"
}

same_bits() {
  $run /leyden logits -m /m.leyden --tokens-file /tmp/tokens.json --decode 4 --json /tmp/logits.json "$@" &&
    set -- "$(md5sum </tmp/logits.json | cut -d' ' -f1)" &&
    { [ "$1" = "$hash" ] || { echo "hash is $1, expected $hash"; false; }; }
}
same_text() {
  /leyden run -m /m.leyden --greedy -n 24 -p "$prompt" "$@" >/tmp/text 2>/tmp/complaints &&
    cmp /tmp/text /text || { cat /tmp/complaints /tmp/text; false; }
}
as_planned() { $run /leyden inspect /m.leyden "$@"; }
says() { # says PATTERN COMMAND...
  pattern=$1
  shift
  "$@" 2>&1 | tee /tmp/text | grep -q -- "$pattern" || { cat /tmp/text; false; }
}

# refused PATTERN COMMAND...: it must say so and end by itself, with status 1.
refused() {
  pattern=$1
  shift
  "$@" >/tmp/text 2>&1
  status=$?
  cat /tmp/text
  [ $status = 1 ] && grep -q -- "$pattern" /tmp/text || { echo "status $status"; false; }
}
case_policies() {
  for policy in split whole interleave; do
    check "$policy: the same bits" same_bits --numa $policy
    check "$policy: the same text" same_text --numa $policy
    check "$policy: pages and threads as planned" as_planned --numa=$policy --json /tmp/$policy.json
    check "$policy: the cache's pages too" grep -q '"cache":\[{"bytes":[1-9]' /tmp/$policy.json
  done
  check "whole: experts by their use" grep -q '"experts_by_use":true' /tmp/whole.json
}

case_forms() {
  check "auto: the same bits" same_bits
  check "auto: splits" says "--numa split" as_planned --numa
  check "mapped: the same bits" same_bits --mmap
  check "small pages: the same bits" same_bits --huge-pages off --mlock
}

case_threads() {
  check "one thread: the same bits" same_bits -t 1
  check "more threads than CPUs: the same bits" same_bits -t 7
  check "another node: threads and pages" as_planned --numa --nodes 1
  check "another node: the same bits" same_bits --nodes 1
  check "chosen CPUs: threads and pages" as_planned --numa --cpus 1,3
  check "a node that isn't there is refused" says "can't be used" as_planned --numa --nodes 9
  check "runtime tests" /runtime_tests --gtest_brief=1 \
    --gtest_filter='Memory*:PagePositions*:Topology*:Sightings*:ThreadTeam.*'
}

case_machine() {
  check "machine" /leyden machine --plan /m.leyden --json /tmp/machine.json
  check "plan: experts by their use" says '"experts_by_use":true' cat /tmp/machine.json
  check "machine: every pair of nodes" says '"node_reading"' cat /tmp/machine.json
  check "machine: divided as planned" says '; split$' /leyden machine --plan /m.leyden
  check "machine: divided as asked" says '; whole$' /leyden machine --numa whole
}

# free_mb NODE|all: what is left.
free_mb() {
  if [ "$1" = all ]; then
    awk '/MemAvailable/ {print int($2 / 1024)}' /proc/meminfo
  else
    awk '/MemFree/ {print int($4 / 1024)}' "/sys/devices/system/node/node$1/meminfo"
  fi
}
# fill NODE|all MB: with files, until so little is left or the kernel kills who asks for more. Several times,
# because what was freed before lies in lists of the CPUs, isn't counted as free there and comes back late.
fill() {
  echo 1000000 >/proc/sys/vm/percpu_pagelist_high_fraction # those lists as short as the kernel allows
  mkdir -p /full
  options=size=100%
  [ "$1" = all ] || options=$options,mpol=bind:$1
  mount -t tmpfs -o "$options" tmpfs /full
  for i in 1 2 3 4; do
    more=$(($(free_mb "$1") - $2))
    [ "$more" -le 1 ] || dd if=/dev/zero of=/full/$i bs=1M count=$more 2>/dev/null || true
    sleep 0.2
  done
}
unfill() { umount /full; }

# Node 1 is filled until it can't take its share.
case_full() {
  fill 1 16
  check "full node: split is refused with a table" refused "too little" same_bits --numa split
  check "full node: auto interleaves" says "interleave" as_planned --numa
  check "full node: the same bits" same_bits
  check "full node: the other one alone" as_planned --numa --nodes 0
  check "full node: a warning with the reason" says "warning: .* don't lie there: node 1 is full" \
    /leyden logits -m /checkpoint --weights f32 --tokens 1,2 --numa interleave
  unfill
  fill 1 0
  check "full node: a warning for the cache, too" \
    says "warning: .* of the cache's pages for node 1 don't lie there: node 1 is full" \
    as_planned --numa=interleave
  unfill
  # Free, but the kernel gives it to nobody.
  kept=$(cat /proc/sys/vm/min_free_kbytes)
  fill 1 80
  echo $((160 * 1024)) >/proc/sys/vm/min_free_kbytes
  check "kept from programs: auto interleaves" says "interleave" as_planned --numa
  check "kept from programs: the same bits" same_bits
  echo "$kept" >/proc/sys/vm/min_free_kbytes
  unfill
}

# A machine that is too small: a table, not a kill.
case_small() {
  fill all 24
  for policy in split auto; do
    check "too small, $policy: refused with a table" refused "doesn't fit into" \
      /leyden logits -m /checkpoint --weights f32 --tokens 1,2 --numa $policy
  done
  unfill
}

# What a container's rules forbid. One thread touches all pages, so that they can't lie in turn.
case_refusing() {
  check "mbind refused: a warning with the reason" says "warning: .*: binding memory isn't permitted" \
    without mbind same_bits --numa interleave -t 1
  check "mbind refused: inspect says so" refused "don't lie as planned: binding memory isn't permitted" \
    without mbind as_planned --numa=interleave -t 1
  check "mbind refused: the same bits" without mbind same_bits
  check "move_pages refused: a warning with the reason" says "warning: .*the kernel doesn't say" \
    without move_pages same_bits
}

case_restricted() {
  check "affinity: threads and pages" taskset 5 /leyden inspect /m.leyden --numa
  check "affinity: CPUs outside are refused" \
    says "can't be used" taskset 5 /leyden inspect /m.leyden --numa --cpus 1
  mkdir -p /cgroup
  mount -t cgroup2 none /cgroup
  echo +cpuset >/cgroup/cgroup.subtree_control
  mkdir -p /cgroup/cage
  echo 0-1 >/cgroup/cage/cpuset.cpus
  echo 0 >/cgroup/cage/cpuset.mems
  echo $$ >/cgroup/cage/cgroup.procs
  check "cpuset: threads and pages" as_planned --numa
  check "cpuset: the same bits" same_bits
  check "cpuset: its nodes alone" says '"crew_nodes":\[0\]' \
    /leyden inspect /m.leyden --numa --json -
  echo $$ >/cgroup/cgroup.procs
  mkdir -p /cgroup/afar
  echo 0-3 >/cgroup/afar/cpuset.cpus
  echo 1 >/cgroup/afar/cpuset.mems
  echo $$ >/cgroup/afar/cgroup.procs
  check "memory of one node: all on that, threads on both" \
    says '"sampled_pages":{"1":[0-9]*}' /leyden inspect /m.leyden --numa --json -
  check "memory of one node: the same bits" same_bits
  echo $$ >/cgroup/cgroup.procs
}

# Cores whose node has no memory compute on the nearest that has.
case_bare() {
  check "no memory: threads and pages as planned" as_planned --numa=split
  check "no memory: the same bits" same_bits --numa whole
}

case_reserved() {
  check "reserved huge pages: pages as planned" as_planned --numa=split
  check "reserved huge pages: bound, whoever touches them" as_planned --numa=interleave -t 1
  check "reserved huge pages: the same bits" same_bits --huge-pages hugetlb
  # The kernel would end who touches more than its cgroup may have, although the pages are there.
  mount -t cgroup2 none /sys/fs/cgroup
  echo +hugetlb >/sys/fs/cgroup/cgroup.subtree_control
  mkdir -p /sys/fs/cgroup/few
  echo 4M >/sys/fs/cgroup/few/hugetlb.2MB.max
  echo $$ >/sys/fs/cgroup/few/cgroup.procs
  check "few for this cgroup: the same bits" same_bits
  check "few for this cgroup: hugetlb is refused" \
    refused "the cgroup's limit" same_bits --huge-pages hugetlb
  echo $$ >/sys/fs/cgroup/cgroup.procs
}

for case in "$@"; do case_$case; done
exit $failed
