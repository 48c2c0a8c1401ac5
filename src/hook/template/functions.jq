# What is null is an empty text, as in jq 1.8.
def join($s): reduce .[] as $x (null; (if . == null then "" else . + $s end) + ($x | if . == null then "" else tostring end)) // "";
