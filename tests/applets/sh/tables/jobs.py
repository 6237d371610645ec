"""Background jobs and their statuses (POSIX XCU 2.9.3.1, wait)."""

from __future__ import annotations

from tests.applets.sh.shells import row

ROWS = [
    row(
        'p=; i=0; while [ $i -lt 200 ]; do i=$((i+1)); (exit $((i%7))) & p="$p $!"; done\n'
        "for q in $p; do wait $q; printf %s $?; done",
        ("123456" + "0") * 28 + "1234",
    ),
    row("(exit 3) & p=$!; wait $p; echo $?; wait; echo $?", "3\n0\n"),
    row("wait 99999; echo $?", "127\n"),
    row("x=$(sleep 0.1 & (exit 3) & wait $!; echo $?); echo $x", "3\n"),
    row("true | false & wait $!; echo $?", "1\n"),
    row("(exit 5) | (exit 6) & wait $!; echo $?; echo a | cat; echo $?", "6\na\n0\n"),
    row("{ sleep 0.2; echo late; } & echo a | { cat; }; wait; echo end", "a\nlate\nend\n"),
    row(
        "trap 'echo T' USR1; (sleep 0.2; kill -USR1 $$) & sleep 2 & wait $!\n"
        "[ $? -gt 128 ] && echo caught; kill $!",
        "T\ncaught\n",
    ),
]
