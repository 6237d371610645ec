"""Numbers at and beyond what the system can count."""

from __future__ import annotations

from tests.applets.sh.shells import ERROR, row

ROWS = [
    row("3\\\n>f; ls", "f\n"),
    row("echo a 1\\\n>f; ls", "f\n"),
    row("exec 3>f; echo a >&3; exec 3>\\\n>f; ls", "f\n"),
    row("echo 1\\\n2", "12\n"),
    row("1\\\n2>f; ls", "f\n"),
    row("echo a\\\n>f; ls; cat f", "f\na\n"),
    row("echo a 1\\\n>\\\n>f; ls; cat f", "f\na\n"),
    row("2\\\n>&1 echo hi", "hi\n"),
    row("cat 0\\\n<f; echo $?", "1\n", dash="another status of the same error"),
    row("cat 0\\\n<<\\\nE\nhi\nE", "hi\n"),
    row("echo \\\n3>f; cat f", "\n"),
    row("echo a3\\\n>f; cat f", "a3\n"),
    row("echo '3'\\\n>f; cat f", "3\n"),
    row('echo "3">f; cat f', "3\n"),
    row("echo \\3>f; cat f", "3\n"),
    row("x=3; echo $x>f; cat f", "3\n"),
    row("echo 3 >f; cat f; echo 3>f; cat f", "3\n\n"),
    row("echo 3\\\n >f; cat f", "3\n"),
    row("echo 3\\\n\necho b", "3\nb\n"),
    row("exec 99999999999999999999>x; echo alive", "", 127),
    row("command exec 99999999999>x; echo alive", "", 127),
    row("echo a 2147483648>x; echo alive", "alive\n"),
    row(
        "echo a >&99999999999999999999; echo alive",
        "alive\n",
        dash="two digits and more are a syntax error",
    ),
    row(
        "echo a >&2147483648; echo alive", "alive\n", dash="two digits and more are a syntax error"
    ),
    row("echo a 4294967297>&1; echo alive", "a 4294967297\nalive\n"),
    row("echo a 4294967297>&-; echo alive", "alive\n"),
    row(
        "cat <&4294967296; echo alive",
        "alive\n",
        dash="too large a number ends the shell",
        ash="too large a number ends the shell",
    ),
    row("(exit 256); echo $?; (exit 257); echo $?", "0\n1\n"),
    row(
        "f() { return 300; }; f; echo $?",
        "44\n",
        dash="the status of a function is not cut to a byte",
    ),
    row("for i in 1; do break 99999999999999999999; done; echo alive", "", ERROR),
    row("for i in 1; do break 2147483647; done; echo alive", "alive\n"),
    row("wait 2147483647; echo $?", "127\n"),
    row("kill -l 99999999999999999999; echo alive", "alive\n"),
    row("kill -0 99999999999999999999; echo alive", "alive\n"),
    row("ulimit -n 99999999999999999999999999; echo alive", "alive\n"),
    row(
        "echo $((9223372036854775807)) $((-9223372036854775808))",
        "9223372036854775807 -9223372036854775808\n",
        dash="reads the number before the sign, and stops at the largest",
    ),
    row("trap 'echo' 99999999999999999999; echo $?", "1\n"),
    row(
        "echo $((1<<63)) $((1<<64)) $((1<<-1)) $((1>>64))",
        "-9223372036854775808 1 -9223372036854775808 1\n",
    ),
    row(
        "printf '%s\\n' $((-9223372036854775807-1))/$((-1)) $(((-9223372036854775807-1)%-1))",
        "-9223372036854775808/-1\n0\n",
        dash="the division traps",
    ),
    row(
        "wait 99999999999999999999 || echo failed; kill -0 99999999999999999999 || echo failed",
        "failed\nfailed\n",
    ),
    row(
        "umask 77777777777777 || echo failed",
        "failed\n",
        dash="takes the last digits",
    ),
    row("(f() { shift 99999999999999999999; }; f) || :; echo alive", "alive\n"),
    row("(OPTIND=99999999999999999999; getopts a x -b) || :; echo alive", "alive\n"),
    row("(ulimit -n 99999999999999999999999999) || echo failed", "failed\n"),
    row(
        "echo a | { read -t 99999999999 x; echo $x; }",
        "a\n",
        dash="no -t",
        ash="the largest time is smaller",
    ),
    row("read -t 1e3 x </dev/null || echo failed", "failed\n"),
    row("printf 'é\\n' | { read -n 1 x; echo $x; }", "é\n", dash="no -n", ash="counts bytes"),
]
