#!/bin/sh
# The helper that runner scripts of Azure Deployment Environments call, for definitions whose scripts a
# worker of Paddock runs. What it would fetch is here already; what it would upload is kept with the
# storage of the environment. Verbs, options and codes as in the "Azure Deployment Environment CLI
# reference" of Microsoft Learn.
set -eu

here=$(dirname "$0")
kept=$ADE_STORAGE/.ade-files

wrong() { # InvalidCliInput
    echo "ade: $1" >&2
    exit 12
}
lost() { # FileOperationError
    echo "ade: $1" >&2
    exit 13
}
need() { if [ -z "$2" ]; then wrong "$1 is missing"; fi; }

verb=${1:-}
if [ $# -gt 0 ]; then shift; fi
part=
case "$verb" in
definitions | files | outputs)
    part=${1:-}
    if [ $# -gt 0 ]; then shift; fi
    ;;
esac

code='' command='' content='' file='' file_name='' file_path='' folder_path='' message='' type=log unzip=false
while [ $# -gt 0 ]; do
    option=$1
    shift
    if [ "$option" = --unzip ]; then
        unzip=true
        case "${1:-}" in true | false)
            unzip=$1
            shift
            ;;
        esac
        continue
    fi
    if [ $# -eq 0 ]; then wrong "$option needs a value"; fi
    case "$option" in
    --code) code=$1 ;;
    --command) command=$1 ;;
    --content) content=$1 ;;
    --file) file=$1 ;;
    --file-name) file_name=$1 ;;
    --file-path) file_path=$1 ;;
    --folder-path) folder_path=$1 ;;
    --message) message=$1 ;;
    --operation) ;;
    --type) type=$1 ;;
    *) wrong "there is no option $option" ;;
    esac
    shift
done

case "$verb $part" in
"init " | "upgrade ") ;; # The variables are set, the definition is here, and there is nothing to upgrade.
"environment ") cat "$here/environment.json" ;;
"definitions list") cat "$here/definition.json" ;;
"definitions download")
    # By way of another folder: the definition's own may be the one to put it into.
    copy=$(mktemp -d)
    cp -R "$ADE_MANIFEST_FOLDER/." "$copy"
    mkdir -p "${folder_path:-EnvironmentDefinition}"
    cp -R "$copy/." "${folder_path:-EnvironmentDefinition}"
    rm -rf "$copy"
    ;;
"execute ")
    need --command "$command"
    exec sh -c "$command"
    ;;
"log ")
    need --content "$content"
    case "$type" in
    error) printf '%s\n' "${file:+[$file] }$content" >&2 ;;
    log | verbose) printf '%s\n' "${file:+[$file] }$content" ;;
    *) wrong "--type is verbose, log or error" ;;
    esac
    ;;
"operation-result ")
    need --code "$code"
    printf '%s\n' "$message" >"$ADE_ERROR_LOG"
    printf '%s\n' "$code" >"$ADE_ERROR_LOG.code"
    ;;
"outputs upload")
    need --file "$file"
    if [ ! -f "$file" ]; then lost "there is no file $file"; fi
    if [ ! "$file" -ef "$ADE_OUTPUTS" ]; then cp "$file" "$ADE_OUTPUTS"; fi
    ;;
"files list")
    if [ -d "$kept" ]; then ls "$kept"; fi | sed -e 's/[\\"]/\\&/g' -e 's/.*/"&"/' | paste -s -d , - | sed -e 's/.*/[&]/'
    ;;
"files upload")
    mkdir -p "$kept"
    if [ -n "$file_path" ]; then
        if [ ! -f "$file_path" ]; then lost "there is no file $file_path"; fi
        cp "$file_path" "$kept/"
    else
        need "--file-path or --folder-path" "$folder_path"
        if [ ! -d "$folder_path" ]; then lost "there is no folder $folder_path"; fi
        folder=$(cd "$folder_path" && pwd)
        rm -f "$kept/${folder##*/}.zip"
        (cd "$folder" && zip -q -r "$kept/${folder##*/}.zip" .)
    fi
    ;;
"files download")
    need --file-name "$file_name"
    if [ ! -f "$kept/${file_name##*/}" ]; then lost "there is no file $file_name among those that were uploaded"; fi
    mkdir -p "${folder_path:-.}"
    if [ "$unzip" = true ]; then
        unzip -q -o "$kept/${file_name##*/}" -d "${folder_path:-.}"
    else
        cp "$kept/${file_name##*/}" "${folder_path:-.}/"
    fi
    ;;
*) wrong "there is no command “$verb${part:+ $part}”" ;;
esac
