#!/usr/bin/env python3
"""A full disk: `keng serve` must say so, end with an error, and lose nothing that it has confirmed.

The store lies on a small ext4 in an image file. Residents write until there is no room left; then the
program must end by itself, with an exit code that is not 0 and words that name the disk. Afterwards room
is made: `keng verify` must be clean, each confirmed message recorded exactly once, and the program must
take the rest. Skips where tests/powercut.py does.

    tests/fulldisk.py --rounds 3
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
from powercut import ROOT, Disk, Skip, Town, Ward

BALLAST = "ballast"


def fill(disk, leave_mib):
    """Leaves so much room on the disk, until the ballast is thrown off."""
    free = os.statvfs(disk.mount)
    size = free.f_bavail * free.f_frsize - (leave_mib << 20)
    with open(disk.mount / BALLAST, "wb") as ballast:
        for _ in range(size >> 20):
            ballast.write(bytes(1 << 20))
        os.fsync(ballast.fileno())


def one_round(number, disk, town, ward, dice):
    fill(disk, dice.randint(1, 8))
    log_before = ward.log.stat().st_size
    process = ward.serve()
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        town.say(dice)
    code = process.poll()
    said = ward.log.read_text(encoding="utf-8")[log_before:]
    confirmed = town.ask("stats")["confirmed"]
    must = [(room, message) for before, room, message in town.tagged if before < confirmed]
    problems = []
    if code is None:
        problems.append("it goes on although the disk is full")
        ward.end()
    elif code <= 0:
        problems.append(f"it ended with {code}")
    if "the disk is full: make room" not in said:
        problems.append("it does not say that the disk is full")
    # Started again it refuses, or goes on for as long as sled finds room within its own file.
    try:
        refused = ward.call("serve", timeout=30)
        again = (refused.stderr.strip().splitlines() or [""])[-1]
        if refused.returncode <= 0:
            problems.append(f"started again it ended with {refused.returncode}: {refused.stderr[-300:]}")
        elif "make room" not in refused.stderr:
            problems.append(f"started again on the full disk it does not say so: {refused.stderr[-300:]}")
    except subprocess.TimeoutExpired:
        again = "it serves: what waits finds room"
    (disk.mount / BALLAST).unlink()
    if ward.rebuilt():
        problems.append("it took a full disk for a damaged sled")
    verified = ward.call("verify")
    if verified.returncode != 0 or not verified.stdout.rstrip().endswith("clean"):
        problems.append(f"not clean: {verified.stdout[-1000:]}{verified.stderr[-1000:]}")
    times, why = ward.recorded()
    lost = [key for key in must if times is None or times.get(key) != 1]
    if lost:
        problems.append(f"{len(lost)} acknowledged messages are not there once: {why}")
    print(f"round {number + 1}: {len(must)} acknowledged, {len(lost)} lost, exit code {code}", flush=True)
    last = [line for line in said.splitlines() if line.strip()]
    print(f"  it said: {last[-1] if last else 'nothing'}")
    print(f"  started again: {again}")
    for problem in problems:
        print(f"  WRONG: {problem}")
    return not problems


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options = options.parse_args()
    keng = os.path.abspath(os.environ.get("KENG_BIN") or ROOT / "target/release/keng")
    if os.geteuid() != 0:
        print("skipped: a small disk needs root, for a loop device")
        return 0
    dice = random.Random(7)
    home = Path(tempfile.mkdtemp(prefix="keng-fulldisk-"))
    disk = town = ward = None
    good = True
    try:
        disk = Disk(home, 320)
        town = Town(keng)
        ward = Ward(keng, home, disk.mount, town)
        # Otherwise it would not even start on so little room; the limit itself is seen at the second start.
        config = ward.config.read_text(encoding="utf-8")
        ward.serve()
        while town.ask("stats")["pending"]:
            time.sleep(0.05)
        ward.process.terminate()
        good = ward.process.wait(timeout=15) == 0
        town.updates = town.ask("stats")["confirmed"]
        ward.config.write_text(config.replace("[web]", "min_free_mib = 0\n[web]"), encoding="utf-8")
        for number in range(options.rounds):
            good = one_round(number, disk, town, ward, dice) and good
        ward.config.write_text(config, encoding="utf-8")
        # Something to wait for: a program that is told to stop while it starts is just ended.
        town.say(dice)
        ward.serve()
        deadline = time.monotonic() + 60
        while town.ask("stats")["pending"] and time.monotonic() < deadline:
            time.sleep(0.1)
        ward.process.terminate()
        good = ward.process.wait(timeout=15) == 0 and good
        times, why = ward.recorded()
        missing = [key for _, *key in town.tagged if (times or {}).get(tuple(key)) != 1]
        print(f"{options.rounds} full disks, {len(town.tagged)} tagged, {len(missing)} not recorded once {why}")
        good = good and not missing
    except Skip as reason:
        print(f"skipped: {reason}")
        return 0
    finally:
        if ward:
            ward.end()
        if town:
            town.process.kill()
            town.process.wait()
        if disk:
            disk.down()
        shutil.rmtree(home, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
