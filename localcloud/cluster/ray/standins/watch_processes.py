#!/usr/bin/env bash
# Ends with 1 as soon as one of its children ends, as `ray start --block` does.
while sleep 1; do
    for process in "$@"; do
        read -r _ _ state _ 2>/dev/null <"/proc/$process/stat" || state=Z
        if [[ $state == Z ]]; then
            echo "a Ray process ($process) has ended" >&2
            exit 1
        fi
    done
done
