
_essentia_in_ksh() {
    emulate -L ksh
    _essentia "$@"
}

_essentia_zsh() {
    local -a found joined
    local each files=
    for each in "${(@f)$(_essentia_in_ksh "$PREFIX" "${(@Q)words[1,CURRENT-1]}")}"; do
        case $each in
            /) files=1 ;;
            '') ;;
            *[:=] | -*,*) joined+=("$each") ;;
            *) found+=("$each") ;;
        esac
    done
    (( ${#found} )) && compadd -- "${found[@]}"
    (( ${#joined} )) && compadd -S '' -- "${joined[@]}"
    [[ -n $files ]] && _files
}
