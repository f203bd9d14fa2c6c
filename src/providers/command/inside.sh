# In the container: the variables, the helper, the script. As the container's first process it must pass
# the order to stop on, and when it ends, everything in the container does.
script=$1 operation=$2 lookup=$3
. /ade/temp/variables.sh
PATH=/ade/bin:$PATH
export PATH
if [ "$lookup" = yes ] && [ "${ADE_ENABLE_CUSTOM_DEPLOY:-}" != true ] && [ -e "/scripts/$operation.sh" ]; then
    script=/scripts/$operation.sh
fi
if [ ! -x "$script" ]; then
    echo "the image has no program $script" >&2
    exit 127
fi
"$script" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM INT
while :; do
    wait "$child"
    code=$?
    kill -0 "$child" 2>/dev/null || exit "$code"
done
