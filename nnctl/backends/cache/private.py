"""The folder for compiled code, which is run as it is: one that this user alone can write."""

from __future__ import annotations

import logging
import os
import stat
import sys
from functools import cache
from pathlib import Path

log = logging.getLogger("nnctl.compile")

_VARIABLE = "NNCTL_CACHE"
_FOLDER = "compiled"
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def cache_root() -> Path | None:
    """The folder that keeps compiled code: in $NNCTL_CACHE, else in the user's cache folder.

    Where others could write to it, or put another in its place, that is said once and the user's own is
    taken; None where that is no better, or where there is no such folder.
    """
    return _settled(os.environ.get(_VARIABLE) or None)


def doubt_about(path: Path) -> str | None:
    """A reason why what lies at `path`, with no link in it, may be another user's; None where there is none.

    The path itself and every folder above it belong to this user or to root, and nobody else may write to them; to a
    folder above, everybody may, where it is sticky as /tmp is: then its entries are their owners'. What is
    not there yet is passed over.
    """
    if sys.platform == "win32":
        return None  # the user's folders are his own there, by their access lists
    for each in (path, *path.parents):
        try:
            found = os.lstat(each)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if each != path and not stat.S_ISDIR(found.st_mode):
            continue  # nothing can lie there
        if found.st_uid not in (os.geteuid(), 0):
            return f"{each} belongs to another user"
        sticky = each != path and found.st_mode & stat.S_ISVTX
        if found.st_mode & _OTHERS and not sticky and not _only_ours(found):
            return f"other users may write to {each}"
    return None


@cache
def _settled(given: str | None) -> Path | None:
    asked = Path(given) / _FOLDER if given else _users_own()
    if asked is None:
        log.warning("there is no home folder: compiled code is kept for this run only; set %s", _VARIABLE)
        return None
    asked, doubt = _made(asked)
    if doubt is None:
        return asked
    own = _users_own()
    if given and own is not None:
        instead, another = _made(own)
        if another is None:
            log.warning("%s: compiled code is not kept there but in %s", doubt, instead)
            return instead
    log.warning("%s: compiled code is kept for this run only; set %s to a folder of your own", doubt, _VARIABLE)
    return None


def _users_own() -> Path | None:
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("nnctl", appauthor=False)) / _FOLDER
    # Without a home folder there is a `~` left at its beginning.
    return folder if folder.is_absolute() else None


def _made(folder: Path) -> tuple[Path, str | None]:
    """The folder without links, made where it is missing and may be, and what is to be said against it."""
    folder = Path(os.path.realpath(folder))
    doubt = doubt_about(folder)
    if doubt is None:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        try:
            for each in reversed(missing):
                each.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            pass  # found out, and said, by whoever writes to it
        # In /tmp another user may have been faster.
        doubt = doubt_about(folder)
    return folder, doubt


def _only_ours(found: os.stat_result) -> bool:
    """True where nobody is in the group but this user, whose name it has: many systems give everyone such a group."""
    if found.st_mode & stat.S_IWOTH:
        return False
    import grp
    import pwd

    try:
        group, name = grp.getgrgid(found.st_gid), pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False
    return group.gr_name == name and set(group.gr_mem) <= {name}
