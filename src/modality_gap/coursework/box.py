"""The box: a program that nobody trusts runs in bubblewrap, watched.

It sees the interpreter, the package and the data, all read-only, and one folder; no network, no
other process, no namespace of its own. Limits bind each process, a watchdog binds all together.
Where the teacher is root (a container), the box belongs to an ordinary user: limits on processes
do not bind root.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from .. import storage

GB = 2**30
# Of one box: its processes, their memory and open files together, the bytes in its folder.
PROCESSES, MEMORY, OPEN, FILES = 64, 4 * GB, 1000, 2**20
NOBODY = 65534
ROOT = os.getuid() == 0  # then the box needs another user
TRUST = "MODALITY_GAP_TRUST_SUBMISSIONS"  # set by --trust-submissions, for this process and its own
HELP = """no box to run submissions in, so nothing was marked: {reason}
Install bubblewrap (apt install bubblewrap). On Ubuntu 23.10 and later allow it to make user
namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for
bwrap); in Docker start the container with --security-opt seccomp=unconfined --cap-add SYS_ADMIN;
elsewhere than on Linux run all of it in such a container. If every submission is your own, add
--trust-submissions."""


class NoBoxError(RuntimeError):
    """There is no box here, or it does not hold."""


def command(*program: str, folder: Path | None = None) -> list[str]:
    """The command that runs a program in the box; folder is all that it may change outside."""
    limits = [f"--as={8 * GB}", "--nproc=200", f"--fsize={4 * FILES}", "--cpu=600"]
    package = Path(__file__).parents[1]
    data = storage.cache_folder()
    settings = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(package.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
        "MODALITY_GAP_CACHE": "/data",
    }
    if os.environ.get(TRUST):
        settings["MODALITY_GAP_CACHE"] = str(data)
        return ["env", *(f"{name}={value}" for name, value in settings.items()), *program]
    # A session of its own: whoever may open a terminal may type into it.
    argv = ["bwrap", "--new-session", "--die-with-parent", "--cap-drop", "ALL", "--clearenv"]
    if ROOT:  # root keeps its own user namespace until it has become somebody else
        argv += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        argv += ["--unshare-cgroup-try", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        argv += ["--unshare-all", "--unshare-user", "--disable-userns"]
    argv += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev"]
    argv += ["--perms", "1777", "--size", str(GB // 4), "--tmpfs", "/dev/shm"]
    argv += ["--remount-ro", "/dev", "--perms", "1777", "--size", str(GB // 4), "--tmpfs", "/tmp"]
    for link in ("bin", "sbin", "lib", "lib64"):
        if Path("/", link).is_symlink():
            argv += ["--symlink", f"usr/{link}", f"/{link}"]
        else:
            argv += ["--ro-bind-try", f"/{link}", f"/{link}"]
    for file in ("ld.so.cache", "localtime", "fonts", "alternatives"):
        argv += ["--ro-bind-try", f"/etc/{file}", f"/etc/{file}"]
    for path in dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix), package)):
        if not path.is_relative_to("/usr"):
            argv += [*_parents(path), "--ro-bind", str(path), str(path)]
    argv += ["--ro-bind-try", str(data), "/data"]
    if named := os.environ.get("MODALITY_GAP_DATA"):
        argv += ["--ro-bind-try", named, "/named"]
        settings["MODALITY_GAP_DATA"] = "/named"
    if folder:
        argv += [*_parents(folder), "--bind", str(folder), str(folder)]
    argv += ["--remount-ro", "/", "--chdir", "/tmp"]
    for name, value in settings.items():
        argv += ["--setenv", name, value]
    argv += ["--"]
    if ROOT:
        argv += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        argv += ["bwrap", "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--"]
    # Where memory runs out, the box goes first.
    return [*argv, "prlimit", *limits, "--core=0", "choom", "-n", "1000", "--", *program]


def _parents(path: Path) -> list[str]:
    """The folders above a path, open to every user of the box."""
    names = [str(parent) for parent in reversed(path.parents) if str(parent) not in ("/", "/tmp")]
    return [word for name in names for word in ("--dir", name)]


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A fresh folder that a box may be given."""
    folder = Path(tempfile.mkdtemp(prefix="mg"))
    if ROOT:
        os.chown(folder, NOBODY, NOBODY)
    try:
        yield folder
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", folder], capture_output=True)  # follows no link
        shutil.rmtree(folder, ignore_errors=True)


