"""cp [-abdfiHlLnPpRrsTuvx] [-S SUFFIX] [-t DIR] FILE...

Copy files: `cp SOURCE TARGET`, `cp SOURCE... DIR`, `cp -t DIR SOURCE...`.

  -a, --archive        as -dR --preserve=all
  -R, -r, --recursive  directories with all that is in them; special files as such
  -p                   as --preserve=mode,ownership,timestamps
      --preserve[=LIST]  keep mode, ownership, timestamps, links, xattr, context, all
      --no-preserve=LIST  do not keep these
  -d                   as -P --preserve=links
  -H                   follow symbolic links among the SOURCEs
  -L, --dereference    follow all symbolic links
  -P, --no-dereference  copy symbolic links as such
  -l, --link           make hard links instead of copies
  -s, --symbolic-link  make symbolic links instead of copies
  -f, --force          remove a target that cannot be opened
  -i, --interactive    ask before something is overwritten
  -n, --no-clobber     do not overwrite anything
  -u                   overwrite only what is older than the SOURCE, or not there
      --update[=WORD]  the same: older; all; none
      --remove-destination  remove each target before
  -b                   keep what is overwritten, with a suffix
      --backup[=WORD]  the same: none, numbered, existing or simple
  -S, --suffix=SUFFIX  the suffix, instead of ~
  -t, --target-directory=DIR  copy into DIR
  -T, --no-target-directory  TARGET is no directory to copy into
      --parents        copy with the whole path below DIR
      --sparse=WORD    holes where SOURCE has them (auto), wherever there are zeros (always), never
      --reflink[=WORD]  share data: always, auto (where possible; usual) or never
      --attributes-only  only the attributes, no data
      --copy-contents  read special files, too, with -R
      --strip-trailing-slashes  take slashes off the ends of SOURCEs
  -x, --one-file-system  do not go into other file systems
  -v, --verbose        print each copy
      --debug          the same
"""

from __future__ import annotations

import os

from toolbox.backups import Backups
from toolbox.copying import ALL, Copier
from toolbox.errors import Fatal, UsageError, say, warn
from toolbox.options import Options, Values
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

options = Options(__doc__)

_USUAL = frozenset(("mode", "ownership", "timestamps"))


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    backups = Backups.from_options(opt)
    keep = _keep(opt)
    if opt.no_clobber and backups.wanted:
        raise UsageError("options --backup and --no-clobber are mutually exclusive")
    if opt.link and opt.symbolic_link:
        raise UsageError("cannot make both hard and symbolic links")
    recursive = bool(opt.recursive or opt.archive)
    preserve, required = _preserved(opt)
    copier = Copier(
        recursive=recursive,
        follow=_follow(opt, recursive),
        preserve=preserve,
        required=required,
        keep=keep,
        replace=_replacer(opt),
        force=opt.force,
        remove_first=opt.remove_destination,
        link=opt.link,
        symbolic=opt.symbolic_link,
        sparse=_word(opt.sparse, ("auto", "always", "never"), "sparse") or "auto",
        reflink=_word(
            opt.reflink or ("always" if opt.reflink == "" else None),
            ("always", "auto", "never"),
            "reflink",
        )
        or "auto",
        attributes_only=opt.attributes_only,
        usual_mode=bool(opt.no_preserve) and "mode" in _names(opt.no_preserve) - preserve,
        copy_contents=opt.copy_contents,
        one_device=opt.one_file_system,
        backups=backups,
        told=_tell if opt.verbose or opt.debug else None,
    )
    if opt.strip_trailing_slashes:
        files = [f.rstrip("/") or "/" for f in files]
    directory, files = _directory(opt, files)
    if directory is None:
        source, target = files
        if opt.force and backups.wanted and source == target and os.path.isfile(source):
            # `cp -f --backup f f` makes a backup of f (GNU).
            target, copier.backups = backups.name(target), None
        _copy_one(copier, source, target)
        return 0
    for source in files if backups.wanted else _once(files):
        if opt.parents:
            _copy_with_parents(copier, source, directory)
        else:
            base = os.path.basename(source.rstrip("/"))
            # `..` of a source names no file in the target; its contents go right into it.
            target = directory if base in ("..",) else os.path.join(directory, base)
            copier.copy(source, target)
    return 0


def _once(files: list[str]) -> Iterator[str]:
    """Each operand once: a second copy of it would only take the first one's place (GNU)."""
    seen = set()
    for name in files:
        if name in seen:
            kind = "directory" if os.path.isdir(name) else "file"
            say(f"cp: warning: source {kind} {name!r} specified more than once")
        else:
            seen.add(name)
            yield name


def _directory(opt: Values, files: list[str]) -> tuple[str | None, list[str]]:
    """The directory to copy into, None when the last operand is the copy's name; and the operands."""
    if opt.target_directory is not None:
        if opt.no_target_directory:
            raise UsageError(
                "cannot combine --target-directory (-t) and --no-target-directory (-T)"
            )
        if not os.path.isdir(opt.target_directory):
            raise Fatal(f"target directory {opt.target_directory!r}: {_why(opt.target_directory)}")
        return opt.target_directory, files
    if len(files) < 2:
        raise UsageError(f"missing destination file operand after {files[0]!r}")
    if opt.no_target_directory:
        if opt.parents:
            raise UsageError("with --parents, the destination must be a directory")
        if len(files) > 2:
            raise UsageError(f"extra operand {files[2]!r}")
        return None, files
    last = files[-1]
    if os.path.isdir(last):
        return last, files[:-1]
    if len(files) > 2:
        raise Fatal(f"target {last!r}: {_why(last)}")
    if opt.parents:
        raise UsageError("with --parents, the destination must be a directory")
    return None, files


