"""sh [-abCefhilmnsuvx] [-o NAME] [FILE [ARG]...]
sh [-abCefhilmnsuvx] [-o NAME] -c COMMANDS [NAME [ARG]...]

The shell (POSIX), with line editing on a terminal.

  -c        run COMMANDS; NAME is $0
  -s        read commands from standard input; the operands are $1, $2...
  -i        be interactive
  -l        be a login shell: read /etc/profile and ~/.profile first
  -e        leave when a command fails
  -u        an unset parameter is an error
  -x        show commands before they run
  -o=NAME   set an option by its name, as `set -o` does

Every option of `set` may be given, and + in place of - switches it off.
"""

from __future__ import annotations

from toolbox.options import Options

options = Options(__doc__, trouble=2)
alters_process = True


def main(argv: list[str]) -> int:
    """Start a shell; returns its exit status."""
    from applets.sh.start import start  # here, so that who imports applets.sh.syntax gets no shell

    options.standard(argv)
    return start(argv)
