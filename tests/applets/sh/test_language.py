"""The language, black box: each row is a program, its standard output and its exit status.

A row breaks when the parser, an expansion, a redirection or the order of evaluation is not POSIX's;
`dash` and BusyBox's ash give the same for every row.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUOTING = [
    ("echo 'a  b' \"c  d\" e\\ \\ f", "a  b c  d e  f\n", 0),
    ('echo "\\$x \\`y\\` \\\\ \\a"', "$x `y` \\ \\a\n", 0),
    ("echo a\\\nb \"c\\\nd\" 'e\\\nf'", "ab cd e\\\nf\n", 0),
    ("x='a b'; printf '<%s>' $x \"$x\" '$x'", "<a><b><a b><$x>", 0),
    ("printf '<%s>' '' \"\" a''b", "<><><ab>", 0),
    ("# comment\necho a#b # comment", "a#b\n", 0),
    ("echo $ '$' \"$\"", "$ $ $\n", 0),
]

PARAMETERS = [
    (
        "set -- a 'b c' d; printf '<%s>' \"$@\"; echo; printf '<%s>' \"$*\" $#",
        "<a><b c><d>\n<a b c d><3>",
        0,
    ),
    ('set --; printf \'<%s>\' x"$@"y "$@"', "<xy>", 0),
    ("set -- 1 2; printf '<%s>' \"a$@b\"", "<a1><2b>", 0),
    ('IFS=:; set -- x y; echo "$*"; IFS=; echo "$*"', "x:y\nxy\n", 0),
    ('echo ${x-un} ${x:-un}; x=; echo "<${x-un}>" ${x:-un}', "un un\n<> un\n", 0),
    ("echo ${x=new}$x; y=; echo ${y:=v}$y", "newnew\nvv\n", 0),
    ("x=1; echo ${x+set} ${y+set}. ${x:+s}", "set . s\n", 0),
    ("x=a/b/c.d; echo ${x#*/} ${x##*/} ${x%.*} ${x%%/*} ${#x}", "b/c.d c.d a/b/c a 7\n", 0),
    ("x='*a'; p='*'; echo ${x#\"$p\"} ${x#$p}", "a *a\n", 0),
    ("x=aXbXc; echo ${x%X*} ${x%%X*} ${x#*X} ${x##*X}", "aXb a bXc c\n", 0),
    ("set -- a b c d e f g h i j; echo $10 ${10} ${#}", "a0 j 10\n", 0),
    ('x=5; echo "${x:-"q $x"}" ${y:-"p  q"}', "5 p  q\n", 0),
    ("echo \"${x:-'single'}\" ${x:-'si  ngle'}", "'single' si  ngle\n", 0),
    ("unset x; echo ${x?gone}; echo not here", "", 2),
    ("set -u; (echo $nope) 2>/dev/null; echo $?", "2\n", 0),
    ("f() { echo $0-$1-$#; }; f a b", "sh-a-2\n", 0),
    ("echo $?; (exit 3); echo $?; false; echo $?", "0\n3\n1\n", 0),
    ("HOME=/h; echo ~ ~/x '~' \"~\" a~; x=~/a:~/b; echo $x", "/h /h/x ~ ~ a~\n/h/a:/h/b\n", 0),
    ("x=a; x=b$x; echo $x", "ba\n", 0),
    ("a='x y'; b=$a; echo \"$b\"", "x y\n", 0),
]

SPLITTING = [
    ("IFS=:; x=a:b::c:; printf '<%s>' $x", "<a><b><><c>", 0),
    ("IFS=' :'; x=' a : b  :: c '; printf '<%s>' $x", "<a><b><><c>", 0),
    ("IFS=; x='a b'; printf '<%s>' $x", "<a b>", 0),
    ("x=' a  b '; printf '<%s>' -$x-", "<-><a><b><->", 0),
    ("x=; printf '<%s>' $x a \"$x\"", "<a><>", 0),
    ("printf '<%s>' ${x:-a 'b c'}", "<a><b c>", 0),
    ("IFS=,; printf '<%s>' a,b $(echo c,d)", "<a,b><c><d>", 0),
    ("unset IFS; x='a\tb'; printf '<%s>' $x", "<a><b>", 0),
]

SUBSTITUTION = [
    ("echo $(echo a; echo b) \"$(printf 'x\\n\\n')\"", "a b x\n", 0),
    ('echo `echo \\`echo deep\\`` "`echo "q"`"', "deep q\n", 0),
    ("x=$(exit 3); echo $?; x=$(true)y; echo $?$x", "3\n0y\n", 0),
    ("echo $(case a in a) echo in;; esac) $( (echo sub) )", "in sub\n", 0),
    ("echo $(cat <<E\nbody\nE\n)", "body\n", 0),
    ("x=1; y=$(x=2; echo $x); echo $x$y", "12\n", 0),
    ('echo $(echo "a )b" # )\n)', "a )b\n", 0),
]

ARITHMETIC = [
    ("echo $((1+2*3)) $(((1+2)*3)) $((7/2)) $((-7/2)) $((-7%3)) $((7%-3))", "7 9 3 -3 -1 1\n", 0),
    ("x=5; echo $((x+1)) $(($x*2)) $((x=3, x+1)) $x", "6 10 4 3\n", 0),
    (
        "echo $((1<2)) $((2<=1)) $((1==1)) $((!5)) $((~0)) $((1&&0)) $((0||3))",
        "1 0 1 0 -1 0 1\n",
        0,
    ),
    ("echo $((1?2:3)) $((0?2:3)) $((1<<4|1)) $((6&3^1)) $((0x1F)) $((017))", "2 3 17 3 31 15\n", 0),
    ("x=1; : $((x+=4)); : $((x<<=1)); echo $x $((y)) $((0 && (x=99))) $x", "10 0 0 10\n", 0),
    ("echo $((9223372036854775807+1))", "-9223372036854775808\n", 0),
    ("echo $((1/0)) 2>&-; echo no", "", 2),
    ("echo $((1 +)); echo no", "", 2),
    ('echo "$(( $(echo 3) + ${x:-4} ))"', "7\n", 0),
]

COMMANDS = [
    ("true && echo a || echo b; false && echo c || echo d", "a\nd\n", 0),
    ("! true; echo $?; ! false | false; echo $?", "1\n0\n", 0),
    ("if false; then echo a; elif true; then echo b; else echo c; fi", "b\n", 0),
    ("if false; then :; fi; echo $?", "0\n", 0),
    ("for i in a 'b c' $(echo d e); do echo \"$i\"; done", "a\nb c\nd\ne\n", 0),
    (
        "set -- x y; for i do echo $i; done; for i; do echo $i; done; for i in; do echo no; done",
        "x\ny\nx\ny\n",
        0,
    ),
    ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); [ $i = 2 ] && continue; echo $i; done", "1\n3\n", 0),
    (
        "for i in 1 2; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; done",
        "1a\n2a\n",
        0,
    ),
    ("for i in 1 2 3; do for j in 1 2; do break 2; done; done; echo $i$j", "11\n", 0),
    ("until true; do echo no; done; echo $?", "0\n", 0),
    ("case abc in a|b) echo 1;; a*) echo 2;; *) echo 3;; esac", "2\n", 0),
    (
        "case '*' in '*') echo star;; esac; case a in '*') echo no;; [!b]) echo set;; esac",
        "star\nset\n",
        0,
    ),
    ("case x in (x) echo y;; esac; case x in esac; echo $?", "y\n0\n", 0),
    ("x='a*'; case abc in \"$x\") echo no;; $x) echo yes;; esac", "yes\n", 0),
    ("{ echo a; echo b; } | { read x; read y; echo $y$x; }", "ba\n", 0),
    ("(x=1; exit 4); echo $?$x", "4\n", 0),
    ("f() { return 3; echo no; }; f; echo $?", "3\n", 0),
    ('f() { x=$1; shift; [ $# -gt 0 ] && f "$@"; echo $x; }; f a b c', "c\nc\nc\n", 0),
    ("f() { local x=2; g; echo $x; }; g() { echo $x; x=3; }; x=1; f; echo $x", "2\n3\n1\n", 0),
    ("f() (x=2; echo in); x=1; f; echo $x", "in\n1\n", 0),
    ("f() { echo out; } >&2; f 2>/dev/null; echo $?", "0\n", 0),
    ("x=1 sh -c 'echo $x'; echo $x.", "1\n.\n", 0),
    ("x=1 :; echo $x; y=1 true; echo .$y", "1\n.\n", 0),
    ("f() { echo $x; }; x=1; x=2 f; echo $x", "2\n1\n", 0),
    ("if\ntrue\nthen\necho a\nfi && echo b |\ncat", "a\nb\n", 0),
    ("alias e='echo x'\ne y", "x y\n", 0),
    ("eval 'x=1;' 'echo' '$x'; eval; echo $?", "1\n0\n", 0),
    ("nosuchcommand 2>/dev/null; echo $?; /etc/passwd 2>/dev/null; echo $?", "127\n126\n", 0),
    ("echo a; exit 5; echo b", "a\n", 5),
    ("echo if then fi; echo {a} } {", "if then fi\n{a} } {\n", 0),
    (
        "true | false; echo $?; false | true; echo $?; set -o pipefail; false | true; echo $?",
        "1\n0\n1\n",
        0,
    ),
    ("sleep 0 & wait $!; echo $?; (exit 7) & wait $!; echo $?; wait; echo $?", "0\n7\n0\n", 0),
]

REDIRECTIONS = [
    ("echo a >f; echo b >>f; cat <f; cat f f >g; wc -l <g", "a\nb\n4\n", 0),
    ("{ echo out; echo err >&2; } 2>&1 | cat", "out\nerr\n", 0),
    ("echo x >f 2>&1 >/dev/null; cat f; echo $?", "0\n", 0),
    ("exec 3>f; echo a >&3; exec 3>&-; cat f; echo b 2>/dev/null >&3; echo $?", "a\n1\n", 0),
    ("cat <<E\n$((1+1)) ${x:-y} `echo z` \\$x\nE", "2 y z $x\n", 0),
    ("cat <<'E'\n$x `y`\nE", "$x `y`\n", 0),
    ("cat <<-E\n\ta\n\t\tb\n\tE\necho c", "a\nb\nc\n", 0),
    ("cat <<A; cat <<B\na\nA\nb\nB", "a\nb\n", 0),
    ('while read x; do echo "<$x>"; done <<E\n a b \nc\nE', "<a b>\n<c>\n", 0),
    ("set -C; echo a >f; echo b >f; echo $?; echo c >|f; cat f", "1\nc\n", 0),
    ("cat </nonexistent; echo $?; : </nonexistent; echo no", "1\n", 1),
    ("echo abc >f; exec 5<>f; read x <&5; echo $x; exec 5<&-", "abc\n", 0),
    (
        "for i in 1 2; do echo $i; done >f; cat f; if true; then echo x; fi >>f; wc -l <f",
        "1\n2\n3\n",
        0,
    ),
    ("echo hidden 2>&- >&- ; echo $?", "1\n", 0),
    ("f=name; echo a >$f; cat name; >empty; wc -c <empty", "a\n0\n", 0),
]

PATHNAMES = [
    (
        "touch a.c b.c .h.c; echo *.c; echo .*.c; echo '*.c' \"*\".c \\*.c",
        "a.c b.c\n.h.c\n*.c *.c *.c\n",
        0,
    ),
    (
        "mkdir d e; touch d/x e/x e/y; echo */x; echo */; echo ./*/[xy]",
        "d/x e/x\nd/ e/\n./d/x ./e/x ./e/y\n",
        0,
    ),
    (
        "touch a b c ab; echo ?; echo [ab]; echo [!a]; echo [a-b]*; echo nomatch*",
        "a b c\na b\nb c\na ab b\nnomatch*\n",
        0,
    ),
    ("touch a1 aX; echo a[[:digit:]] a[[:upper:]]; set -f; echo a*", "a1 aX\na*\n", 0),
    # A backslash that an expansion gave quotes, but where nothing else makes a pattern it stays.
    (
        "touch '*' '[a'; for p in '\\*' '\\*\\*' '[\\*' '\\[a' '\\[*'; do echo $p; done; echo [*",
        "\\*\n\\*\\*\n[\\*\n\\[a\n[a\n[a\n",
        0,
    ),
    (
        "touch 'a b' c; for f in *; do echo \"<$f>\"; done; x='*'; echo $x; echo \"$x\"",
        "<a b>\n<c>\na b c\n*\n",
        0,
    ),
]

BUILTINS = [
    ("cd /usr/bin; cd ..; pwd; cd - >/dev/null; pwd; echo $OLDPWD", "/usr\n/usr/bin\n/usr\n", 0),
    ("export x=1; sh -c 'echo $x'; unset x; sh -c 'echo $x.'", "1\n.\n", 0),
    ("readonly x=1; (x=2) 2>/dev/null; echo $? $x", "2 1\n", 0),
    ("set -- a b c; shift; echo $*; shift 2; echo $#", "b c\n0\n", 0),
    (
        "while getopts ab:c o -a -b arg -c rest; do echo $o$OPTARG; done; echo $OPTIND",
        "a\nbarg\nc\n5\n",
        0,
    ),
    ("while getopts :ab: o -x -b; do echo $o $OPTARG; done", "? x\n: b\n", 0),
    (
        "printf 'a b c\\nd\\\\\\ne\\n' | { read x y; echo \"$x|$y\"; read z; echo $z; }",
        "a|b c\nde\n",
        0,
    ),
    ("printf 'a\\\\b c' | { read -r x; echo \"$x $?\"; }", "a\\b c 1\n", 0),
    ("printf 'a:b:c:\\n' | { IFS=: read x y; echo \"$x $y\"; }", "a b:c:\n", 0),
    ("printf '1\\n2\\n' | { read x; cat; }", "2\n", 0),
    ("trap 'echo bye' EXIT; echo hi", "hi\nbye\n", 0),
    ("trap 'echo bye $?' 0; exit 3", "bye 3\n", 3),
    ("trap 'echo got' USR1; kill -USR1 $$; echo after", "got\nafter\n", 0),
    ("trap '' TERM; kill $$; echo alive; trap - TERM; trap", "alive\n", 0),
    ("trap 'echo x' INT; (trap); trap", "trap -- 'echo x' INT\n", 0),
    ("set -e; false || true; ! true; if false; then :; fi; echo here; false; echo no", "here\n", 1),
    ("set -e; f() { false; echo in; }; f || echo or; f; echo no", "in\n", 1),
    ("set -x; set +x; set -a; q=1; sh -c 'echo $q'", "1\n", 0),
    ("type cd >/dev/null; echo $?; command -v cd; command -v nosuch; echo $?", "0\ncd\n127\n", 0),
    ("cd() { echo fun; }; cd; command cd /; pwd", "fun\n/\n", 0),
    ("umask 027; umask; umask -S; umask u=rwx,g=,o=; umask", "0027\nu=rwx,g=rx,o=\n0077\n", 0),
    ("ulimit -n 100; ulimit -n", "100\n", 0),
    ("echo 'echo $1; return 4; echo no' >s; . ./s; echo $?", "\n4\n", 0),
    ("exec echo replaced; echo no", "replaced\n", 0),
    ("(exec nosuch) 2>/dev/null; echo $?", "127\n", 0),
    ("test 1 -eq 1 && [ a != b ] && echo yes", "yes\n", 0),
    ("x=$(set | grep '^zz='); zz=\"a'b\"; set | grep '^zz='", "zz='a'\"'\"'b'\n", 0),
    ("command eval '(exit 3)'; echo $?; command exit 4", "3\n", 4),
    ("times >/dev/null && hash -r && echo ok", "ok\n", 0),
    ("sleep 5 & kill $!; wait $!; echo $?", "143\n", 0),
    ("set -- -e x; printf '%s ' $1 $2; set +e -- y; echo $1", "-e x y\n", 0),
]

ASH = [
    (
        "x=abcabc; echo ${x/b/X} ${x//b/X} ${x/b} ${x:2} ${x:1:2} ${x: -2} ${x:1:-1}",
        "aXcabc aXcaXc acabc cabc bc bc bcab\n",
        0,
    ),
    ("printf '<%s>' $'a\\tb\\x41\\101\\'q'", "<a\tbAA'q>", 0),
    ("let x=2+3; echo $x; let 0; echo $?", "5\n1\n", 0),
    ("function f { echo $1; }; f a", "a\n", 0),
    ("echo a &>f; cat f; x=a; x+=b; echo $x; source /dev/null", "a\nab\n", 0),
    ("echo $((2**10)) $((16#ff)) $((x++)) $((++x))", "1024 255 0 2\n", 0),
    ("case a in a) echo 1;& b) echo 2;; c) echo 3;; esac", "1\n2\n", 0),
    ("set -- a b c d; echo ${@:2:2} ${*:3}", "b c c d\n", 0),
    ("echo 'echo $1' >s; . ./s arg; echo .$1", "arg\n.\n", 0),
    ("cat <<<'here  string'", "here  string\n", 0),
]

ROWS = [
    *QUOTING, *PARAMETERS, *SPLITTING, *SUBSTITUTION, *ARITHMETIC, *COMMANDS,
    *REDIRECTIONS, *PATHNAMES, *BUILTINS, *ASH,
]  # fmt: skip


@pytest.mark.parametrize(("program", "out", "status"), ROWS)
def test_program(
    run: Callable[..., Any], tmp_path: Path, program: str, out: str, status: int
) -> None:
    result = run("sh", "-c", program, cwd=tmp_path)
    assert (result.out.decode(), result.status) == (out, status), result.err.decode()
