#!/usr/bin/env python3
"""Power cuts, simulated: what `keng serve` has confirmed must be there afterwards.

A file system of its own (ext4 in an image file, through a loop device) holds the store. `keng town`, in
a process outside of it, is the platform: residents write without pause, and it knows which updates the
program has confirmed. In the middle of the writing the program is stopped, and the file system is shut
down without flushing its journal, as xfstests do: everything that was not synced is gone. Then it is
mounted again; `keng verify` must be clean, and `keng export incidents` must hold each confirmed message
exactly once. The next cut goes on with the same store.

Kinder than reality: the cache of the drive itself survives. Needs root, loop devices and a built
`target/release/keng` (or KENG_BIN); without root or loop devices it says so and ends with "skipped".

    tests/powercut.py --cuts 40
"""

import argparse
import fcntl
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

EXT4_IOC_SHUTDOWN = 0x8004587D
EXT4_GOING_FLAGS_NOLOGFLUSH = 2
TOKEN = "7000000001:AAkengkengkengkengkengkengkengkeng0"  # the default of `keng town --platform telegram`
ROOT = Path(__file__).resolve().parent.parent


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Skip(Exception):
    """This machine cannot do it."""


class Disk:
    """A small disk whose power can be cut."""

    def __init__(self, home, mib):
        self.image, self.mount = home / "image", home / "mnt"
        self.mount.mkdir()
        self.mounted = False
        with open(self.image, "wb") as image:
            image.truncate(mib << 20)
        try:
            run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self.image))
            self.up()
        except (OSError, subprocess.CalledProcessError) as error:
            raise Skip(f"no loop-mounted ext4 here: {getattr(error, 'stderr', '') or error}") from error

    def up(self):
        run("mount", "-o", "loop", str(self.image), str(self.mount))
        self.mounted = True

    def down(self):
        if self.mounted:
            run("umount", str(self.mount))
            self.mounted = False

    def cut(self):
        """Everything that was not synced is gone."""
        fd = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH.to_bytes(4, sys.byteorder))
        except OSError as error:
            raise Skip(f"this kernel cannot shut an ext4 down: {error}") from error
        finally:
            os.close(fd)


class Town:
    """The platform, in a process of its own."""

    def __init__(self, keng):
        self.port = free_port()
        self.process = subprocess.Popen(
            [keng, "town", "--platform", "telegram", "--listen", f"127.0.0.1:{self.port}"], stdout=subprocess.DEVNULL
        )
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        for _ in range(200):
            try:
                self.ask("stats")
                break
            except OSError:
                self.connection.close()
                time.sleep(0.05)
        self.groups = [
            self.ask("chat", title=f"Tổ {n}", kind="supergroup", bot="admin")["id"] for n in range(3)
        ]
        self.people = [self.ask("person", name=f"Người {n}")["id"] for n in range(5)]
        self.tagged = []  # (number of updates before it, room, message)
        self.updates = None  # known once the rooms' own updates are confirmed

    def ask(self, act, **body):
        self.connection.request("POST", f"/sim/{act}", json.dumps(body), {"content-type": "application/json"})
        answer = json.loads(self.connection.getresponse().read())
        if "error" in answer:
            raise RuntimeError(f"/sim/{act}: {answer['error']}")
        return answer

    def say(self, dice):
        number, room = self.updates, dice.choice(self.groups)
        tagged = dice.random() < 0.7
        text = (
            f"#tromcap mất xe đạp số {number} ở ngõ {number} lúc 3h sáng"
            if tagged
            else f"chuyện phiếm thứ {number}, ai đi chợ không"
        )
        message = self.ask("say", person=dice.choice(self.people), chat=room, text=text)["message_id"]
        if tagged:
            self.tagged.append((number, str(room), str(message)))
        self.updates += 1


