"""replay - trains the rounds of a run anew, outside the fabric, from what the ledger kept of it:
the signed orders, the settings, and whose update was in. The sums and the models must be those
whose hashes stand in the ledger. For synthetic trainers, in a run that is unmasked or pinned: else
only a device can make its updates again."""
import contextlib
import os
import sqlite3

from fabric import binary, expect, logfmt, run

IN = 1      # FL_OUT_IN
DONE = 0    # FL_CLOSE_DONE
DEFAULTS = {"plan.clip": "1", "plan.bits": "16", "plan.pin": "false", "late.policy": "carry",
            "late.staleness_max": "3", "server.optimizer": "fedavgm", "server.rate": "1",
            "server.momentum": "0.5"}


def _settings(recipe):
    """What of the run's text the devices' plan and the root's next model follow from."""
    own = dict(line.split(": ", 1) for line in recipe.splitlines() if ": " in line)
    said = {key: own.get(key, value) for key, value in DEFAULTS.items()}
    return {"clip": said["plan.clip"], "bits": said["plan.bits"],
            "pin": int(said["plan.pin"] == "true"), "late": int(said["late.policy"] == "carry"),
            "staleness_max": said["late.staleness_max"], "optimizer": said["server.optimizer"],
            "rate": said["server.rate"], "momentum": said["server.momentum"]}


def _lines(ledger, row, devices):
    """The round and who was in it, as `evidence rerun` reads it."""
    yield f"round {row['order_bytes'].hex()} {row['settings'].hex()}"
    receipts = ledger.execute(
        "SELECT node, outcome, staleness FROM receipt WHERE run=? AND round=? AND attempt=?",
        (row["run"], row["round"], row["attempt"]))
    for receipt in receipts:
        name = receipt["node"].rstrip(b"\0").decode("ascii")
        if receipt["outcome"] == IN and name in devices:
            expect(receipt["staleness"] == 0, f"{name} sent what it had from an older round")
            seed, samples = devices[name]
            yield f"device {name} {seed} {samples}"
    yield "end"


def replay(state, name, devices):
    """Replay the newest run of that name. `state`: the root's directory; `devices`: {name: (seed,
    samples)} of all that may have been in. Answers how many rounds gave what the ledger says."""
    path = os.path.join(state, "ledger.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
        ledger.row_factory = sqlite3.Row
        about = ledger.execute("SELECT run, recipe FROM run WHERE name=? ORDER BY number DESC",
                               (name,)).fetchone()
        expect(about, f"the ledger knows no run {name}")
        rows = ledger.execute("SELECT * FROM round WHERE run=? AND close=? ORDER BY round",
                              (about["run"], DONE)).fetchall()
        text = "\n".join(line for row in rows for line in _lines(ledger, row, devices))
    file = os.path.join(state, f"replay-{name}.txt")
    with open(file, "w", encoding="ascii") as out:
        out.write(text + "\n")
    words = {"file": file, "name": name, **_settings(about["recipe"])}
    code, said, errors = run([binary("evidence"), "rerun",
                              *(f"{key}={value}" for key, value in words.items())], 60)
    expect(code == 0, f"round of {name} cannot be made again: {errors.strip()}")
    made = [logfmt("id=" + line) for line in said.splitlines()]
    expect(len(made) == len(rows), f"{len(made)} of {len(rows)} rounds were made again")
    for row, one in zip(rows, made):
        kept = {"number": str(row["round"]), "weight": str(row["weight"]),
                "count": str(row["count"]), "sum": row["sum"].hex(), "model": row["model"].hex()}
        got = {key: one[key] for key in kept}
        expect(got == kept, f"{name}: the ledger says {kept}, made again it is {got}")
    return len(rows)
