#!/usr/bin/env python3
"""Start LocalStack without Docker, for tests: `python3 tests/localstack/start.py`.

Prints `localstack ready: http://127.0.0.1:PORT` and runs until Ctrl-C, SIGTERM or, with --exit-with-parent, the end of the
process that started it. The first run makes a virtual environment (about a minute, from the package index that pip is
configured with). Needs Python 3.11 or newer for itself, and for LocalStack Python 3.13, 3.12 or 3.11, in this order.

Exit codes: 0 stopped as asked, 1 failed, 2 wrong arguments, 77 no Python that LocalStack runs on (count it as skipped).
"""

import argparse
import fcntl
import glob
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REQUIREMENTS = HERE / "requirements.txt"

# LocalStack 4.14 is made for the first; launch.py makes it run on the others.
VERSIONS = ("3.13", "3.12", "3.11")

# Without dynamodb: it is a Java program, which LocalStack would download. localstack-compose.yml has it.
SERVICES = ("cloudwatch", "ec2", "iam", "kms", "logs", "s3", "secretsmanager", "sns", "sts")

# Printed by a Python that can make the environment. Debian packages venv and ensurepip separately.
PROBE = "import ensurepip, platform, sqlite3, ssl, venv; print(platform.python_implementation(), platform.python_version())"


class Stop(Exception):
    """Somebody wants us to end."""


class Failure(Exception):
    """What went wrong, for the person who started us."""

    code = 1


class NoPython(Failure):
    code = 77


def main():
    arguments = parse()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    parent = os.getppid() if arguments.exit_with_parent else None
    try:
        python = environment(arguments.venv.resolve(), arguments.python, parent)
        if not arguments.set_up_only:
            serve(python, arguments.port or free_port(), arguments.log, parent)
    except Stop:
        return 0
    except Failure as failure:
        print(f"localstack: {failure}", file=sys.stderr)
        return failure.code