class Watch(threading.Thread):
    """Ends a box that takes too much; `reason` then says what was too much."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        super().__init__(daemon=True)
        self.process, self.folder, self.reason = process, folder, ""
        self.before = psutil.Process().memory_info().rss
        self.start()

    def run(self) -> None:
        """Look three times a second."""
        while self.process.poll() is None and not self.too_much():
            time.sleep(0.3)

    def too_much(self) -> str:
        """Why the box is ended now; nothing if it need not be."""
        try:
            self.reason = self.reason or self.look()
        except psutil.Error:  # it has ended
            pass
        except OSError:
            self.reason = "it shut the folder of its sockets"
        if self.reason:
            self.process.kill()
        return self.reason

    def look(self) -> str:
        """What is too much, or nothing."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        memory = files = 0
        for member in family:
            with suppress(psutil.Error):
                memory += member.memory_info().rss
                files += member.num_fds()
        size, names = 0, 0
        for entry in os.scandir(self.folder):
            names += 1
            with suppress(FileNotFoundError):
                about = entry.stat(follow_symlinks=False)
                plain = stat.S_ISREG(about.st_mode) or stat.S_ISSOCK(about.st_mode)
                size += about.st_size if plain else FILES + 1  # a folder hides, a link leads away
        if len(family) > PROCESSES:
            return f"it started more than {PROCESSES} processes"
        if memory > MEMORY:
            return f"its processes took more than {MEMORY // GB} GB of memory together"
        if psutil.Process().memory_info().rss - self.before > GB:  # ZeroMQ keeps parts to the end
            return "it sent a message without end"
        if size > FILES or names > 100 or files > OPEN:
            return "it wrote too many files"
        return ""


ATTEMPTS = """
import os, socket, sys
outside, port, got = sys.argv[1], int(sys.argv[2]), []
def attempt(name, act):
    try:
        act()
    except OSError:
        return
    got.append(name)
attempt("read a file of yours", lambda: open(outside).read())
attempt("write beside the interpreter", lambda: open(sys.prefix + "/x", "w").close())
attempt("type into your terminal", lambda: open("/dev/tty").close())
attempt("reach the network", lambda: socket.create_connection(("127.0.0.1", port), 2))
if os.getuid() == 0:
    got.append("be root")
def forks():
    for _ in range(400):
        if not os.fork():
            import time
            time.sleep(5)
            os._exit(0)
attempt("start 400 processes", forks)
print("could " + ", ".join(got) if got else "holds")
"""


def check(course: Path) -> None:
    """Try the box before anything is marked.

    Args:
        course: a folder of the teacher's, which a box must not see.

    Raises:
        NoBoxError: there is none, or a program in it could do what it must not; with what to do.
    """
    if os.environ.get(TRUST):
        return
    missing = [name for name in ("bwrap", "prlimit", "setpriv", "choom") if not shutil.which(name)]
    if missing:
        raise NoBoxError(HELP.format(reason=f"{missing[0]} is not installed."))
    with (
        tempfile.NamedTemporaryFile(dir=course) as outside,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        port = str(listener.getsockname()[1])
        argv = command(sys.executable, "-c", ATTEMPTS, outside.name, port)
        run = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    said = (run.stdout or run.stderr).strip().splitlines()
    if said[-1:] != ["holds"]:
        raise NoBoxError(HELP.format(reason=said[-1] if said else f"bwrap ended {run.returncode}"))
