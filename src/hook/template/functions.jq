# What is null is an empty text, as in jq 1.8.
def join($s): reduce .[] as $x (null; (if . == null then "" else . + $s end) + ($x | if . == null then "" else tostring end)) // "";

# Of jq 1.8, and not of jaq.
def toarray: if isarray then . else [.] end;
def IN(s): any(s == .; .);
def IN(source; s): any(source == s; .);
def INDEX(stream; f): reduce stream as $x ({}; .[$x | f | tostring] = $x);
def INDEX(f): INDEX(.[]; f);