def _why(path: str) -> str:
    return "Not a directory" if os.path.lexists(path) else "No such file or directory"


def _copy_one(copier: Copier, source: str, target: str) -> None:
    if target.endswith("/") and not os.path.isdir(source):
        warn(f"cannot create regular file {target!r}: Not a directory")
        return
    copier.copy(source, target)


def _copy_with_parents(copier: Copier, source: str, directory: str) -> None:
    """--parents: make the source's directories below the target, with their attributes.

    When one of them is missing, those above it get what is preserved, too; when none is, they stay (GNU).
    """
    passed: list[tuple[str, str, bool]] = []  # original, copy, whether it was made here
    above = ""
    target = directory
    parts = [p for p in source.rstrip("/").split("/")[:-1] if p]
    if source.startswith("/"):
        above = "/"
    for part in parts:
        above = os.path.join(above, part)
        target = os.path.join(target, part)
        try:
            status = os.stat(above)
            made = not os.path.isdir(target)
            passed.append((above, target, made))
            if made:
                os.mkdir(target, (status.st_mode & 0o777) | 0o700)
                if copier.told:
                    stdout().write(os.fsencode(f"{above} -> {target}\n"))
        except OSError as error:
            warn(f"cannot make directory {target!r}: {error.strerror}")
            return
    copier.copy(source, os.path.join(target, os.path.basename(source.rstrip("/"))))
    if not any(made for _, _, made in passed):
        return
    for original, copied, made in reversed(passed):
        status = os.stat(original)
        if "ownership" in copier.preserve and os.geteuid() == 0:
            os.chown(copied, status.st_uid, status.st_gid)
        if "mode" in copier.preserve:
            os.chmod(copied, status.st_mode & 0o7777)
        elif made:
            usual = copier.attributes
            os.chmod(copied, usual.mode(status) & ~usual.umask)
        if "timestamps" in copier.preserve:
            os.utime(copied, ns=(status.st_atime_ns, status.st_mtime_ns))


def _follow(opt: Values, recursive: bool) -> str:
    given = opt.last("archive", "d", "H", "dereference", "no_dereference")
    if given is None:
        return "never" if recursive and not opt.link else "always"
    return {"H": "top", "dereference": "always"}.get(given, "never")


def _preserved(opt: Values) -> tuple[frozenset[str], frozenset[str]]:
    """What is preserved, and what of it was asked for by name, so that failing is an error."""
    kept: set[str] = set()
    required: set[str] = set()
    lists = {"preserve": [opt.preserve], "no_preserve": [opt.no_preserve]}
    for given in opt.order:
        if given == "archive":
            kept |= ALL
        elif given == "p":
            kept |= _USUAL
        elif given == "d":
            kept.add("links")
        elif given in lists:
            names = _names(lists[given][0])
            if given == "preserve":
                kept |= names
                required |= names if "all" not in (opt.preserve or "").split(",") else set()
            else:
                kept -= names
    return frozenset(kept), frozenset(required & kept)


def _names(text: str) -> set[str]:
    names: set[str] = set()
    for word in (text or "mode,ownership,timestamps").split(","):
        if word == "all":
            names |= ALL
        elif word in ALL:
            names.add(word)
        elif word != "context":  # there are no security contexts here
            raise UsageError(f"invalid argument {word!r} for '--preserve'")
    return names


def _keep(opt: Values) -> str:
    """What becomes of targets that exist, as Copier's `keep`: -n, --update=none and none-fail leave them."""
    if opt.update not in (None, "", "all", "none", "older", "none-fail"):
        raise UsageError(f"invalid argument {opt.update!r} for '--update'")
    if opt.update == "none-fail":
        return "fail"
    # Of -i and -n the last one counts (GNU); -u goes along with either.
    asked = opt.last("interactive", "no_clobber") == "no_clobber"
    return "skip" if asked or opt.update == "none" else ""


def _replacer(opt: Values) -> Callable[[str, os.stat_result, os.stat_result], bool] | None:
    older = opt.last("u", "update") == "u" or opt.update in ("", "older")
    if not (older or opt.interactive):
        return None

    def replace(path: str, source: os.stat_result, target: os.stat_result) -> bool:
        if older and target.st_mtime_ns >= source.st_mtime_ns:
            return False
        if opt.interactive:
            from toolbox.confirm import confirm

            return confirm(f"cp: overwrite {path!r}? ")
        return True

    return replace


def _word(text: str | None, of: tuple[str, ...], option: str) -> str | None:
    if text is not None and text not in of:
        raise UsageError(f"invalid argument {text!r} for '--{option}': {', '.join(of)}")
    return text


def _tell(source: str, target: str) -> None:
    stdout().write(os.fsencode(f"{source!r} -> {target!r}\n"))
