# What Paddock runs on a runner host: /bin/sh and the usual tools of Linux, nothing that has to be installed.
# In front of it stand its orders, as variables:
#   verb         run, recall, forget, remove, list or check
#   folder       where Paddock keeps everything; below the home unless it is a whole path
#   environment  whose work it is
#   since, attempt   which attempt this is: one that comes later has larger numbers
#   work         the run and its operation: equal for all attempts at the same
#   looks        1: the script only looks
#   grace        how many seconds a script has to stop
#   size         how many bytes of an archive come first; all after it only tells that somebody listens
#   token        begins the lines that are for Paddock
set -u
umask 077
case $folder in
/*) base=$folder ;;
*) base=$HOME/$folder ;;
esac
root=$base/$environment
stopping=0
# Nobody may be listening any more: what is noted counts.
trap : PIPE
trap 'stopping=1' TERM HUP INT

say() { printf '%s %s\n' "$token" "$*"; }

give_up() {
  say "$@"
  exit 0
}

# When the process $1 was started; with its number that names a process for ever. One that has ended and
# waits for its parent to notice, which not every parent does, is none.
born() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${stat##*) }
  [ "$1" != Z ] || return 1
  printf '%s' "${20}"
}

# Writes the line $2 into the file $1 of the environment, whole or not at all, and onto the disk.
note() {
  printf '%s\n' "$2" > "$root/$1.new" && { sync "$root/$1.new" 2>/dev/null || :; } && mv "$root/$1.new" "$root/$1" ||
    give_up problem "$root cannot be written to"
}

read_note() { cat "$root/$1" 2>/dev/null; }

# Whether a later attempt was here.
is_late() {
  [ -s "$root/turn" ] || return 1
  read -r their_since their_attempt < "$root/turn"
  [ "$their_since" -gt "$since" ] || { [ "$their_since" -eq "$since" ] && [ "$their_attempt" -gt "$attempt" ]; }
}

# Only one of us works for an environment. An earlier one that still does is asked to stop.
hold() {
  for tool in flock setsid base64; do
    command -v "$tool" > /dev/null || give_up problem "it has no program “$tool”"
  done
  tries=0
  while :; do
    [ "$verb" = remove ] || ! is_late || give_up late
    mkdir -p "$root" && touch "$root/lock" || give_up problem "$root cannot be written to"
    exec 9>> "$root/lock"
    if flock -n 9; then
      # Its folder may have been removed, and made anew, while we waited.
      [ "$root/lock" -ef "/proc/$$/fd/9" ] && break
    elif read -r holder start 2>/dev/null < "$root/holder" && [ "$(born "$holder")" = "$start" ]; then
      kill -s TERM "$holder"
    fi
    exec 9>&-
    [ "$stopping" = 1 ] && exit 0
    [ "$tries" -ge $((grace * 10 + 100)) ] && give_up busy
    tries=$((tries + 1))
    sleep 0.1
  done
  if [ "$verb" != remove ]; then
    ! is_late || give_up late
    note turn "$since $attempt"
  fi
  note holder "$$ $(born $$)"
  [ -s "$root/mark" ] || note mark "$environment $(date +%s)"
  # One of us may have been killed, and its script not.
  if read -r group start 2>/dev/null < "$root/running"; then
    end_group "$group" "$start"
    rm -f "$root/running"
  fi
}

# Ends the processes of a group whose first one is $1, started at $2, if they are still those.
end_group() {
  now=$(born "$1") && [ "$now" != "$2" ] && return 0
  kill -s TERM -- "-$1" 2>/dev/null || return 0
  tries=0
  while kill -s 0 -- "-$1" 2>/dev/null; do
    if [ "$tries" -ge $((grace * 10)) ]; then
      kill -s KILL -- "-$1" 2>/dev/null
      return 0
    fi
    tries=$((tries + 1))
    sleep 0.1
  done
}

# All processes that scripts of the environment started, also those that left their group: those that carry its
# id, and, where that cannot be read, those that were seen at the end of a script, with all below them.
family() {
  all=" $(carriers | tr '\n' ' ')"
  while read -r one start; do
    # One that ended while it was noted has no start.
    [ -n "$start" ] && [ "$(born "$one")" = "$start" ] && all="$all$one "
  done 2>/dev/null < "$root/left"
  [ "$all" = "  " ] && return
  grown=1
  while [ "$grown" = 1 ]; do
    grown=0
    for at in /proc/[0-9]*/stat; do
      read -r line 2>/dev/null < "$at" || continue
      one=${line%% *} above=${line##*) }
      case $above in Z*) continue ;; esac
      above=${above#* }
      case $all in *" $one "*) continue ;; *" ${above%% *} "*) all="$all$one " grown=1 ;; esac
    done
  done
  printf '%s' "${all# }"
}

carriers() {
  grep -lszx "PADDOCK_ENVIRONMENT_ID=$environment" /proc/[0-9]*/environ | cut -d / -f 3
}

# Notes which processes a script leaves behind: a later session may not be let look into them.
note_left() {
  touch "$root/left"
  for one in $(carriers); do
    printf '%s %s\n' "$one" "$(born "$one")"
  done | cat - "$root/left" | sort -u > "$root/left.new" && mv "$root/left.new" "$root/left"
}

end_family() {
  tries=0
  signal=TERM
  while all=$(family) && [ -n "$all" ]; do
    kill -s "$signal" $all 2>/dev/null
    [ "$tries" -ge $((grace * 5)) ] && signal=KILL
    [ "$tries" -ge $((grace * 5 + 50)) ] && give_up busy
    tries=$((tries + 1))
    sleep 0.2
  done
}

