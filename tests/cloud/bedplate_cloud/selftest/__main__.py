"""Runs every check: `PYTHONPATH=tests/cloud python -m bedplate_cloud.selftest [part of a name ...]`."""

import re
import sys
import time
import traceback

from . import (  # noqa: F401
    checks_balancers,
    checks_cache,
    checks_cloud,
    checks_database,
    checks_ec2,
    checks_eks,
    checks_groups,
    checks_kubernetes,
    checks_moments,
    checks_optional,
    checks_platform,
    checks_services,
    checks_switches,
)
from .harness import CHECKS, FOLDER, Cloud


def main(wanted: list[str]) -> int:
    """Run the checks against one cloud and compare them with the README's table."""
    started = time.time()
    failed = unmatched()
    names = [name for name in CHECKS if not wanted or any(part in name for part in wanted)]
    with Cloud() as cloud:
        for name in names:
            try:
                CHECKS[name](cloud)
            except Exception:
                failed += 1
                print(f"FAILED {name}")
                traceback.print_exc(limit=-3)
    print(f"{time.time() - started:.1f} s")
    # xtask reads this line.
    print(f"{len(names) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def unmatched() -> int:
    """Every row of the table has a check and every check has a row."""
    rows = set(re.findall(r"^\| `([a-z][a-z0-9-]+)` \|", (FOLDER / "README.md").read_text(), re.MULTILINE))
    for name in sorted(rows ^ set(CHECKS)):
        print(f"FAILED {name}: {'no check' if name in rows else 'no row in README.md'}")
    return len(rows ^ set(CHECKS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
