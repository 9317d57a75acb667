"""link - a link between two processes that a test can cut: a relay of TCP in this process. Cut,
it carries nothing and closes nothing, as a pulled cable; mended, what was under way arrives."""
import contextlib
import socket
import threading

LANES = ("control", "up", "down")


class Link:
    """The lanes of a parent under another host (127.0.0.2 and so on), by their own numbers or, if
    `mapped`, by others; `ports` says by which. A parent that starts again keeps its numbers."""

    def __init__(self, host, ports, lanes=LANES, mapped=False):
        self.host, self.ports = host, {}
        self._flows = threading.Event()
        self.mend()
        for lane in lanes:
            listener = socket.create_server((host, 0 if mapped else ports[lane]), backlog=64)
            self.ports[lane] = listener.getsockname()[1]
            threading.Thread(target=self._serve, args=(listener, ports[lane]), daemon=True).start()

    def cut(self):
        self._flows.clear()

    def mend(self):
        self._flows.set()

    def lead(self, state):
        """The node with this state directory goes this way to its parent from its start on."""
        path = f"{state}/parent"
        with open(path, encoding="ascii") as file:
            key = file.read().split("\n")[1]
        with open(path, "w", encoding="ascii") as file:
            file.write(f"tcp://{self.host}:{self.ports['control']}\n{key}\n")

    def _serve(self, listener, port):
        while True:
            here, _ = listener.accept()
            threading.Thread(target=self._carry, args=(here, port), daemon=True).start()

    def _carry(self, here, port):
        self._flows.wait()
        try:
            there = socket.create_connection(("127.0.0.1", port))
        except OSError:
            here.close()
            return
        other = threading.Thread(target=self._pump, args=(there, here), daemon=True)
        other.start()
        self._pump(here, there)
        other.join()
        here.close()
        there.close()

    def _pump(self, one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self._flows.wait()
                other.sendall(data)
        self._flows.wait()
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
