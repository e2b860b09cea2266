#!/usr/bin/python3
"""A double of Kubernetes' API server that speaks its wire protocol: lists in pages, chunked watches
with bookmarks, 410 after compaction, TLS with client certificates, bearer tokens, Status objects.

Objects are put, changed and faults set over a second listener (POST /control, see Control). Ports are
told on the descriptor STOKER_READY_FD as "<api> <control>\\n". Source of the protocol:
https://kubernetes.io/docs/reference/using-api/api-concepts."""
import argparse
import base64
import collections
import gzip
import hashlib
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

# Resource: path before it, kind, whether it lies in namespaces.
RESOURCES = {
    "pods": ("/api/v1", "Pod", True),
    "nodes": ("/api/v1", "Node", False),
    "services": ("/api/v1", "Service", True),
    "endpoints": ("/api/v1", "Endpoints", True),
    "namespaces": ("/api/v1", "Namespace", False),
    "endpointslices": ("/apis/discovery.k8s.io/v1", "EndpointSlice", True),
    "ingresses": ("/apis/networking.k8s.io/v1", "Ingress", True),
}
BY_KIND = {kind: name for name, (_, kind, _) in RESOURCES.items()}


def hexes(text, length):
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def meta(name, namespace=None, labels=None, annotations=None, owner=None, manager="kube-controller-manager"):
    """ObjectMeta as a real cluster has it, managed fields and all."""
    made = {"name": name, "uid": "-".join([hexes(name, 8), "4bd1", hexes(namespace or name, 12)]),
            "creationTimestamp": "2026-08-01T10:00:00Z", "generation": 1}
    if namespace:
        made["namespace"] = namespace
    if labels:
        made["labels"] = labels
    if annotations:
        made["annotations"] = annotations
    if owner:
        made["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1],
                                    "uid": hexes(owner[1], 12), "controller": True,
                                    "blockOwnerDeletion": True}]
    made["managedFields"] = [{
        "manager": manager, "operation": "Update", "apiVersion": "v1", "time": "2026-08-01T10:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}, **{f"f:{k}": {} for k in labels or {}}}},
                     "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {
                         ".": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {}, "f:ports": {},
                         "f:resources": {}, "f:terminationMessagePath": {}}},
                         "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:schedulerName": {}}}}]
    return made


