"""The builtins, and what BusyBox's ash and bash have beyond POSIX."""

from __future__ import annotations

from tests.applets.sh.shells import row

ROWS = [
    # builtins
    row("cd /usr/bin; cd ..; pwd; cd - >/dev/null; pwd; echo $OLDPWD", "/usr\n/usr/bin\n/usr\n"),
    row("export x=1; sh -c 'echo $x'; unset x; sh -c 'echo $x.'", "1\n.\n"),
    row("readonly x=1; (x=2) 2>/dev/null || echo failed $x", "failed 1\n"),
    row("set -- a b c; shift; echo $*; shift 2; echo $#", "b c\n0\n"),
    row(
        "while getopts ab:c o -a -b arg -c rest; do echo $o$OPTARG; done; echo $OPTIND",
        "a\nbarg\nc\n5\n",
    ),
    row("while getopts :ab: o -x -b; do echo $o $OPTARG; done", "? x\n: b\n"),
    row("printf 'a\\\\b c' | { read -r x; echo $?; printf '%s\\n' \"$x\"; }", "1\na\\b c\n"),
    row(
        "printf 'a b c\\nd\\\\\\ne\\n' | { read x y; echo \"$x|$y\"; read z; echo $z; }",
        "a|b c\nde\n",
    ),
    row("printf 'a:b:c:\\n' | { IFS=: read x y; echo \"$x $y\"; }", "a b:c:\n"),
    row("printf '1\\n2\\n' | { read x; cat; }", "2\n"),
    row("trap 'echo bye' EXIT; echo hi", "hi\nbye\n"),
    row("trap 'echo bye $?' 0; exit 3", "bye 3\n", 3),
    row("trap 'echo got' USR1; kill -USR1 $$; echo after", "got\nafter\n"),
    row("trap '' TERM; kill $$; echo alive; trap - TERM; trap", "alive\n"),
    row(
        "trap 'echo x' INT; (trap); trap",
        "trap -- 'echo x' INT\n",
        bash="a subshell lists its parent's traps",
    ),
    row(
        "set -e; false || true; ! true; if false; then :; fi; echo here; false; echo no",
        "here\n",
        1,
    ),
    row("set -e; f() { false; echo in; }; f || echo or; f; echo no", "in\n", 1),
    row("set -x; set +x; set -a; q=1; sh -c 'echo $q'", "1\n"),
    row(
        "type cd >/dev/null; echo $?; command -v cd; command -v nosuch; echo $?",
        "0\ncd\n127\n",
        bash="another status",
    ),
    row("cd() { echo fun; }; cd; command cd /; pwd", "fun\n/\n"),
    row("umask 027; umask; umask -S; umask u=rwx,g=,o=; umask", "0027\nu=rwx,g=rx,o=\n0077\n"),
    row("ulimit -n 100; ulimit -n", "100\n"),
    row("echo 'echo $1; return 4; echo no' >s; . ./s; echo $?", "\n4\n"),
    row("exec echo replaced; echo no", "replaced\n"),
    row("(exec nosuch) 2>/dev/null; echo $?", "127\n"),
    row("test 1 -eq 1 && [ a != b ] && echo yes", "yes\n"),
    row(
        "x=$(set | grep '^zz='); zz=\"a'b\"; set | grep '^zz='",
        "zz='a'\"'\"'b'\n",
        bash="another way to quote",
    ),
    row("command eval '(exit 3)'; echo $?; command exit 4", "3\n", 4),
    row("times >/dev/null && hash -r && echo ok", "ok\n"),
    row("sleep 5 & kill $!; wait $!; echo $?", "143\n"),
    row("set -- -e x; printf '%s ' $1 $2; set +e -- y; echo $1", "-e x y\n"),
    # ash
    row(
        "x=abcabc; echo ${x/b/X} ${x//b/X} ${x/b} ${x:2} ${x:1:2} ${x: -2} ${x:1:-1}",
        "aXcabc aXcaXc acabc cabc bc bc bcab\n",
        dash="no substrings",
    ),
    row("printf '<%s>' $'a\\tb\\x41\\101\\'q'", "<a\tbAA'q>", dash="no $'...'"),
    row("let x=2+3; echo $x; let 0; echo $?", "5\n1\n", dash="no let"),
    row("function f { echo $1; }; f a", "a\n", dash="no function"),
    row(
        "echo a &>f; cat f; x=a; x+=b; echo $x; source /dev/null",
        "a\nab\n",
        dash="no &>",
        ash="no &>",
    ),
    row(
        "echo $((2**10)) $((16#ff)) $((x++)) $((++x))", "1024 255 0 2\n", dash="no ** and no bases"
    ),
    row("case a in a) echo 1;& b) echo 2;; c) echo 3;; esac", "1\n2\n", dash="no ;&", ash="no ;&"),
    row(
        "set -- a b c d; echo ${@:2:2} ${*:3}",
        "b c c d\n",
        dash="no slices of parameters",
        ash="no slices of parameters",
    ),
    row("echo 'echo $1' >s; . ./s arg; echo .$1", "arg\n.\n", dash="no operands of ."),
    row("cat <<<'here  string'", "here  string\n", dash="no <<<", ash="no <<<"),
]