class Ward:
    """`keng serve` with its store on the disk."""

    def __init__(self, keng, home, mount, town):
        self.keng, self.home, self.data = keng, home, mount / "data"
        self.config, self.log = home / "ward.toml", home / "log"
        rooms = "".join(
            f'[[room]]\naccount = "tg1"\nnative = "{room}"\narea = "06862/thon-ha"\n' for room in town.groups
        )
        self.config.write_text(
            f'[store]\npath = "{self.data}"\n[web]\nlisten = "127.0.0.1:0"\n[log]\nlevel = "warn"\n'
            f'[[account]]\nname = "tg1"\nplatform = "telegram"\napi_url = "http://127.0.0.1:{town.port}"\n'
            'token = { env = "KENG_TEST_TOKEN" }\nlimits = { per_second = 1000, room_per_minute = 100000 }\n'
            '[[officer]]\nname = "Đ/c Hà"\nrole = "officer"\narea = "06862"\naccounts = { tg1 = "1" }\n' + rooms
        )
        self.environment = {**os.environ, "KENG_TEST_TOKEN": TOKEN}
        self.process = None

    def serve(self):
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.keng, "serve", "--config", str(self.config)],
                cwd=self.home,
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        return self.process

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def call(self, *arguments, timeout=120):
        return subprocess.run(
            [self.keng, *arguments, "--config", str(self.config)],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def recorded(self):
        """How often each message is recorded; None when the store cannot be read."""
        done = self.call("export", "incidents")
        if done.returncode != 0:
            return None, done.stderr.strip()
        times = {}
        for line in done.stdout.splitlines():
            for report in json.loads(line)["reports"]:
                key = (report["room"], report["message_id"])
                times[key] = times.get(key, 0) + 1
        return times, ""

    def rebuilt(self):
        return sum(1 for entry in self.data.iterdir() if entry.name.startswith("sled.damaged"))


def one_cut(number, disk, town, ward, dice, total):
    life = dice.uniform(0.2, 1.5)
    calls = town.ask("stats")["calls"]
    process = ward.serve()
    # Its life begins when it speaks to the platform; every fifth one is cut while it starts.
    deadline = time.monotonic() + (30 if number % 5 else 0)
    while town.ask("stats")["calls"] == calls and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    stop = threading.Event()
    failed = []

    def write():
        try:
            while not stop.is_set():
                town.say(dice)
        except Exception as error:  # shown below, by the thread that can end the program
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(life)
    early = process.poll()
    os.kill(process.pid, signal.SIGSTOP)
    stop.set()
    writer.join()
    if failed:
        raise failed[0]
    # What left before the stop has arrived by now.
    time.sleep(0.05)
    confirmed = town.ask("stats")["confirmed"]
    disk.cut()
    process.kill()
    process.wait()
    disk.down()
    disk.up()

    rebuilt_before = ward.rebuilt() if ward.data.exists() else 0
    must = [(room, message) for before, room, message in town.tagged if before < confirmed]
    # The order changes, so that either meets the store as the cut has left it.
    if number % 2:
        times, why = ward.recorded()
        verified = ward.call("verify")
    else:
        verified = ward.call("verify")
        times, why = ward.recorded()
    clean = verified.returncode == 0 and verified.stdout.rstrip().endswith("clean")
    rebuilt = (ward.rebuilt() if ward.data.exists() else 0) - rebuilt_before
    lost = [key for key in must if times is None or key not in times]
    twice = [key for key, count in (times or {}).items() if count > 1]
    opened = times is not None and clean
    print(
        f"cut {number + 1}: after {1000 * life:.0f} ms{'' if number % 5 else ' from its start'}, {len(must) - total['acknowledged']} newly acknowledged, "
        f"{len(must)} in all, {len(times or {})} recorded, {len(lost)} lost, {len(twice)} twice, "
        f"{'clean' if opened else 'NOT CLEAN'}{f', sled rebuilt {rebuilt} times' if rebuilt else ''}",
        flush=True,
    )
    if not opened:
        print(f"  verify: {verified.stdout[-2000:]}{verified.stderr[-2000:]}\n  export: {why[-2000:]}")
    if early is not None:
        print(f"  keng serve had ended by itself with {early}: {ward.log.read_text(encoding='utf-8')[-2000:]}")
        total["ended"] += 1
    for key in lost[:5]:
        print(f"  lost: message {key[1]} of {key[0]}")
    total["acknowledged"] = len(must)
    total["lost"] += len(lost)
    total["twice"] += len(twice)
    total["unopenable"] += not opened
    total["rebuilt"] += rebuilt
    return opened and not lost


def last_run(town, ward, total):
    """Left alone, the program takes the rest: everything is recorded once."""
    process = ward.serve()
    deadline = time.monotonic() + 60
    while town.ask("stats")["pending"] and time.monotonic() < deadline:
        time.sleep(0.1)
    process.terminate()
    if process.wait(timeout=15) != 0:
        total["unopenable"] += 1
    times, why = ward.recorded()
    wanted = {(room, message) for _, room, message in town.tagged}
    lost, twice = wanted - set(times or {}), [key for key, count in (times or {}).items() if count > 1]
    print(f"last run: {len(wanted)} tagged, {len(times or {})} recorded, {len(lost)} missing, {len(twice)} twice {why}")
    total["lost"] += len(lost)
    total["twice"] += len(twice)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cuts", type=int, default=5, help="how many power cuts (default 5)")
    options.add_argument("--seed", type=int, default=42)
    options.add_argument("--keep", action="store_true", help="keep the image after a failure")
    options = options.parse_args()
    keng = os.path.abspath(os.environ.get("KENG_BIN") or ROOT / "target/release/keng")
    if os.geteuid() != 0:
        print("skipped: power cuts need root, for a loop device and EXT4_IOC_SHUTDOWN")
        return 0
    if not os.access(keng, os.X_OK):
        print(f"there is no {keng}: run `cargo build --release` first")
        return 1

    dice = random.Random(options.seed)
    home = Path(tempfile.mkdtemp(prefix="keng-powercut-"))
    total = dict.fromkeys(("acknowledged", "lost", "twice", "unopenable", "ended", "rebuilt"), 0)
    disk = town = ward = None
    good = False
    try:
        disk = Disk(home, 1024)
        town = Town(keng)
        ward = Ward(keng, home, disk.mount, town)
        # One quiet run: the rooms join, and every later update is one of ours.
        process = ward.serve()
        deadline = time.monotonic() + 30
        while town.ask("stats")["pending"]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the first run took nothing: {ward.log.read_text(encoding='utf-8')}")
            time.sleep(0.05)
        process.terminate()
        process.wait(timeout=15)
        town.updates = town.ask("stats")["confirmed"]
        done = 0
        for number in range(options.cuts):
            held = one_cut(number, disk, town, ward, dice, total)
            done += 1
            if not held:
                # What is lost stays lost: further cuts would only count it again.
                break
        else:
            last_run(town, ward, total)
        print(
            f"{done} cuts, {total['acknowledged']} acknowledged, {total['lost']} lost, "
            f"{total['unopenable']} unopenable"
            + (f", {total['twice']} recorded twice" if total["twice"] else "")
            + (f", sled rebuilt {total['rebuilt']} times" if total["rebuilt"] else "")
        )
        good = done == options.cuts and total["acknowledged"] > 0
        good = good and not any(total[key] for key in ("lost", "twice", "unopenable", "ended"))
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
        if good or not options.keep:
            shutil.rmtree(home, ignore_errors=True)
        else:
            print(f"kept: {home}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
