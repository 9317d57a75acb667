"""masks - what a masked round hides, dug out of a running device and its parent's ledger, so that
a test can look for it afterwards in the memory of whatever should have forgotten it. As root, or as
the user of the processes. Standard library and libsodium's shared object only.
"""
import ctypes
import hashlib
import os
import re
import sqlite3
import struct
import time

from fabric import Failure

MEMBER, CERT, KEY, MEMBERS_MAX = 317, 187, 32, 64
HEAD = 1 + 4 + 16 + 8 + 32 + 8          # of a fact: kind, block, run, round, task, set
ROSTER, MASKSET, SURVIVORS = 1, 3, 4    # kinds of facts
#  fl_secagg_secrets: b, msk, esk, a pair key per member, shares while dealing, held shares, seeds
PAIRS_AT, DEALING_AT = 3 * KEY, (3 + MEMBERS_MAX) * KEY
HELD_AT = DEALING_AT + 2 * MEMBERS_MAX * KEY
SECRETS = HELD_AT + MEMBERS_MAX * 2 * KEY
NOTHING = bytes(KEY)

_sodium = ctypes.CDLL("libsodium.so.23")


def hashed(data):
    return hashlib.blake2b(data, digest_size=32).digest()


def hashed_for(domain, data):
    return hashed(bytes([len(domain)]) + domain + data)


def public_of(secret):
    out = ctypes.create_string_buffer(KEY)
    _sodium.crypto_scalarmult_base(out, secret)
    return out.raw


def shared(secret, point):
    out = ctypes.create_string_buffer(KEY)
    _sodium.crypto_scalarmult(out, secret, point)
    return out.raw


def stream(key, lane, size):
    """The first bytes of a keystream."""
    out = ctypes.create_string_buffer(size)
    _sodium.crypto_stream_chacha20_ietf(out, ctypes.c_ulonglong(size),
                                        struct.pack("<III", lane, 0, 0), key)
    return out.raw


def signed(key, message, signature):
    return _sodium.crypto_sign_verify_detached(signature, message,
                                               ctypes.c_ulonglong(len(message)), key) == 0


# -- the parent's ledger --------------------------------------------------------------------------
class Fact:
    """A fact of a masked round."""

    def __init__(self, raw):
        self.what, self.block = struct.unpack_from("<BI", raw)
        self.run = raw[5:21]
        self.round, = struct.unpack_from("<Q", raw, 21)
        self.task = raw[29:61]
        self.set, = struct.unpack_from("<Q", raw, 61)
        self.list = raw[HEAD:]

    def lines(self):
        """Of a roster: (name, Ed25519 key, epk, mpk)."""
        for at in range(0, len(self.list), MEMBER):
            line = self.list[at:at + MEMBER]
            yield (line[2:18].rstrip(b"\0").decode(), line[18:50], line[CERT:CERT + KEY],
                   line[CERT + KEY:CERT + 2 * KEY])


class Ledger:
    """Of a running parent. Facts of a round go when the next one begins: ask often."""

    def __init__(self, state):
        path = os.path.join(state, "ledger.db")
        self.database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)

    def facts(self):
        """{kind: Fact} of block 0."""
        rows = self.database.execute("SELECT what, fact FROM fact WHERE block = 0").fetchall()
        return {what: Fact(raw) for what, raw in rows}

    def survivors(self, number):
        """The facts when the survivors of this round are among them; None when its time is over."""
        while True:
            found = self.facts()
            known, roster = found.get(SURVIVORS), found.get(ROSTER)
            if known and known.round == number:
                return found
            if roster and roster.round > number:
                return None
            time.sleep(0.001)


# -- memory ---------------------------------------------------------------------------------------
def sanitized(program):
    """A build with sanitizers: their runtimes lock no memory, so there is nowhere to dig, and keep
    much that our code has freed."""
    with open(program, "rb") as file:
        return re.search(rb"__[atm]san_init", file.read()) is not None


