# What bash alone does.
echo "== arrays"
a=(zero one two); a[5]=five; echo "${#a[@]} ${!a[@]} ${a[@]:1:2} ${a[-1]}"
declare -A h=([x]=1 [y]=2); for k in $(printf '%s\n' "${!h[@]}" | sort); do echo "$k=${h[$k]}"; done
mapfile -t lines < <(printf '%s\n' l1 l2 l3); echo "${lines[2]} of ${#lines[@]}"
echo "== process substitution"
paste <(seq 3) <(seq 4 6) | tr '\t' ' '
seq 5 | tee >(wc -l > count.txt) >/dev/null; sleep 0.2; cat count.txt; rm count.txt
echo "== jobs"
set -m
sleep 0.1 & sleep 0.2 & jobs | sed 's/ *&$//'
wait -n; echo "one of them: $?"; wait; echo "both"
set +m
coproc { while read -r line; do echo "got $line"; done; }
echo hello >&"${COPROC[1]}"; read -r answer <&"${COPROC[0]}"; echo "$answer"
eval "exec ${COPROC[1]}>&-"; wait
echo "== expansion"
echo {1..5} {a..c}{x,y} pre{d,f}post
s="Hello World"; echo "${s,,} ${s^^} ${s/World/There} ${s:6:3} ${s//o/0}"
[[ $s =~ ^H(e.*)o\ W ]] && echo "${BASH_REMATCH[1]}"
[[ abc < abd && -n $s ]] && echo "compares"
printf '%q %5.2f %x %s\n' "a b" 3.14159 255 "$(printf '\u00e9')"
echo $'tab\there' "$((2 ** 40)) $((-7 / 2)) $((7 % -3))"
cat <<< "a here-string"
echo "== control"
set -o pipefail; false | true; echo "pipefail $?"
trap 'echo "error in line"' ERR; false; trap - ERR
(set -e; false; echo no) ; echo "status $?"
f() { local -n ref=$1; ref=changed; }; x=old; f x; echo "$x"
g() { trap 'echo "returns"' RETURN; return 3; }; g; echo "status $?"
select_one() { PS3=; select w in a b; do echo "chose $w"; break; done; }; select_one <<< 2 2>/dev/null
time_out() { timeout 0.2 sleep 5; echo "timeout $?"; }; time_out
kill -l TERM; trap 'echo "hup"' HUP; kill -HUP $$
read -t 0.1 -r nothing < <(sleep 1); echo "read: $(($? > 128))"
for ((i = 0; i < 3; i++)); do ((i == 1)) && continue; echo "i=$i"; done
exec 9<>both; echo "written" >&9; exec 9>&-; cat both; rm both
echo "$BASH_SUBSHELL $(echo $BASH_SUBSHELL)"
trap 'echo "the end"' EXIT