def parse():
    every = os.environ.get("BEDPLATE_VENV_DIR")
    venv = ROOT / every / "localstack" if every else ROOT / ".venv-localstack"
    parser = argparse.ArgumentParser(description="Start LocalStack without Docker.", allow_abbrev=False)
    parser.add_argument("--port", type=int, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when the starting process is gone")
    parser.add_argument("--log", type=pathlib.Path, help="keep LocalStack's log there (default: shown if it fails)")
    parser.add_argument("--venv", type=pathlib.Path, default=venv, help="its virtual environment (default: %(default)s)")
    parser.add_argument("--python", help="make the environment with this Python instead of the best one found")
    parser.add_argument("--set-up-only", action="store_true", help="make the environment and start nothing")
    return parser.parse_args()


def stop(*_):
    # One is enough: a second Ctrl-C must not interrupt the clean-up.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Stop


def check_parent(parent):
    if parent is not None and os.getppid() != parent:
        stop()


# The environment


def environment(directory, wanted, parent):
    """The Python of an environment that has exactly the pinned packages."""
    directory.mkdir(parents=True, exist_ok=True)
    python = directory / "bin/python"
    stamp = directory / "bedplate-stamp"
    # Two test runs may start at once. pip inherits the lock, so that one whose start.py was killed still holds it.
    with open(directory / "lock", "w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                check_parent(parent)
                time.sleep(0.1)

        pins = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
        base = find_python(wanted) if wanted else None
        made = version(python)
        if made and (not base or made == base[1]) and read(stamp) == f"{made} {pins}\n":
            return python

        base, number = base or find_python(None)
        print(f"localstack: setting up Python {number} in {directory} …", file=sys.stderr)
        for entry in directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()
        run([base, "-m", "venv", directory], lock, parent, "make the virtual environment")
        # Not compiled: most of it is never imported, and compiling takes as long as the rest.
        pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"]
        run([python, *pip, "--require-hashes", "-r", REQUIREMENTS], lock, parent, "install the pinned packages")
        unfinished = directory / "bedplate-stamp.new"
        unfinished.write_text(f"{number} {pins}\n")
        unfinished.replace(stamp)
        return python


def read(path):
    return path.read_text() if path.exists() else None


def run(command, lock, parent, what):
    """Run to the end, or end it with everything it started when we have to stop."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, pass_fds=[lock.fileno()], start_new_session=True
    )
    try:
        while process.poll() is None:
            check_parent(parent)
            time.sleep(0.05)
    finally:
        kill(process)
    if process.returncode != 0:
        raise Failure(f"cannot {what} (exit code {process.returncode}, see above)")


def find_python(wanted):
    """A Python that LocalStack runs on, with its version: `(path, "3.13.1")`."""
    for series in VERSIONS:
        for candidate in [wanted] if wanted else candidates(series):
            found = version(candidate)
            if found and found.rpartition(".")[0] == series:
                return candidate, found
    if wanted:
        raise NoPython(f"{wanted} does not run or is not CPython {', '.join(VERSIONS)} with its venv module")
    raise NoPython(
        f"no usable Python {', '.join(VERSIONS)} (CPython with its venv module) found, so LocalStack cannot run: "
        "install one (Debian 13: apt install python3.13-venv; Debian 12: apt install python3-venv; "
        "pyenv install 3.13; uv python install 3.13; brew install python@3.13) or name one with --python"
    )


def candidates(series):
    yield sys.executable
    # The one that a virtual environment was made with, when we run in one.
    yield getattr(sys, "_base_executable", sys.executable)
    # On the path there may be a shim in front of the real one, and pyenv's refuses to run what is not switched on.
    for directory in os.get_exec_path():
        yield os.path.join(directory, f"python{series}")
    for directory in os.get_exec_path():
        yield os.path.join(directory, "python3")
    yield from pyenv(series)
    if uv := shutil.which("uv"):
        # Finds what is there and downloads nothing.
        yield output([uv, "python", "find", "--no-project", "--no-python-downloads", series])


def pyenv(series):
    roots = [os.environ.get("PYENV_ROOT"), os.path.expanduser("~/.pyenv")]
    if shutil.which("pyenv"):
        roots.append(output(["pyenv", "root"]))
    for root in dict.fromkeys(filter(None, roots)):
        versions = glob.glob(os.path.join(glob.escape(root), "versions", f"{series}.*", "bin", "python"))
        yield from sorted(versions, key=lambda path: [int(n) for n in number_of(path)], reverse=True)


def number_of(path):
    # …/versions/3.13.1/bin/python; names such as 3.13.0rc2 or 3.13-dev come last.
    parts = pathlib.Path(path).parts[-3].split(".")
    return parts if all(part.isdigit() for part in parts) else ["0"]


def version(python):
    """The version of a Python that can make the environment, or None."""
    if not python or not os.access(python, os.X_OK) and not shutil.which(str(python)):
        return None
    implementation, _, number = (output([python, "-I", "-c", PROBE]) or "").partition(" ")
    return number if implementation == "CPython" else None


def output(command):
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# The server


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def settings(port, state):
    """LocalStack's environment: nothing of ours, since many of its settings are plain words such as DEBUG."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return kept | {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        # What answers call it. The default is a name that only a public name server knows.
        "LOCALSTACK_HOST": f"localhost:{port}",
        "SERVICES": ",".join(SERVICES),
        "STRICT_SERVICE_LOADING": "1",
        # A test machine is often a container itself, and then it would listen on every address and write to /var/lib.
        "OVERRIDE_IN_DOCKER": "0",
        "FILESYSTEM_ROOT": state,
        "HOME": state,
        "TMPDIR": state,
        # Usage events, the certificate for its public name, its own name server on port 53.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "PYTHONUNBUFFERED": "1",
    }


def serve(python, port, log, parent):
    state = tempfile.mkdtemp(prefix="bedplate-localstack-")
    process = None
    try:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except (OSError, OverflowError) as error:
            raise Failure(f"port {port}: {error}") from None
        log = log or pathlib.Path(state, "localstack.log")
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [python, HERE / "launch.py", str(os.getpid()), state],
                cwd=state,
                env=settings(port, state),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches us alone, and what it starts ends with it.
                start_new_session=True,
            )
        wait_until_ready(process, port, log, parent)
        print(f"localstack ready: http://127.0.0.1:{port}", flush=True)
        while process.poll() is None:
            check_parent(parent)
            time.sleep(0.1)
        raise Failure(f"ended by itself (exit code {process.returncode}):\n{tail(log)}")
    finally:
        if process:
            kill(process)
        shutil.rmtree(state, ignore_errors=True)


def wait_until_ready(process, port, log, parent):
    # Right after the installation nothing is compiled, and other test runs may want the processor.
    deadline = time.monotonic() + 180
    while not is_ready(port):
        check_parent(parent)
        if process.poll() is not None:
            raise Failure(f"did not start (exit code {process.returncode}):\n{tail(log)}")
        if time.monotonic() > deadline:
            raise Failure(f"did not become ready in three minutes:\n{tail(log)}")
        time.sleep(0.05)


def is_ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_localstack/health")
        services = json.load(connection.getresponse())["services"]
        return all(services.get(service) in ("available", "running") for service in SERVICES)
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False
    finally:
        connection.close()


def tail(log):
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])


def kill(process):
    """End a process with its whole group, at once: what it would save is about to be removed."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