def regions(pid, locked=False):
    """(start, end) of what a process may write, or of what of that is locked."""
    start = None
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        for line in file:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....)", line)
            if head:
                start, end = int(head[1], 16), int(head[2], 16)
                wanted = "rw" in head[3]
            elif line.startswith("VmFlags:") and start is not None and wanted:
                if not locked or " lo" in line:
                    yield start, end


def memory(pid, locked=False):
    """The bytes of each region."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for start, end in list(regions(pid, locked)):
            try:
                file.seek(start)
                yield file.read(end - start)
            except OSError:
                pass        # gone, or a device's


def dig(pid, epk, mpk):
    """fl_secagg_secrets of the round whose public keys these are; None when it is not there."""
    for part in memory(pid, locked=True):
        for at in range(KEY, len(part) - SECRETS + KEY, 4):
            secret = part[at:at + KEY]
            found = part[at - KEY:at - KEY + SECRETS]
            if secret.count(0) < 8 and not any(found[DEALING_AT:HELD_AT]) and \
                    public_of(secret) == mpk:
                if public_of(found[2 * KEY:3 * KEY]) == epk:
                    return found
    return None


def named(found):
    """{what: 32 bytes} of the struct; shares by the kind that they are of."""
    out = {"b": found[:KEY], "msk": found[KEY:2 * KEY], "esk": found[2 * KEY:3 * KEY]}
    for i in range(MEMBERS_MAX):
        at = HELD_AT + i * 2 * KEY
        out[f"pair key {i}"] = found[PAIRS_AT + i * KEY:PAIRS_AT + (i + 1) * KEY]
        out[f"share of b {i}"] = found[at:at + KEY]
        out[f"share of msk {i}"] = found[at + KEY:at + 2 * KEY]
    return {what: secret for what, secret in out.items() if secret != NOTHING}


def held(found):
    """How many dealers' shares are in it."""
    return sum(found[HELD_AT + i * 2 * KEY:HELD_AT + i * 2 * KEY + KEY] != NOTHING
               for i in range(MEMBERS_MAX))


def all_of(found, name, hop, edge, roster, maskset, survivors):
    """Every secret of the member `name`: those dug out, its mask seeds, and how their keystreams
    begin. Proves by the signature of its upload that the context is the true one."""
    lines = list(roster.lines())
    index = [line[0] for line in lines].index(name)
    secrets = named(found)
    members = (maskset.set).to_bytes((len(lines) + 7) // 8, "little")
    ctx = hashed(b"HSA2 ctx" + roster.run + bytes([hop]) + edge.encode().ljust(16, b"\0") + b"\0" +
                 struct.pack("<IQ", roster.block, roster.round) + roster.task +
                 hashed_for(b"HSA2 roster", roster.list) + hashed(members))
    ahead = bin(survivors.set & ((1 << index) - 1)).count("1")
    vow = hashed_for(b"HSA2 psig", ctx + struct.pack("<I", index))
    if not signed(lines[index][1], vow, survivors.list[64 * ahead:64 * ahead + 64]):
        raise Failure("the context of the round is not the one that its members signed")
    seeds = {"self": hashed(secrets["b"] + b"HSA2 self" + ctx)}
    for i, line in enumerate(lines):
        if i != index and maskset.set >> i & 1:
            low, high = min(i, index), max(i, index)
            seeds[f"pair {i}"] = hashed(
                shared(secrets["msk"], line[3]) + b"HSA2 mask" + ctx +
                struct.pack("<II", low, high) + lines[low][3] + lines[high][3])
    for whose, seed in seeds.items():
        secrets[f"seed {whose}"] = seed
        for lane in (0, 1):
            secrets[f"keystream {whose}, lane {lane}"] = stream(seed, lane, 64)
    return secrets


def found_in(pid, secrets):
    """Names of those of which 16 bytes in a row, at the start or the end, lie in this process."""
    left = []
    for part in memory(pid):
        for what, secret in secrets.items():
            if part.find(secret[:16]) >= 0 or part.find(secret[-16:]) >= 0:
                left.append(what)
    return sorted(set(left))