def make_pod(name, namespace="default", node="node-a", ip="10.0.0.1", containers=None, labels=None,
             annotations=None, owner=("ReplicaSet", "web-5d4f"), phase="Running", ready="True",
             init_containers=None):
    """A pod in the shape a real cluster gives. Containers: [(name, [(port name, number, protocol)])]."""
    containers = [("app", [("http", 8080, "TCP")])] if containers is None else containers
    init_containers = init_containers or []

    def spec(container):
        title, ports = container
        return {"name": title, "image": f"registry.example/{title}:1.2.3",
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"name": n, "containerPort": p, "protocol": q} if n else
                          {"containerPort": p, "protocol": q} for n, p, q in ports],
                "env": [{"name": "MODE", "value": "production"},
                        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}},
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
                                  "timeoutSeconds": 1, "periodSeconds": 10},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "volumeMounts": [{"name": "kube-api-access-x", "readOnly": True,
                                  "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}

    def status(container):
        title, _ = container
        return {"name": title, "ready": True, "restartCount": 0, "started": True,
                "image": f"registry.example/{title}:1.2.3",
                "imageID": "registry.example/" + title + "@sha256:" + hexes(title, 64),
                "containerID": "containerd://" + hexes(f"{namespace}/{name}/{title}", 64),
                "state": {"running": {"startedAt": "2026-08-01T10:00:05Z"}}, "lastState": {}}

    return {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": meta(name, namespace, {"app": "web"} if labels is None else labels, annotations, owner,
                         "kubelet"),
        "spec": {"volumes": [{"name": "kube-api-access-x", "projected": {"sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}],
            **({"initContainers": [spec(c) for c in init_containers]} if init_containers else {}),
            "containers": [spec(c) for c in containers],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default", "nodeName": node, "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists",
                             "effect": "NoExecute", "tolerationSeconds": 300}],
            "priority": 0, "enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority"},
        "status": {"phase": phase,
                   "conditions": [{"type": t, "status": s, "lastProbeTime": None,
                                   "lastTransitionTime": "2026-08-01T10:00:00Z"}
                                  for t, s in [("Initialized", "True"), ("Ready", ready),
                                               ("ContainersReady", ready), ("PodScheduled", "True")]],
                   "hostIP": "192.168.0.7", **({"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {}),
                   "startTime": "2026-08-01T10:00:00Z",
                   **({"initContainerStatuses": [status(c) for c in init_containers]}
                      if init_containers else {}),
                   "containerStatuses": [status(c) for c in containers], "qosClass": "Burstable"}}


def generated_pod(index):
    """One of many: five containers with a port each, spread over nodes and namespaces."""
    return make_pod(
        f"app-{index:06d}-7d9c5b6f4-{hexes(str(index), 5)}", f"team-{index % 50}", f"node-{index % 500}",
        f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}",
        [(name, [("http", 8080 + i, "TCP")]) for i, name in enumerate(
            ["app", "sidecar", "metrics", "proxy", "logger"])],
        {"app": f"app-{index % 1000}", "pod-template-hash": "7d9c5b6f4", "tier": "backend",
         "app.kubernetes.io/part-of": "shop"},
        {"prometheus.io/scrape": "true", "kubernetes.io/config.seen": f"2026-08-01T10:{index % 60:02d}:00Z"},
        ("ReplicaSet", f"app-{index % 1000}-7d9c5b6f4"))


class BadRequest(Exception):
    """What the server refuses with 400."""


_REQUIREMENT = re.compile(r"""\s*(?:
    (?P<name>[\w./-]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[\w.-]*) |
    (?P<set_name>[\w./-]+)\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\) |
    (?P<no>!?)\s*(?P<presence>[\w./-]+)
    )\s*(?:,|$)""", re.VERBOSE)
# By which fields objects can be selected; besides, by their name and namespace.
_FIELDS = {"pods": {"spec.nodeName", "status.phase"}, "nodes": {"spec.unschedulable"}}


def parse_selector(expression, fields_of=None):
    """[function of the values] of a selector of labels (`k=v`, `k==v`, `k!=v`, `k`, `!k`, `k in (a,b)`,
    `k notin (a)`), or of fields of a resource (the first three)."""
    known = None if fields_of is None else \
        {"metadata.name", "metadata.namespace"} | _FIELDS.get(fields_of, set())
    at, checks = 0, []
    while at < len(expression):
        part = _REQUIREMENT.match(expression, at)
        if part is None or (known is not None and part["operator"] is None):
            raise BadRequest(f"invalid selector: '{expression}'")
        at = part.end()
        if part["operator"]:
            if known is not None and part["name"] not in known:
                raise BadRequest(f"field label not supported: {part['name']}")
            wanted, names = part["operator"] != "!=", {part["value"]}
            checks.append(lambda values, k=part["name"], w=wanted, n=names: (values.get(k) in n) == w)
        elif part["set"]:
            wanted, names = part["set"] == "in", {one.strip() for one in part["values"].split(",")}
            checks.append(lambda values, k=part["set_name"], w=wanted, n=names: (values.get(k) in n) == w)
        else:
            checks.append(lambda values, k=part["presence"], w=not part["no"]: (k in values) == w)
    return checks


def matches(checks, values):
    return all(check(values) for check in checks)


class Entry:
    """An object as JSON, and what selectors ask of it."""

    def __init__(self, body):
        metadata = body["metadata"]
        self.key = (metadata.get("namespace", ""), metadata["name"])
        self.labels = metadata.get("labels", {})
        self.fields = {"metadata.name": self.key[1], "metadata.namespace": self.key[0],
                       "spec.nodeName": body.get("spec", {}).get("nodeName", ""),
                       "status.phase": body.get("status", {}).get("phase", "")}
        own = {"kind": body["kind"], "apiVersion": body["apiVersion"]}
        self.text = json.dumps({**own, **body}, separators=(",", ":")).encode()
        self._own_size = len(json.dumps(own, separators=(",", ":")))

    def item(self):
        """As in a list, where an object does not say of what kind it is."""
        return b"{" + self.text[self._own_size:]

    def selected(self, query):
        return (query.namespace in ("", self.key[0])
                and matches(query.fields, self.fields) and matches(query.labels, self.labels))


class Query:
    def __init__(self, resource, namespace, parameters):
        self.resource = resource
        self.namespace = namespace
        self.parameters = parameters
        self.labels = parse_selector(parameters.get("labelSelector", ""))
        self.fields = parse_selector(parameters.get("fieldSelector", ""), resource)

    def number(self, name):
        """The value of a parameter that is a number; 0 where it is not given."""
        text = self.parameters.get(name, "0") or "0"
        if not text.isascii() or not text.isdigit():
            raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)


class Cluster:
    """The objects, and the log of their changes that watches read."""

    def __init__(self):
        self.changed = threading.Condition()
        self.version = 100
        self.objects = {name: {} for name in RESOURCES}
        # (version, resource, before, after) of each change, those since compaction.
        self.log = collections.deque()
        self.compacted = 100
        self.faults = []
        self.tokens = set()
        # Watches begun before it end, so.
        self.drop = (0, "end")
        self.bookmark_seconds = 0.5
        self.requests = []

    def put(self, body):
        with self.changed:
            self.version += 1
            body["metadata"]["resourceVersion"] = str(self.version)
            resource, entry = BY_KIND[body["kind"]], Entry(body)
            before = self.objects[resource].get(entry.key)
            self.objects[resource][entry.key] = entry
            self.log.append((self.version, resource, before, entry))
            self.changed.notify_all()

    def delete(self, resource, namespace, name):
        with self.changed:
            self.version += 1
            before = self.objects[resource].pop((namespace, name))
            self.log.append((self.version, resource, before, None))
            self.changed.notify_all()

    def compact(self):
        with self.changed:
            self.log.clear()
            self.compacted = self.version

    def changes(self, query, since):
        """Events of a watch after a version, and the version they lead to. None: forgotten."""
        if since < self.compacted:
            return None
        events = []
        for version, resource, before, after in reversed(self.log):
            if version <= since:
                break
            if resource != query.resource:
                continue
            was = before is not None and before.selected(query)
            now = after is not None and after.selected(query)
            if now:
                events.append(b'{"type":"%s","object":%s}\n' % (b"MODIFIED" if was else b"ADDED", after.text))
            elif was:
                gone = json.loads(before.text)
                gone["metadata"]["resourceVersion"] = str(version)
                events.append(b'{"type":"DELETED","object":%s}\n' % json.dumps(gone).encode())
        events.reverse()
        return events, self.version

    def fault_for(self, path, watch):
        """The first fault that is set for such a request; one with `times` wears off."""
        with self.changed:
            for fault in self.faults:
                if fault.get("path", "") in path and fault.get("watch", watch) == watch:
                    if "times" in fault:
                        fault["times"] -= 1
                        if fault["times"] <= 0:
                            self.faults.remove(fault)
                    return fault
        return None


# Answers so large are compressed for those who take that.
_COMPRESSED_FROM = 128 << 10


def status_object(code, reason, message, metadata=None):
    return {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}, "status": "Failure",
            "message": message, "reason": reason, "code": code}


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster = None

    def log_message(self, *_):
        pass

    def answer(self, code, body, kind="application/json", headers=()):
        headers = list(headers)
        if len(body) > _COMPRESSED_FROM and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1)
            headers.append(("Content-Encoding", "gzip"))
        self.send_response(code)
        self.send_header("Content-Type", kind)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, code, reason, message, headers=(), metadata=None):
        self.answer(code, json.dumps(status_object(code, reason, message, metadata)).encode(),
                    headers=headers)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        parameters = dict(urllib.parse.parse_qsl(url.query))
        watch = parameters.get("watch") in ("1", "true")
        with self.cluster.changed:
            self.cluster.requests.append(self.path)
        if self.cluster.tokens and \
                self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.cluster.tokens:
            return self.refuse(401, "Unauthorized", "Unauthorized")
        fault = self.cluster.fault_for(url.path, watch)
        if fault is not None:
            return self.fail(fault)
        try:
            query = self.query_of(url.path, parameters)
            if query is None:
                return self.refuse(404, "NotFound", "the server could not find the requested resource")
            return self.watch(query) if watch else self.list(query)
        except BadRequest as error:
            return self.refuse(400, "BadRequest", str(error))

    def fail(self, fault):
        kind = fault["kind"]
        if kind == "status":
            headers = [("Retry-After", fault["retry_after"])] if "retry_after" in fault else []
            self.refuse(fault["code"], fault.get("reason", ""), fault.get("message", ""), headers)
        elif kind == "body":
            self.answer(200, fault["body"].encode())
        elif kind == "huge":
            self.send_response(200)
            self.send_header("Content-Length", str(fault["bytes"]))
            self.end_headers()
            self.wfile.write(b'{"kind":"PodList","items":[')
            for _ in range(fault["bytes"] >> 20):
                self.wfile.write(b" " * (1 << 20))
        elif kind == "slow":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while True:
                self.wfile.write(b" ")
                time.sleep(fault["seconds"])

    @staticmethod
    def query_of(path, parameters):
        for name, (prefix, _, namespaced) in RESOURCES.items():
            if path == f"{prefix}/{name}":
                return Query(name, "", parameters)
            part = path.removeprefix(prefix + "/namespaces/").split("/")
            if namespaced and path.startswith(prefix + "/namespaces/") and part[1:] == [name]:
                return Query(name, urllib.parse.unquote(part[0]), parameters)
        return None

    def list(self, query):
        limit = query.number("limit")
        token = query.parameters.get("continue")
        with self.cluster.changed:
            version, start = self.cluster.version, None
            if token:
                version, start = self.place_of(token)
                if version < 0:
                    # The rest of a list whose version is forgotten, as it is now.
                    version = self.cluster.version
                elif version < self.cluster.compacted:
                    return self.refuse(
                        410, "Expired", "The provided continue parameter is too old to display a "
                        "consistent list result.", metadata={"continue": self.token_of(-1, start)})
            entries = sorted((e for e in self.cluster.objects[query.resource].values()
                              if e.selected(query) and (start is None or e.key > start)),
                             key=lambda e: e.key)
        page = entries[:limit] if limit else entries
        metadata = {"resourceVersion": str(version)}
        if len(page) < len(entries):
            metadata["continue"] = self.token_of(version, page[-1].key)
            # Not counted where a selector would have to look at each.
            if not query.labels and not query.fields:
                metadata["remainingItemCount"] = len(entries) - len(page)
        prefix, kind, _ = RESOURCES[query.resource]
        group = prefix.removeprefix("/apis/").removeprefix("/api/")
        return self.answer(200, b'{"kind":"%sList","apiVersion":"%s","metadata":%s,"items":[%s]}\n' % (
            kind.encode(), group.encode(), json.dumps(metadata).encode(),
            b",".join(e.item() for e in page)))

    @staticmethod
    def token_of(version, key):
        return base64.urlsafe_b64encode(json.dumps([version, key]).encode()).decode().rstrip("=")

    @staticmethod
    def place_of(token):
        try:
            version, start = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            return version, tuple(start)
        except (ValueError, TypeError) as error:
            raise BadRequest(f"invalid continue token: {error}") from error

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def watch(self, query):
        cluster = self.cluster
        since = query.number("resourceVersion")
        end = time.monotonic() + float(query.parameters.get("timeoutSeconds", "1800"))
        bookmarks = query.parameters.get("allowWatchBookmarks") == "true"
        with cluster.changed:
            drop = cluster.drop[0]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        bookmark = time.monotonic() + cluster.bookmark_seconds
        while time.monotonic() < end:
            with cluster.changed:
                if cluster.version <= since and cluster.drop[0] == drop:
                    cluster.changed.wait(max(0.01, min(bookmark, end) - time.monotonic()))
                if cluster.drop[0] != drop:
                    return self.end_watch(cluster.drop[1])
                changes = cluster.changes(query, since)
            if changes is None:
                status = status_object(410, "Expired", f"too old resource version: {since}")
                self.chunk(b'{"type":"ERROR","object":%s}\n' % json.dumps(status).encode())
                return self.chunk(b"")
            events, since = changes
            if events:
                # A line may be cut anywhere.
                data = b"".join(events)
                self.chunk(data[:len(data) // 2])
                self.chunk(data[len(data) // 2:])
            if bookmarks and time.monotonic() >= bookmark:
                bookmark = time.monotonic() + cluster.bookmark_seconds
                _, kind, _ = RESOURCES[query.resource]
                self.chunk(b'{"type":"BOOKMARK","object":%s}\n' % json.dumps(
                    {"kind": kind, "apiVersion": "v1", "metadata": {
                        "resourceVersion": str(since), "creationTimestamp": None}}).encode())
        return self.chunk(b"")

    def end_watch(self, how):
        if how == "end":
            return self.chunk(b"")
        self.close_connection = True
        if how == "half_close":
            # Without the chunk that ends the answer, and reading on.
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.recv(1)
        elif how == "silent":
            # As one whose machine is gone, without a word: until the peer gives up.
            self.connection.recv(1)
        elif how == "garbage":
            self.chunk(b'{"type":"ADDED","object":\n')
        return None


class Control(http.server.BaseHTTPRequestHandler):
    """POST a JSON object, whose keys are done in this order and say what changes:
    faults [{kind, path, watch, times, …}], tokens, bookmark_seconds, pods [arguments of make_pod],
    put [objects], delete [[resource, namespace, name]], generate {pods}, churn {per_second, seconds},
    compact, drop_watches (end, half_close, reset, silent, garbage). The answer holds the requests so far."""
    protocol_version = "HTTP/1.1"
    cluster = None

    def log_message(self, *_):
        pass

    def do_POST(self):
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cluster = self.cluster
        with cluster.changed:
            if "faults" in wish:
                cluster.faults = wish["faults"]
            if "tokens" in wish:
                cluster.tokens = set(wish["tokens"])
            if "bookmark_seconds" in wish:
                cluster.bookmark_seconds = wish["bookmark_seconds"]
        for arguments in wish.get("pods", []):
            cluster.put(make_pod(**arguments))
        for body in wish.get("put", []):
            body["metadata"] = {**meta(body["metadata"]["name"], body["metadata"].get("namespace")),
                                **body["metadata"]}
            cluster.put(body)
        for resource, namespace, name in wish.get("delete", []):
            cluster.delete(resource, namespace, name)
        for index in range(wish.get("generate", 0)):
            cluster.put(generated_pod(index))
        if wish.get("churn"):
            threading.Thread(target=self.churn, kwargs=wish["churn"], daemon=True).start()
        if wish.get("compact"):
            cluster.compact()
        with cluster.changed:
            if wish.get("drop_watches"):
                cluster.drop = (cluster.drop[0] + 1, wish["drop_watches"])
                cluster.changed.notify_all()
            answer = json.dumps({"requests": cluster.requests, "version": cluster.version}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def churn(self, per_second, seconds):
        """Changes generated pods, one after another, evenly."""
        entries = [e for e in self.cluster.objects["pods"].values() if e.key[1].startswith("app-")]
        begin = time.monotonic()
        for n in range(int(per_second * seconds)):
            time.sleep(max(0, begin + n / per_second - time.monotonic()))
            body = json.loads(entries[n * 7919 % len(entries)].text)
            body["metadata"]["annotations"]["changed"] = str(n)
            self.cluster.put(body)
            with self.cluster.changed:
                while len(self.cluster.log) > 5000:
                    self.cluster.compacted = self.cluster.log.popleft()[0]


class TlsServer(http.server.ThreadingHTTPServer):
    """Shakes hands on the connection's own thread."""
    daemon_threads = True
    context = None

    def finish_request(self, request, client_address):
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except (ssl.SSLError, OSError):
                return
        try:
            super().finish_request(request, client_address)
        except OSError:
            pass


def make_certificates(folder, clients=None):
    """ca.crt, server.crt and those of `clients` ({name: subject}), which the CA signed, with their keys."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=folder, capture_output=True)
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "1", "-subj", "/CN=kubernetes")
    signed = [("server", "/CN=server", "subjectAltName=IP:127.0.0.1,DNS:kubernetes")]
    for name, subject in (clients or {"client": "/CN=client"}).items():
        signed.append((name, subject, "extendedKeyUsage=clientAuth"))
    for name, subject, extension in signed:
        with open(os.path.join(folder, name + ".ext"), "w", encoding="ascii") as file:
            file.write(extension + "\n")
        openssl("req", *new_key, "-keyout", name + ".key", "-out", name + ".csr", "-subj", subject)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", name + ".crt", "-days", "1", "-extfile", name + ".ext")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tls", metavar="FOLDER", help="serve TLS; certificates are made there")
    parser.add_argument("--client-certificate", action="store_true", help="demand one that the CA signed")
    options = parser.parse_args()
    cluster = Cluster()
    api = TlsServer(("127.0.0.1", 0), type("BoundApi", (Api,), {"cluster": cluster}))
    if options.tls:
        make_certificates(options.tls)
        api.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        api.context.load_cert_chain(f"{options.tls}/server.crt", f"{options.tls}/server.key")
        if options.client_certificate:
            api.context.load_verify_locations(f"{options.tls}/ca.crt")
            api.context.verify_mode = ssl.CERT_REQUIRED
    control = TlsServer(("127.0.0.1", 0), type("BoundControl", (Control,), {"cluster": cluster}))
    threading.Thread(target=api.serve_forever, daemon=True).start()
    ports = f"{api.server_port} {control.server_port}\n".encode()
    os.write(int(os.environ.get("STOKER_READY_FD", "1")), ports)
    control.serve_forever()


if __name__ == "__main__":
    main()
