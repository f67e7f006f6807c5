/**
 * A program for awk. A line of ndpiReader for a flow becomes a finding when there is a risk of at least IDS_MIN_SCORE in it. Addresses come first; hosts and
 * URLs, which a packet can put into such a line, may pretend to be risks: all are told then, and none can hide another.
 */
export const findings = `
function field(name,  start, rest) {
  start = index($0, "[" name ": ")
  if (!start) return ""
  rest = substr($0, start + length(name) + 3)
  return substr(rest, 1, index(rest, "]") - 1)
}
function address(end) { sub(/:[0-9]+$/, "", end); gsub(/[][]/, "", end); return end }
function port(end) { sub(/^.*:/, "", end); return end }
/^\\t[0-9]+\\t/ {
  risks = ""; score = 0; rest = $0
  while (match(rest, /\\[Risk: \\*\\* [^]]* \\*\\*\\]\\[Risk Score: [0-9]+\\]/)) {
    found = substr(rest, RSTART + 10, RLENGTH - 11); rest = substr(rest, RSTART + RLENGTH)
    said = found; sub(/ \\*\\*\\].*/, "", said); gsub(/ \\*\\*\\*\\* /, ", ", said)
    sub(/.*: /, "", found); if (found + 0 > score) score = found + 0
    risks = risks (risks == "" ? "" : ", ") said
  }
  if (score < floor) next
  application = field("proto"); sub(/^[^\\/]*\\//, "", application)
  line = "flow: " substr(risks, 1, 200) " SRC=" address($3) " DST=" address($5) " PROTO=" $2 " SPT=" port($3) " DPT=" port($5)
  line = line " APP=" application " SCORE=" score
  url = substr(field("URL"), 1, 200)
  print line (url == "" ? "" : " URL=" url)
  if (++told >= 1000) exit
}`;
