# What any shell does: run by dash, busybox and bash.
echo "== pipes"
printf '%s\n' pear apple fig | sort | tr a-z A-Z
i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i + 1)); done | tail -n 1
yes | head -n 3 | wc -l
echo "a pipe's status: $(true | false; echo $?)"
echo "== here-documents"
name=world
cat <<END
hello $name, $((6 * 7)), $(echo substituted)
END
cat <<'END'
nothing $name is expanded
END
cat <<-END | sed 's/^/> /'
	tabs are taken off
END
while read -r first rest; do echo "[$first] [$rest]"; done <<END
one two three
four
END
echo "== background jobs"
(sleep 0.05; echo "late" ) & (exit 7) & last=$!
wait $last; echo "status $?"
wait; echo "all done"
sleep 30 & victim=$!
kill $victim; wait $victim; echo "killed: $?"
echo "== traps"
trap 'echo "got USR1"' USR1
kill -USR1 $$
(trap 'echo "a subshell ends"' EXIT; echo "in it")
sh -c 'trap "echo term; exit 3" TERM; kill -TERM $$; echo not reached'; echo "status $?"
trap '' USR1; kill -USR1 $$; echo "ignored"
echo "== redirection"
{ echo out; echo err >&2; } 2>both.txt >>both.txt; sort both.txt
exec 3>three.txt; echo "to three" >&3; exec 3>&-; cat three.txt
exec 4<three.txt; read -r line <&4; exec 4<&-; echo "read: $line"
(set -C; echo x > three.txt) 2>/dev/null || echo "noclobber keeps it"
cat < missing.txt 2>/dev/null || echo "missing"
echo "== names"
mkdir -p d/e; touch d/a.c d/b.c d/c.h d/.hidden 'd/with space'
echo d/*; echo d/?.c; echo d/[!ab]*; echo d/.h*
(cd d/e && pwd | sed 's/.*\/d/d/'; cd ..; ls)
[ -d d ] && [ ! -e d/zz ] && [ d/a.c -ef d/../d/a.c ] && echo "tests hold"
ln -s a.c d/link; [ -L d/link ] && readlink d/link
rm -r d
echo "== words"
set -- one "two words" '' four
echo $# "$2"; shift; echo "$1|$2|$3"
IFS=:; set -- a:b:c; echo $# "$@"; set -- $1; echo $# "$3"; unset IFS
v=/usr/lib/name.tar.gz; echo ${v##*/} ${v%%.*} ${v#/usr} ${v%.gz} ${#v} ${none:-default} ${v:+set}
case $v in *.zip) echo zip;; *.gz) echo gz;; esac
f() { local x=$1; if [ "$x" -le 1 ]; then echo 1; else echo $((x * $(f $((x - 1))))); fi; }
f 6
for x in 1 2 3 4; do [ $x = 2 ] && continue; [ $x = 4 ] && break; echo "x=$x"; done
until false; do echo once; break; done
eval 'echo "evaluated: $((0x1f + 010))"'
(exit 42); echo "status $?"
! true || echo "not true"
umask 027; touch m; ls -l m | cut -c1-10; rm m
command -v cat >/dev/null && echo "cat is there"
no-such-command 2>/dev/null; echo "status $?"
printf '#!/no/such/interpreter\n' > script; chmod +x script; ./script 2>/dev/null; echo "status $?"
printf '#!/bin/sh\necho "a script: $0 $*"\n' > script; ./script a b; rm script three.txt both.txt
ulimit -n 64; ulimit -n
exit 5
