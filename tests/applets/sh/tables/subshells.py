"""Subshells and command substitutions, whether or not they cost a process (POSIX XCU 2.6.3, 2.12)."""

from __future__ import annotations

from tests.applets.sh.shells import row

ROWS = [
    row('x=$(echo a | (read y; echo "<$y>")); echo $x $?', "<a> 0\n"),
    row("x=$(echo a | (read y; exit 3)); echo $x $?", "3\n"),
    row("x=$(exit 3 | true); echo $?", "0\n"),
    row("x=$( (exit 4) ); echo $?", "4\n"),
    row("x=$( (trap 'echo bye' EXIT; echo hi) ); echo $x", "hi bye\n"),
    row("x=$( (sleep 0.3; echo late >&2) 2>f | true); cat f", "late\n"),
    row("echo a | (cat; exit 5); echo $?", "a\n5\n"),
    row("echo a | { read x; echo $x; exit 6; }; echo $?", "a\n6\n"),
    row("(echo a; (echo b; (echo c))) | cat", "a\nb\nc\n"),
    row("(x=1; (x=2; echo $x); echo $x)", "2\n1\n"),
    row('echo a | (read x; (echo "$x"; read y; echo "[$y]"))', "a\n[]\n"),
    row("set -e; (false | (true; echo yes)); echo alive", "yes\nalive\n"),
    row("(set -e; (false; echo no); echo no); echo $?", "1\n"),
    row("x=$(cat /dev/null | cat | (cat; echo z)); echo $x", "z\n"),
    row("(exec 3>f; echo a | cat >&3); cat f", "a\n"),
    row("x=$(! (false)); echo $?; x=$(! false | true); echo $?", "0\n1\n"),
    row("x=$(set -o pipefail 2>/dev/null; false | true); echo done", "done\n"),
    row("x=$(trap 'echo t' EXIT; echo a | cat); echo $x", "a t\n"),
    row("x=$(f() { (return 3); echo $?; }; f); echo $x", "3\n"),
    row(
        "x=$(/bin/echo a b); echo $x $?; x=$(/bin/false); echo $?; x=$(expr 1 + 2); echo $x",
        "a b 0\n1\n3\n",
    ),
    row(
        "x=$(nosuch 2>/dev/null); echo $?; x=$(./no/such/x 2>/dev/null); echo $?; x=$(/etc/passwd 2>/dev/null); echo $?",
        "127\n127\n126\n",
    ),
    row("printf 'echo script $1\\n' >s; chmod +x s; x=$(./s a); echo $x", "script a\n"),
    row("cat() { echo fn; }; x=$(cat); echo $x", "fn\n"),
    row('x=$(printenv y); echo "$x"; export y=1; x=$(printenv y); echo $x', "\n1\n"),
    row("x=$(sleep 0.1; echo a | (sleep 0.1; cat)); echo $x", "a\n"),
    row("echo in | sh -c 'x=$(cat); echo $x'", "in\n"),
    row("echo in | { x=$(/bin/cat); echo $x; }", "in\n"),
    row("trap '' TERM; x=$(sh -c 'kill $$; echo alive'); echo $x", "alive\n"),
    row("trap 'echo T' TERM; x=$(sh -c 'kill $$; echo alive' 2>/dev/null); echo $?", "143\n"),
    row("exec 1>&2; x=$(/bin/echo a); echo $x"),
    row(
        "exec 3>&1 1>&-; x=$(/bin/echo a); echo $x >&3; x=$(echo a | (cat)); echo $x >&3", "a\na\n"
    ),
    row(
        "exec 3>&1 0<&-; x=$(/bin/echo a); echo $x >&3; x=$(echo a | (cat)); echo $x >&3", "a\na\n"
    ),
]
