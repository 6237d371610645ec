"""Quoting, and every kind of expansion (POSIX XCU 2.2, 2.5, 2.6)."""

from __future__ import annotations

from tests.applets.sh.shells import ERROR, row

ROWS = [
    # quoting
    row("echo 'a  b' \"c  d\" e\\ \\ f", "a  b c  d e  f\n"),
    row("printf '%s\\n' \"\\$x \\`y\\` \\\\ \\a\"", "$x `y` \\ \\a\n"),
    row("echo a\\\nb \"c\\\nd\" 'e\\\nf'", "ab cd e\\\nf\n"),
    row("x='a b'; printf '<%s>' $x \"$x\" '$x'", "<a><b><a b><$x>"),
    row("printf '<%s>' '' \"\" a''b", "<><><ab>"),
    row("# comment\necho a#b # comment", "a#b\n"),
    row("echo $ '$' \"$\"", "$ $ $\n"),
    # parameters
    row(
        "set -- a 'b c' d; printf '<%s>' \"$@\"; echo; printf '<%s>' \"$*\" $#",
        "<a><b c><d>\n<a b c d><3>",
    ),
    row('set --; printf \'<%s>\' x"$@"y "$@"', "<xy>"),
    row("set -- 1 2; printf '<%s>' \"a$@b\"", "<a1><2b>"),
    row('IFS=:; set -- x y; echo "$*"; IFS=; echo "$*"', "x:y\nxy\n"),
    row('echo ${x-un} ${x:-un}; x=; echo "<${x-un}>" ${x:-un}', "un un\n<> un\n"),
    row("echo ${x=new}$x; y=; echo ${y:=v}$y", "newnew\nvv\n"),
    row("x=1; echo ${x+set} ${y+set}. ${x:+s}", "set . s\n"),
    row("x=a/b/c.d; echo ${x#*/} ${x##*/} ${x%.*} ${x%%/*} ${#x}", "b/c.d c.d a/b/c a 7\n"),
    row("x='*a'; p='*'; echo ${x#\"$p\"} ${x#$p}", "a *a\n"),
    row("x=aXbXc; echo ${x%X*} ${x%%X*} ${x#*X} ${x##*X}", "aXb a bXc c\n"),
    row("set -- a b c d e f g h i j; echo $10 ${10} ${#}", "a0 j 10\n"),
    row('x=5; echo "${x:-"q $x"}" ${y:-"p  q"}', "5 p  q\n"),
    row("echo \"${x:-'single'}\" ${x:-'si  ngle'}", "'single' si  ngle\n"),
    row("unset x; echo ${x?gone}; echo not here", "", ERROR),
    row("set -u; (echo $nope) 2>/dev/null || echo failed", "failed\n"),
    row('f() { test "$0" = "$1" || echo "$1-$#"; }; f a b', "a-2\n"),
    row("echo $?; (exit 3); echo $?; false; echo $?", "0\n3\n1\n"),
    row("HOME=/h; echo ~ ~/x '~' \"~\" a~; x=~/a:~/b; echo $x", "/h /h/x ~ ~ a~\n/h/a:/h/b\n"),
    row("x=a; x=b$x; echo $x", "ba\n"),
    row("a='x y'; b=$a; echo \"$b\"", "x y\n"),
    # splitting
    row("IFS=:; x=a:b::c:; printf '<%s>' $x", "<a><b><><c>"),
    row("IFS=' :'; x=' a : b  :: c '; printf '<%s>' $x", "<a><b><><c>"),
    row("IFS=; x='a b'; printf '<%s>' $x", "<a b>"),
    row("x=' a  b '; printf '<%s>' -$x-", "<-><a><b><->"),
    row("x=; printf '<%s>' $x a \"$x\"", "<a><>"),
    row("printf '<%s>' ${x:-a 'b c'}", "<a><b c>"),
    row("IFS=,; printf '<%s>' a,b $(echo c,d)", "<a,b><c><d>"),
    row("unset IFS; x='a\tb'; printf '<%s>' $x", "<a><b>"),
    # substitution
    row("echo $(echo a; echo b) \"$(printf 'x\\n\\n')\"", "a b x\n"),
    row('echo `echo \\`echo deep\\`` "`echo "q"`"', "deep q\n"),
    row("x=$(exit 3); echo $?; x=$(true)y; echo $?$x", "3\n0y\n"),
    row("echo $(case a in a) echo in;; esac) $( (echo sub) )", "in sub\n"),
    row("echo $(cat <<E\nbody\nE\n)", "body\n"),
    row("x=1; y=$(x=2; echo $x); echo $x$y", "12\n"),
    row('echo $(echo "a )b" # )\n)', "a )b\n"),
    # arithmetic
    row("echo $((1+2*3)) $(((1+2)*3)) $((7/2)) $((-7/2)) $((-7%3)) $((7%-3))", "7 9 3 -3 -1 1\n"),
    row("x=5; echo $((x+1)) $(($x*2)) $((x=3, x+1)) $x", "6 10 4 3\n", dash="no comma operator"),
    row(
        "echo $((1<2)) $((2<=1)) $((1==1)) $((!5)) $((~0)) $((1&&0)) $((0||3))", "1 0 1 0 -1 0 1\n"
    ),
    row("echo $((1?2:3)) $((0?2:3)) $((1<<4|1)) $((6&3^1)) $((0x1F)) $((017))", "2 3 17 3 31 15\n"),
    row(
        "x=1; : $((x+=4)); : $((x<<=1)); echo $x $((y)) $((0 && (x=99))) $x",
        "10 0 0 10\n",
        ash="the side of && that is not needed is evaluated",
    ),
    row("echo $((9223372036854775807+1))", "-9223372036854775808\n"),
    row("echo $((1/0)) 2>&-; echo no", "", ERROR),
    row("echo $((1 +)); echo no", "", ERROR),
    row('echo "$(( $(echo 3) + ${x:-4} ))"', "7\n"),
]
