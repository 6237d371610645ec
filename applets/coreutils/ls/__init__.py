"""ls [-1aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxX] [-I PATTERN] [-T COLS] [-w COLS] [FILE]...

List the contents of directories, and other FILEs. Names are sorted bytewise.

  -a, --all              also names that start with a dot
  -A, --almost-all       the same without . and ..
  -B, --ignore-backups   leave out names that end in ~
  -I, --ignore=PATTERN...  leave out names that match the shell PATTERN
      --hide=PATTERN...  the same, unless -a or -A is given
  -d, --directory        directories themselves, not their contents
  -R, --recursive        contents of all directories below
  -H, --dereference-command-line  follow symbolic links among the FILEs
      --dereference-command-line-symlink-to-dir  ... only those to directories
  -L, --dereference      follow all symbolic links
  -l                     long format: mode, links, owner, group, size, time, name
  -g                     long format without owner
  -o                     long format without group
  -G, --no-group         no group in the long format
      --author           the owner again, as author, in the long format
  -n, --numeric-uid-gid  long format with numbers for owner and group
      --full-time        long format with full times
  -1                     one name per line
  -C                     in columns, sorted downwards (usual on a terminal)
  -x                     in columns, sorted across
  -m                     in lines, separated by commas
      --format=WORD      long, verbose, single-column, vertical, across, horizontal, commas
      --zero             end each name with a zero byte, nothing quoted
  -t                     newest first
  -S                     largest first
  -X                     by the part after the last dot
  -v                     version numbers in natural order
  -U                     as they lie in the directory
  -f                     the same, with -a
      --sort=WORD        name, none, size, time, version, extension, width
  -r, --reverse          the other way round
      --group-directories-first  directories before files
  -c                     time of last status change, for -l and -t
  -u                     time of last access
      --time=WORD        mtime, modification; ctime, status; atime, access, use; birth
      --time-style=STYLE   full-iso, long-iso, iso, locale, or +FORMAT of date
  -h, --human-readable   sizes as 1.5K, 234M
      --si               the same in powers of 1000
  -k, --kibibytes        count blocks in KiB
      --block-size=SIZE  count in units of SIZE
  -s, --size             show the blocks taken
  -i, --inode            show the inode numbers
  -F                     mark types: / directory, * program, @ link, = socket, | pipe
      --classify[=WHEN]  the same, always, never or auto (only on a terminal)
  -p                     mark directories only
      --file-type        as -F without *
      --indicator-style=WORD  none, slash, file-type, classify
      --color[=WHEN]     colors by $LS_COLORS: always, never or auto
  -b, --escape           escape odd characters as in C
  -q, --hide-control-chars  ? for characters that cannot be shown (usual on a terminal)
      --show-control-chars  show them as they are
  -N, --literal          names as they are
  -Q, --quote-name       names in double quotes
      --quoting-style=WORD  literal, shell, shell-always, shell-escape, shell-escape-always,
                         c, escape
  -T, --tabsize=COLS     tab stops every COLS columns, 0: no tabs
  -w, --width=COLS       width of the output; 0: unlimited

Status: 0 all shown, 1 something below could not be read, 2 a FILE could not.
"""

from __future__ import annotations

from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__, trouble=2)


def main(argv: list[str]) -> int:
    from applets.coreutils.ls.listing import Listing

    opt, files = options.parse(argv)
    Listing(opt, stdout()).run(files or ["."])
    return 0
