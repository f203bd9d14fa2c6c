# On the worker, under the guard: runs a container and sees to its end. The engine's client alone is not
# enough: the container is not its child, and goes on without it.
engine=$1 name=$2 patience=$3
shift 3
stop() { "$engine" stop -t "$patience" "$name" >/dev/null 2>&1; }
trap stop TERM
"$engine" run --name "$name" "$@" &
client=$!
while :; do
    wait "$client"
    code=$?
    kill -0 "$client" 2>/dev/null || break
done
"$engine" rm --force "$name" >/dev/null 2>&1
exit "$code"
