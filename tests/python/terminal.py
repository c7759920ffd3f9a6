"""Runs a program in a terminal of its own, types, and prints what a person would see.

    python terminal.py COLUMNS KEYS PROGRAM [ARGUMENT...]

KEYS is a JSON list of [words, answer]: once the words are on the screen, the answer is typed. The result is JSON: the exit code, and
everything that was written to the terminal, with its escape sequences.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

PATIENCE = 120


def main():
    columns, keys, *command = sys.argv[1:]
    keys = json.loads(keys)
    child, terminal = pty.fork()
    if child == 0:
        os.execv(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(columns), 0, 0))
    seen, looked_at, end = b"", 0, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            new = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other end is closed.
            break
        if not new:
            break
        seen += new
        if keys and keys[0][0].encode() in seen[looked_at:]:
            looked_at = len(seen)
            os.write(terminal, keys.pop(0)[1].encode())
    else:
        os.kill(child, 9)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps({"code": code, "seen": seen.decode(errors="replace"), "not_asked": [words for words, _ in keys]}))


main()
