"""copier - a trainer that stays, in plain Python, and gives the model back as it came but for its
last value: a model is masked once in a run, so each round must make another. Its answer has the
nanoseconds of its own work, with a copy of its tensors for comparison, and of the copy."""
import json
import mmap
import os
import struct
import time


def main():
    with open(os.environ["FL_MODEL"], "rb") as file:
        model = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    with open(os.environ["FL_UPDATE"], "r+b") as file:
        update = memoryview(mmap.mmap(file.fileno(), 0))
    own, other = (memoryview(mmap.mmap(-1, len(model))) for _ in range(2))
    with os.fdopen(int(os.environ["FL_TRAINER_IN"])) as asked, \
            os.fdopen(int(os.environ["FL_TRAINER_OUT"]), "w") as out:
        print('{"is":"hello","protocol":1}', file=out, flush=True)
        for line in asked:
            begun = time.perf_counter_ns()
            with open(os.path.join(os.environ["FL_DIR"], "metrics.json"), "w",
                      encoding="ascii") as file:
                json.dump({"samples": 60}, file)
            own[:] = model
            taken = time.perf_counter_ns()
            other[:] = own
            copied = time.perf_counter_ns()
            update[:] = own
            struct.pack_into("<f", update, len(own) - 4, struct.unpack("<f", own[-4:])[0] + 0.01)
            print(json.dumps({"id": json.loads(line)["id"], "code": 0,
                              "text": f"{copied - begun} {copied - taken}"}), file=out, flush=True)


main()
