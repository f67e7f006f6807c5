# What the bash clients of the storm share; see storm.py for the lines they print.
set -f
exec 9<> <(:)

say() { printf '%s\n' "$*"; }

# True until the round is over. A client rests for a moment between what it does.
more() {
  read -rt 0.01 -u 9
  [ ! -e "$STORM_STOP" ]
}

# attempt COMMAND…: runs it, in this shell. A failure is told, with what it printed on stderr, unless that holds $refused.
refused=
attempt() {
  "$@" 2> "$STORM_ERRORS" && [ ! -s "$STORM_ERRORS" ] && return 0
  local said
  said=$(< "$STORM_ERRORS")
  case $said in
    *'Transport endpoint is not connected'* | *'Software caused connection abort'*) say cut; exit 0 ;;
    *"${refused:-nothing}"*) ;;
    *'Input/output error'*) say "failed EIO $*" ;;
    *) say "failed ${said//$'\n'/ | } in: $*" ;;
  esac
  return 1
}

# Puts the text of a file in $text. (The shell's own $(< FILE) says nothing of a read that failed.)
get() { text=$(cat "$1"); }

# expect WHAT FOUND WANTED
expect() { [ "$2" = "$3" ] || say "wrong $1: $2, not $3"; }
