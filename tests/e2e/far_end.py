"""Pyroscope's far end for a test: takes profiles over HTTP and keeps them, read."""
import gzip
import http.server
import threading


def fields(data):
    """(number, value) of each field of a protobuf message; bytes stay bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 2:
            size = varint()
            yield key >> 3, data[at:at + size]
            at += size
        else:
            size = {1: 8, 5: 4}[key & 7]
            yield key >> 3, data[at:at + size]
            at += size


def message(data):
    """{number: [values]} of a protobuf message."""
    found = {}
    for number, value in fields(data):
        found.setdefault(number, []).append(value)
    return found


def numbers(values):
    """A repeated integer, packed or not."""
    result = []
    for value in values:
        if isinstance(value, int):
            result.append(value)
            continue
        packed = value
        number = shift = 0
        for byte in packed:
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                result.append(number)
                number = shift = 0
    return result


class Sample:
    """`stack`: function names, the root first; "" where there is none. `mappings`: their mappings."""

    def __init__(self, stack, mappings, labels, value):
        self.stack, self.mappings, self.labels, self.value = stack, mappings, labels, value


class Profile:
    """A profile as it was received: labels, and what its pprof says."""

    def __init__(self, labels, pprof):
        self.labels = labels
        if pprof[:2] == b"\x1f\x8b":
            pprof = gzip.decompress(pprof)
        top = message(pprof)
        strings = [text.decode() for text in top[6]]
        functions = {f[1][0]: strings[f.get(2, [0])[0]] for f in map(message, top.get(5, []))}
        mappings = {m[1][0]: strings[m.get(5, [0])[0]] for m in map(message, top.get(3, []))}
        places = {}
        for location in map(message, top.get(4, [])):
            # The innermost of inlined functions comes first.
            lines = [functions[message(line)[1][0]] for line in location.get(4, [])] or [""]
            places[location[1][0]] = (lines, mappings.get(location.get(2, [0])[0], ""))
        self.samples = []
        for sample in map(message, top.get(2, [])):
            stack, where = [], []
            for location in reversed(numbers(sample.get(1, []))):
                lines, mapping = places[location]
                stack += reversed(lines)
                where += [mapping] * len(lines)
            labels_here = {strings[l[1][0]]: strings[l.get(2, [0])[0]]
                           for l in map(message, sample.get(3, []))}
            self.samples.append(Sample(tuple(stack), where, labels_here, numbers(sample[2])[0]))
        self.types = [tuple(strings[i] for i in (t[1][0], t[2][0])) for t in map(message, top.get(1, []))]
        self.period = top.get(12, [0])[0]
        self.start, self.duration = top.get(9, [0])[0], top.get(10, [0])[0]
        self.end = self.start + self.duration

    @property
    def service(self):
        return self.labels["service_name"]

    @property
    def total(self):
        return sum(sample.value for sample in self.samples)

    def names(self):
        return {name for sample in self.samples for name in sample.stack}


class FarEnd:
    """`with FarEnd() as far:`; `far.url` is for an endpoint of pyroscope.write."""

    def __enter__(self):
        self.lock, self.received = threading.Lock(), []
        far = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                far.take(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/proto")
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def take(self, body):
        taken = []
        for series in message(body).get(1, []):
            series = message(series)
            labels = {pair[1][0].decode(): pair.get(2, [b""])[0].decode()
                      for pair in map(message, series.get(1, []))}
            for sample in series.get(2, []):
                taken.append(Profile(labels, message(sample)[1][0]))
        with self.lock:
            self.received += taken

    def profiles(self, service=None, since=0):
        """Those of a service whose interval began at `since` (Unix time in nanoseconds) or later."""
        with self.lock:
            return [p for p in self.received
                    if service in (None, p.service) and p.start >= since]
