
_essentia_bash() {
    # Bash divides the line at : and = too, which are parts of our words.
    local line=${COMP_LINE:0:COMP_POINT} words=() word= quote= begun= c i
    for ((i = 0; i < ${#line}; i++)); do
        c=${line:i:1}
        if [ -n "$quote" ]; then
            if [ "$c" = "$quote" ]; then quote=; else word+=$c; fi
        elif [ "$c" = "'" ] || [ "$c" = '"' ]; then
            quote=$c begun=1
        elif [ "$c" = ' ' ] || [ "$c" = $'\t' ]; then
            if [ -n "$word$begun" ]; then words+=("$word"); fi
            word= begun=
        else
            word+=$c
        fi
    done
    local kept=${word##*[:=]} candidate
    kept=${word%"$kept"}
    COMPREPLY=()
    while IFS= read -r candidate; do
        if [ "$candidate" = / ]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r candidate; do COMPREPLY+=("${candidate#"$kept"}"); done < <(compgen -f -- "$word")
        elif [ "${candidate#"$word"}" != "$candidate" ] || [ -z "$word" ]; then
            COMPREPLY+=("${candidate#"$kept"}")
            case $candidate in *[:=] | -*,*) compopt -o nospace 2>/dev/null ;; esac
        fi
    done < <(_essentia "$word" "${words[@]}")
}
