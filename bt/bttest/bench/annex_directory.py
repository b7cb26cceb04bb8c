"""An external special remote of git-annex that keeps keys in a folder: what shoal is measured against. It promises the same:
what is stored is durable under its name when it says so."""
import hashlib
import os
import shutil
import sys


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def hear():
    return sys.stdin.readline().rstrip("\n")


def config(name):
    say("GETCONFIG " + name)
    return hear().partition(" ")[2]


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Directory:
    def path(self, key):
        return os.path.join(self.top, hashlib.sha256(key.encode()).hexdigest()[:2], key)

    def store(self, key, file):
        path = self.path(key)
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
            sync(self.top)
        with open(file, "rb") as source, open(path + ".tmp", "wb") as to:
            shutil.copyfileobj(source, to, 1 << 20)
            to.flush()
            os.fsync(to.fileno())
        os.rename(path + ".tmp", path)
        sync(os.path.dirname(path))

    def transfer(self, args):
        what, key, file = args.split(" ", 2)
        try:
            if what == "STORE":
                self.store(key, file)
            else:
                shutil.copyfile(self.path(key), file)
            say("TRANSFER-SUCCESS %s %s" % (what, key))
        except OSError as e:
            say("TRANSFER-FAILURE %s %s %s" % (what, key, e))

    def run(self):
        say("VERSION 1")
        while line := hear():
            word, _, args = line.partition(" ")
            if word in ("INITREMOTE", "PREPARE"):
                self.top = config("directory")
                os.makedirs(self.top, exist_ok=True)
                say(word + "-SUCCESS")
            elif word == "TRANSFER":
                self.transfer(args)
            elif word == "CHECKPRESENT":
                say("CHECKPRESENT-%s %s" % ("SUCCESS" if os.path.exists(self.path(args)) else "FAILURE", args))
            elif word == "REMOVE":
                try:
                    os.remove(self.path(args))
                except FileNotFoundError:
                    pass
                say("REMOVE-SUCCESS " + args)
            else:
                say("UNSUPPORTED-REQUEST")


Directory().run()
