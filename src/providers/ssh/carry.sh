# Runs a program whose input is the file $2, and after it nothing more until the program ends: what runs at its
# other end takes the end of the input for the end of the connection. $1 is where the pipe for it is made.
pipe=$1
first=$2
shift 2
rm -f -- "$pipe"
mkfifo -m 600 -- "$pipe" || exit 1
"$@" < "$pipe" &
program=$!
exec 3> "$pipe"
cat -- "$first" >&3 &
feeder=$!
# The order to stop: the other end hears of it, and ends what it runs.
trap 'kill "$feeder" 2>/dev/null; exec 3>&-' INT TERM HUP
while :; do
  wait "$program"
  code=$?
  { [ "$code" -gt 128 ] && kill -s 0 "$program" 2>/dev/null; } || break
done
kill "$feeder" 2>/dev/null
exit "$code"