# Removes everything of the environment from this host, what still runs there as well.
clear_away() {
  end_family
  rm -rf "$root" || give_up problem "$root cannot be removed"
}

# Tells what a script left in the folder $1.
hand_back() {
  cd "$1" || return
  set --
  for one in storage output.json error.log error.log.code differences.txt; do
    [ -e "$one" ] && set -- "$@" "$one"
  done
  [ "$(du -sk . | cut -f 1)" -le 65536 ] || give_up large
  say back
  tar -cf - "$@" | base64
}

# Secrets do not stay longer than the script.
clean() { (cd "$1" && rm -rf files bin home tmp inputs.json action.json launch whole .out .err); }

# Runs the script in the folder $1; its exit code is in `code`.
run() {
  mkfifo "$1/.out" "$1/.err" || give_up problem "$1 cannot be written to"
  # Between script and connection: what it leaves running would keep the connection open.
  cat < "$1/.out" 3<&- 9>&- &
  out=$!
  cat < "$1/.err" >&2 3<&- 9>&- &
  err=$!
  setsid /bin/sh "$1/launch" "$1" "$root" "$base" > "$1/.out" 2> "$1/.err" < /dev/null 3<&- 9>&- &
  script=$!
  killer=
  asked=0
  while :; do
    wait "$script" 2>/dev/null
    code=$?
    { [ "$code" -gt 128 ] && kill -s 0 "$script" 2>/dev/null; } || break
    if [ "$stopping" = 1 ] && [ "$asked" = 0 ]; then
      asked=1
      kill -s TERM -- "-$script" 2>/dev/null
      (sleep "$grace" && kill -s KILL -- "-$script") < /dev/null > /dev/null 2>&1 3<&- 9>&- &
      killer=$!
    fi
  done
  [ -z "$killer" ] || kill "$killer" 2>/dev/null
  # What it did not detach ends with it.
  kill -s KILL -- "-$script" 2>/dev/null
  note_left
  (sleep 2 && kill "$out" "$err") < /dev/null > /dev/null 2>&1 3<&- 9>&- &
  killer=$!
  wait "$out" 2>/dev/null
  wait "$err" 2>/dev/null
  kill "$killer" 2>/dev/null
  rm -f "$root/running"
  clean "$1"
}

# Tells this process when nobody listens any more.
listen() {
  exec 3<&0
  (
    while read -r _ <&3; do :; done
    while kill -s TERM $$; do sleep 1; done
  ) < /dev/null > /dev/null 2>&1 &
  listener=$!
  trap 'kill "$listener" 2>/dev/null' EXIT
}

case $verb in
run)
  is_late && give_up late
  mkdir -p "$root" "$base/shared" || give_up problem "$root cannot be written to"
  fresh=$(mktemp -d "$root/in.XXXXXX") || give_up problem "$root cannot be written to"
  head -c "$size" | tar -xf - -C "$fresh" 2> "$fresh/said"
  listen
  if ! [ -e "$fresh/whole" ]; then
    why=$(tail -n 1 "$fresh/said")
    rm -rf "$fresh"
    give_up problem "what was sent could not be unpacked: ${why:-it is not whole}"
  fi
  hold
  for old in "$root"/in.*; do
    [ "$old" = "$fresh" ] || rm -rf "$old"
  done
  if [ "$looks" = 1 ]; then
    room=$root/look
  else
    room=$root/work
    note begun "$work"
    rm -f "$root/ended"
  fi
  rm -rf "$room"
  mkdir -p "$root/keep" && mv "$fresh" "$room" || give_up problem "$root cannot be written to"
  say begun
  asked=$stopping
  [ "$asked" = 1 ] || run "$room"
  # What it says of its end when it was asked to stop is not what it says when it is done.
  [ "$asked" = 0 ] || give_up stopped
  if [ "$looks" = 0 ]; then
    note ended "$code $work"
  fi
  hand_back "$room"
  say ended "$code"
  ;;
recall)
  listen
  [ -d "$root" ] || give_up ended none
  hold
  [ "$(read_note begun)" = "$work" ] || give_up ended none
  clean "$root/work"
  hand_back "$root/work"
  ended=$(read_note ended)
  [ "${ended#* }" = "$work" ] || give_up ended none
  say ended "${ended%% *}"
  ;;
forget)
  listen
  if [ -d "$root" ]; then
    hold
    clear_away
  fi
  say ended 0
  ;;
remove)
  if [ "$(read_note mark | cut -d ' ' -f 1)" = "$environment" ]; then
    hold
    clear_away
  fi
  say ended 0
  ;;
list)
  for one in "$base"/env_*; do
    read -r environment since 2>/dev/null < "$one/mark" && [ "$base/$environment" = "$one" ] &&
      say item "$environment" "$since"
  done
  say ended 0
  ;;
check)
  say user "$(id -un)"
  say system "$(uname -s)"
  for tool in base64 cat cut date df du flock grep head mkfifo mktemp mv rm setsid sleep sort tail tar touch tr; do
    command -v "$tool" > /dev/null || say missing "$tool"
  done
  if mkdir -p "$base" 2>/dev/null && [ -w "$base" ]; then
    say writable "$base"
    set -- $(df -Pk "$base" | tail -n 1)
    say room "$4"
  else
    say closed "$base"
  fi
  say ended 0
  ;;
esac
