# Completion for the commands of Essentia, by `ess completion`; the tables above are made from the option tables.
# One set of functions for bash and zsh (which emulates ksh for them); each prints candidates, one a line.

# The kind of an argument: $1 is its place after the option, the others the kinds by place; behind them, `more`.
_essentia_kind() {
    local place=$1
    shift
    if [ "$place" -le $# ]; then
        shift $((place - 1))
        printf '%s' "$1"
    else
        printf '%s' "$more"
    fi
}

# The column names in the first line of the file $1, if that is what the line has.
_essentia_header() {
    [ -f "$1" ] && [ -r "$1" ] || return
    local line name
    line=$(head -c 4096 -- "$1" 2>/dev/null | head -n 1 | tr -d '\000\r"' | tr ',;|\t' '    ')
    for name in $line; do
        case $name in
            [!A-Za-z_]* | *[!A-Za-z0-9_]*) return ;;
        esac
    done
    for name in $line; do printf '%s\n' "$name"; done
}

# The databases of the working folder; with $1 (Database[:Table]) and `columns`, the columns of its table or primary key.
_essentia_database() {
    local folder=${ESS_WORK_DIR:-.conf} file line table= wanted=${1#*:}
    for file in "$folder"/*.spec; do
        [ -f "$file" ] || continue
        file=${file##*/}
        file=${file%.spec}
        if [ "$2" != columns ]; then
            printf '%s\n' "$file"
        elif [ "$file" != "${1%%:*}" ]; then
            continue
        fi
        while read -r line; do
            case $line in
                @Table:* | @Vector:*)
                    table=${line#*:}
                    [ "$2" = columns ] || printf '%s\n' "$file:$table"
                    ;;
                @*) table= ;;
                '#'*) ;;
                *:*) [ "$2" = columns ] && [ -n "$table" ] && [ "$table" = "$wanted" ] && printf '%s\n' "${line##*:}" ;;
            esac
        done <"$folder/$file.spec"
    done
}

# Candidates for the word $1, where $2 is the command and the others are the words before that one; a / stands for files.
_essentia() {
    local word=$1 tool=${2##*/}
    shift 2
    if [ "$tool" = ess ]; then
        _essentia_ess "$word" "$@"
        return
    fi
    local option= have=0 seen kind source= names= database= each need= more= attributes= count=0
    for seen in "$@"; do
        case $seen in
            -[A-Za-z]*)
                if [ "$have" -ge "$count" ]; then
                    option=${seen%%,*}
                    have=0
                    _essentia_row "$tool" "$option"
                    continue
                fi
                ;;
        esac
        have=$((have + 1))
        kind=$(_essentia_kind "$have" $need)
        case $option:$kind in
            -f:file*) [ -n "$source" ] || source=$seen ;;
        esac
        case $kind:$seen in
            *spec*:*:*) names="$names ${seen##*:}" ;;
            table:*) database=$seen ;;
        esac
    done
    case $word in
        -[A-Za-z]*,*)
            if [ "$have" -ge "$count" ]; then
                _essentia_row "$tool" "${word%%,*}"
                for each in $attributes; do printf '%s\n' "${word%,*},$each"; done
                return
            fi
            ;;
    esac
    kind=$(_essentia_kind $((have + 1)) $need)
    case $word in
        -[A-Za-z]*) ;;
        *)
            case $kind in *file*) echo / ;; esac
            case $kind in
                *column*)
                    for each in $names; do printf '%s\n' "$each"; done
                    [ -z "$database" ] || _essentia_database "$database" columns
                    ;;
            esac
            case $kind:$word in
                *spec*:*:*) for each in $(_essentia_header "$source"); do printf '%s\n' "${word%:*}:$each"; done ;;
                spec*) for each in S: F: L: LS: I: IS: IP: X:; do printf '%s\n' "$each"; done ;;
            esac
            case $kind in table | database) _essentia_database ;; esac
            [ $# -gt 0 ] || _essentia_first "$tool"
            ;;
    esac
    [ "$have" -lt "$count" ] && return
    case $word:$kind in
        -* | :*) _essentia_options "$tool" ;;
    esac
}

# Candidates for the word $1 of ess, where the others are the words before it.
_essentia_ess() {
    local word=$1 path=ess each verbs= options=
    shift
    _essentia_verbs ess
    for each in "$@"; do
        case " $verbs " in
            *" $each "*)
                path="$path $each"
                verbs=
                _essentia_verbs "$path"
                ;;
        esac
    done
    case $word in
        -*) verbs=$options ;;
    esac
    if [ -n "$verbs" ]; then
        for each in $verbs; do printf '%s\n' "$each"; done
    else
        echo /
    fi
}
