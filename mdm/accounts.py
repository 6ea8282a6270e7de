"""The operating system's account under which an embedded PostgreSQL runs, and what it may reach.

PostgreSQL refuses to run as root, so root runs it under an account of its own; an ordinary user runs it as
themselves. Root grants that account no more than passing through folders and running the installed programs.
"""

import os
import pwd
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdm.errors import MdmError

_SERVER_ACCOUNT = "pgserver"


class AccountError(MdmError):
    """No account may run the server on this folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The operating system's account under which a server runs."""

    name: str
    uid: int
    gid: int

    def process_options(self) -> dict[str, Any]:
        """Return the options of subprocess.run that start a program under this account."""
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Hand a file or folder over to this account."""
        if os.geteuid() != self.uid:
            os.chown(path, self.uid, self.gid)


def of_folder(folder: Path) -> Account:
    """Choose the account that runs the server of folder.

    Raises AccountError when the folder belongs to somebody else.
    """
    owner = folder.stat().st_uid if folder.exists() else os.geteuid()
    if os.geteuid() == 0:
        return _server_account() if owner == 0 else _account(owner)
    if owner != os.geteuid():
        raise AccountError(
            f"The folder {folder} belongs to the user {_account(owner).name}, so {_account(os.geteuid()).name} cannot "
            "run its PostgreSQL. Run as that user, or choose another folder with MDM_DATA_FOLDER."
        )
    return _account(owner)


def run(program: Path, *arguments: str, account: Account) -> tuple[int, str]:
    """Run a program under the account; return its exit status and all that it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    # A file, not a pipe: a server would inherit the pipe, and the reading of it would never end.
    with tempfile.TemporaryFile("w+") as said:
        finished = subprocess.run(
            [program, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environment | {"LC_ALL": "C"},
            umask=0o077,
            **account.process_options(),
        )
        said.seek(0)
        return finished.returncode, said.read()


def write_private(path: Path, text: str, account: Account) -> None:
    """Replace a file at once by one that the account alone (and root) may read."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_text(text)
    account.own(new)
    new.rename(path)


def grant_search(path: Path, account: Account) -> None:
    """Let the account pass through the folders above path."""
    if os.geteuid() != 0:
        return
    for parent in path.parents:
        found = parent.stat()
        if not _may(found, account, stat.S_IXUSR):
            parent.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)


def grant_programs(binaries: Path, account: Account) -> None:
    """Let the account run the installed programs, which a strict umask at their installation would keep from it."""
    grant_search(binaries / "postgres", account)
    if os.geteuid() != 0 or _may((binaries / "postgres").stat(), account, stat.S_IRUSR | stat.S_IXUSR):
        return
    for path in [binaries.parent, *binaries.parent.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _may(found: os.stat_result, account: Account, wanted: int) -> bool:
    """Tell whether the mode of a file gives the account what is wanted (bits of the owner's part)."""
    if found.st_uid == account.uid:
        return found.st_mode & wanted == wanted
    if found.st_gid == account.gid:
        return found.st_mode << 3 & wanted == wanted
    return found.st_mode << 6 & wanted == wanted


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # a container often runs under a number without a name
        return Account(name=str(uid), uid=uid, gid=os.getegid() if uid == os.geteuid() else uid)
    return Account(name=entry.pw_name, uid=uid, gid=entry.pw_gid)


def _server_account() -> Account:
    try:
        entry = pwd.getpwnam(_SERVER_ACCOUNT)
    except KeyError:
        _make_server_account()
        entry = pwd.getpwnam(_SERVER_ACCOUNT)
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _make_server_account() -> None:
    arguments = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", _SERVER_ACCOUNT]
    try:
        subprocess.run(arguments, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise AccountError(
            f"PostgreSQL does not run as root, and the account {_SERVER_ACCOUNT} could not be made for it. Make it "
            f"with 'useradd {_SERVER_ACCOUNT}', run as an ordinary user, or set MDM_DATABASE_URL to your own server."
        ) from error
