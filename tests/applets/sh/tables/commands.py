"""Commands, redirections, pathnames (POSIX XCU 2.7, 2.9, 2.14)."""

from __future__ import annotations

from tests.applets.sh.shells import ERROR, row

ROWS = [
    row("true | ! false; echo no", "", ERROR),
    row("true | then; echo no", "", ERROR),
    row("true && fi; echo no", "", ERROR),
    row("! done; echo no", "", ERROR),
    row("f() esac; echo no", "", ERROR),
    # commands
    row("true && echo a || echo b; false && echo c || echo d", "a\nd\n"),
    row("! true; echo $?; ! false | false; echo $?", "1\n0\n"),
    row("if false; then echo a; elif true; then echo b; else echo c; fi", "b\n"),
    row("if false; then :; fi; echo $?", "0\n"),
    row("for i in a 'b c' $(echo d e); do echo \"$i\"; done", "a\nb c\nd\ne\n"),
    row(
        "set -- x y; for i do echo $i; done; for i; do echo $i; done; for i in; do echo no; done",
        "x\ny\nx\ny\n",
    ),
    row("i=0; while [ $i -lt 3 ]; do i=$((i+1)); [ $i = 2 ] && continue; echo $i; done", "1\n3\n"),
    row(
        "for i in 1 2; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; done",
        "1a\n2a\n",
    ),
    row("for i in 1 2 3; do for j in 1 2; do break 2; done; done; echo $i$j", "11\n"),
    row("until true; do echo no; done; echo $?", "0\n"),
    row("case abc in a|b) echo 1;; a*) echo 2;; *) echo 3;; esac", "2\n"),
    row(
        "case '*' in '*') echo star;; esac; case a in '*') echo no;; [!b]) echo set;; esac",
        "star\nset\n",
    ),
    row("case x in (x) echo y;; esac; case x in esac; echo $?", "y\n0\n"),
    row("x='a*'; case abc in \"$x\") echo no;; $x) echo yes;; esac", "yes\n"),
    row("{ echo a; echo b; } | { read x; read y; echo $y$x; }", "ba\n"),
    row("(x=1; exit 4); echo $?$x", "4\n"),
    row("f() { return 3; echo no; }; f; echo $?", "3\n"),
    row('f() { x=$1; shift; [ $# -gt 0 ] && f "$@"; echo $x; }; f a b c', "c\nc\nc\n"),
    row("f() { local x=2; g; echo $x; }; g() { echo $x; x=3; }; x=1; f; echo $x", "2\n3\n1\n"),
    row("f() (x=2; echo in); x=1; f; echo $x", "in\n1\n"),
    row("f() { echo out; } >&2; f 2>/dev/null; echo $?", "0\n"),
    row("x=1 sh -c 'echo $x'; echo $x.", "1\n.\n"),
    row("x=1 :; echo $x; y=1 true; echo .$y", "1\n.\n"),
    row("f() { echo $x; }; x=1; x=2 f; echo $x", "2\n1\n"),
    row("if\ntrue\nthen\necho a\nfi && echo b |\ncat", "a\nb\n"),
    row("alias e='echo x'\ne y", "x y\n"),
    row("eval 'x=1;' 'echo' '$x'; eval; echo $?", "1\n0\n"),
    row("nosuchcommand 2>/dev/null; echo $?; /etc/passwd 2>/dev/null; echo $?", "127\n126\n"),
    row("echo a; exit 5; echo b", "a\n", 5),
    row("echo if then fi; echo {a} } {", "if then fi\n{a} } {\n"),
    row(
        "true | false; echo $?; false | true; echo $?; set -o pipefail; false | true; echo $?",
        "1\n0\n1\n",
        dash="no pipefail",
    ),
    row("sleep 0 & wait $!; echo $?; (exit 7) & wait $!; echo $?; wait; echo $?", "0\n7\n0\n"),
    # redirections
    row("echo a >f; echo b >>f; cat <f; cat f f >g; wc -l <g", "a\nb\n4\n"),
    row("{ echo out; echo err >&2; } 2>&1 | cat", "out\nerr\n"),
    row("echo x >f 2>&1 >/dev/null; cat f; echo $?", "0\n"),
    row(
        "exec 3>f; echo a >&3; exec 3>&-; cat f; echo b 2>/dev/null >&3 || echo failed",
        "a\nfailed\n",
    ),
    row("cat <<E\n$((1+1)) ${x:-y} `echo z` \\$x\nE", "2 y z $x\n"),
    row("cat <<'E'\n$x `y`\nE", "$x `y`\n"),
    row("cat <<-E\n\ta\n\t\tb\n\tE\necho c", "a\nb\nc\n"),
    row("cat <<A; cat <<B\na\nA\nb\nB", "a\nb\n"),
    row('while read x; do echo "<$x>"; done <<E\n a b \nc\nE', "<a b>\n<c>\n"),
    row("set -C; echo a >f; echo b >f || echo kept; echo c >|f; cat f", "kept\nc\n"),
    row("cat <./no/such || echo failed; : <./no/such; echo no", "failed\n", ERROR),
    row("echo abc >f; exec 5<>f; read x <&5; echo $x; exec 5<&-", "abc\n"),
    row(
        "for i in 1 2; do echo $i; done >f; cat f; if true; then echo x; fi >>f; wc -l <f",
        "1\n2\n3\n",
    ),
    row("echo hidden 2>&- >&- ; echo $?", "1\n"),
    row("f=name; echo a >$f; cat name; >empty; wc -c <empty", "a\n0\n"),
    # pathnames
    row(
        "touch a.c b.c .h.c; echo *.c; echo .*.c; echo '*.c' \"*\".c \\*.c",
        "a.c b.c\n.h.c\n*.c *.c *.c\n",
    ),
    row(
        "mkdir d e; touch d/x e/x e/y; echo */x; echo */; echo ./*/[xy]",
        "d/x e/x\nd/ e/\n./d/x ./e/x ./e/y\n",
    ),
    row(
        "touch a b c ab; echo ?; echo [ab]; echo [!a]; echo [a-b]*; echo nomatch*",
        "a b c\na b\nb c\na ab b\nnomatch*\n",
    ),
    row("touch a1 aX; echo a[[:digit:]] a[[:upper:]]; set -f; echo a*", "a1 aX\na*\n"),
    row(
        "touch '*' '[a'; for p in '\\*' '\\*\\*' '[\\*' '\\[a' '\\[*'; do echo $p; done; echo [*",
        "\\*\n\\*\\*\n[\\*\n\\[a\n[a\n[a\n",
    ),
    row(
        "touch 'a b' c; for f in *; do echo \"<$f>\"; done; x='*'; echo $x; echo \"$x\"",
        "<a b>\n<c>\na b c\n*\n",
    ),
]
