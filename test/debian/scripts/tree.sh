# coreutils over a tree of files, made here.
set -e
mkdir tree; cd tree
for d in $(seq 1 8); do mkdir -p "a/dir$d/sub"; for f in $(seq 1 10); do seq "$((d * f))" > "a/dir$d/sub/f$f"; done; done
ln -s dir1 a/link; ln a/dir1/sub/f1 a/hard; chmod 640 a/dir2/sub/f2; truncate -s 1M a/hole
touch -d '2020-02-03 04:05:06 UTC' a/dir3/sub/f3
cp -a a b
ls -lR --time-style=+%s a | sed 's/ [0-9]* \([^ ]*\)$/ \1/' | awk '{ print $1, $5, $NF }' 2>/dev/null | head -n 40 || true
(cd a && ls -RF | sort | sha256sum)
(cd a && for f in dir*/sub/*; do sha256sum "$f"; done) > sums; wc -l < sums
(cd b && sha256sum -c --quiet ../sums && echo "the copy is whole")
stat -c '%a %h %s %F' a/hard b/dir2/sub/f2 a/link a b/hole
stat -c '%Y' b/dir3/sub/f3
[ b/hard -ef b/dir1/sub/f1 ] && echo "still one file"
du -s --apparent-size b/dir4/sub | cut -f1
cat a/dir*/sub/f10 | sort -n | uniq -c | sort -k1,1nr -k2,2n | head -n 5
cat a/dir8/sub/f* | shuf --random-source=<(yes) 2>/dev/null | sort -n | tail -n 2 || true
tac a/dir1/sub/f5 | paste -sd,; nl a/dir1/sub/f3 | tr -s ' \t' ' '
split -l 30 -d a/dir8/sub/f10 part; ls part* | wc -l; cat part* | cmp - a/dir8/sub/f10 2>/dev/null || cat part* | md5sum
join <(seq 1 5 | sed 's/$/ x/') <(seq 3 8 | sed 's/$/ y/'); comm -12 <(seq 1 5) <(seq 3 8)
head -c 100000 /dev/zero | tr '\0' 'x' | fold -w 77 | wc
od -An -tx1 -N8 a/dir1/sub/f1; base64 a/dir1/sub/f2; cksum a/dir5/sub/f5; b2sum a/dir5/sub/f5 | cut -c1-32
dd if=a/dir8/sub/f10 of=cut bs=10 skip=2 count=3 2>/dev/null; cat cut; echo
mv b/dir1 b/renamed; rm -r b/dir2; mkdir b/new; install -m 711 cut b/new/installed; stat -c %a b/new/installed
(ls a; ls b) | sort | uniq -u
expr 6 \* 7; factor 1234567891; seq -s+ 5; numfmt --to=iec 123456789; date -u -d @86400 +%F; test -w a && echo writable
env -i A=1 printenv; basename /x/y.c .c; dirname /x/y.c; realpath --relative-to=a b; pwd | sed 's/.*\///'
printf '3 c\n1 a\n2 b\n' | tsort | wc -l; echo "1,2,3" | cut -d, -f2; expand -t4 <(printf 'a\tb\n'); pr -t -2 -l3 <(seq 6) | tr -s ' \t' ' '
chmod -R go-rwx b; stat -c %a b/new b/new/installed
rm -rf b; sync; mkfifo /tmp/the-pipe; (echo through > /tmp/the-pipe) & cat /tmp/the-pipe; wait; rm /tmp/the-pipe
cd ..; rm -r tree
