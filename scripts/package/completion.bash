# Completes wingman's commands and options, which it reads from --help; else file names.

# The words that may come second: `show|diff|merge` in the list of commands.
_wingman_second() {
  "$1" --help 2>/dev/null | sed -n "s/^  $2  *\([a-z]*|[a-z|]*\).*/\1/p" | tr '|' ' '
}

_wingman() {
  local program=${1/#\~/$HOME} word=$2 command=${COMP_WORDS[1]} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z-]*\) .*/\1/p') --help --version"
  elif [[ $word == -* ]]; then
    words=$("$program" "$command" --help 2>/dev/null | grep -o -e '--[a-z][a-z-]*')
  elif [ "$COMP_CWORD" -eq 2 ]; then
    words=$(_wingman_second "$program" "$command")
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word" | sort -u)
}
complete -o default -F _wingman wingman
