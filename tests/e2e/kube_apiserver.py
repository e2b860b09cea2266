"""A real API server of a test's own: etcd, kube-apiserver, a CA, RBAC and nothing that acts by itself (no
kubelet, no controllers). Objects are made through its API. It uses the network of the test, which has to
be the test's own (pipeline.own_network).

etcd is Debian's package; kube-apiserver is built by `make test-kubernetes`, see missing()."""
import base64
import contextlib
import ctypes
import http.client
import json
import os
import pwd
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile

from pipeline import free_port, wait_for

sys.path.insert(0, os.path.abspath("tests/kubernetes"))
from api_server import RESOURCES, BY_KIND, make_certificates  # noqa: E402

_PR_SET_PDEATHSIG = 1
_READER = "stoker-reader"


def binary():
    """Where `make test-kubernetes` leaves the newest kube-apiserver, or that of the version in
    STOKER_KUBERNETES; None: nowhere."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".cache")
    folder = os.path.join(cache, "stoker-kubernetes")
    with contextlib.suppress(OSError):
        wanted = os.environ.get("STOKER_KUBERNETES")
        for version in [wanted] if wanted else sorted(os.listdir(folder), reverse=True):
            path = os.path.join(folder, version, "kube-apiserver")
            if os.access(path, os.X_OK):
                return path
    return None


def missing():
    """Why there can be no API server here; None: there can."""
    if binary() is None:
        return "no kube-apiserver was built: `make test-kubernetes` builds it"
    if shutil.which("etcd") is None:
        return "etcd is not installed: `make test-kubernetes` installs it"
    return None


def path_of(kind, namespace=None, name=None):
    """The path of a list of objects, or of the one with that name."""
    prefixes = {"ServiceAccount": ("/api/v1", "serviceaccounts"), "Secret": ("/api/v1", "secrets"),
                "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
                "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings")}
    if kind in BY_KIND:
        prefix, plural = RESOURCES[BY_KIND[kind]][0], BY_KIND[kind]
    else:
        prefix, plural = prefixes[kind]
    path = prefix + (f"/namespaces/{namespace}" if namespace else "") + "/" + plural
    return path + (f"/{name}" if name else "")


class KubeApiServer:
    """`with KubeApiServer() as server:`; it is ready then."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="stoker-kubernetes-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.port, self._etcd_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._processes = {}
        self._log = open(f"{self.folder}/log", "wb")

    def __enter__(self):
        try:
            make_certificates(self.folder, {
                "client": "/O=system:masters/CN=admin", "reader": f"/CN={_READER}", "nobody": "/CN=nobody"})
            self._make_keys()
            self._start_etcd()
            self.start()
            self._allow_reader()
        except BaseException:
            self.__exit__(AssertionError, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        for name in list(self._processes):
            self._stop(name, signal.SIGKILL)
        if kind is not None:
            self._log.flush()
            print(open(self._log.name, errors="replace").read()[-20000:])
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_keys(self):
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "accounts.key"],
                       cwd=self.folder, check=True, capture_output=True)
        with open(f"{self.folder}/tokens.csv", "w", encoding="ascii") as file:
            file.write(f"reader-token,{_READER},1\nnobody-token,nobody,2\n")
        # The processes under test are of other users.
        for name in ("reader.key", "nobody.key"):
            os.chmod(f"{self.folder}/{name}", 0o644)

    def _run(self, name, *command):
        libc = ctypes.CDLL(None)
        self._processes[name] = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, cwd=self.folder,
            preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))

    def _stop(self, name, how):
        process = self._processes.pop(name, None)
        if process is not None:
            process.send_signal(how)
            process.wait(120)

    def _start_etcd(self):
        url = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{free_port()}"
        self._run("etcd", "etcd", f"--data-dir={self.folder}/etcd", f"--listen-client-urls={url}",
                  f"--advertise-client-urls={url}", f"--listen-peer-urls={peer}",
                  f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
                  "--unsafe-no-fsync", "--log-level=warn")
        wait_for("etcd", lambda: self._etcd_answers("/health"), 60)

    def _etcd_answers(self, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._etcd_port, timeout=10)
        try:
            connection.request("POST" if body else "GET", path, body)
            response = connection.getresponse()
            text = response.read()
            return json.loads(text) if response.status == 200 else None
        except OSError:
            return None
        finally:
            connection.close()

    def start(self):
        """kube-apiserver, with what etcd has."""
        folder = self.folder
        self._run(
            "kube-apiserver", binary(), f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={self.port}",
            "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/108",
            f"--tls-cert-file={folder}/server.crt", f"--tls-private-key-file={folder}/server.key",
            f"--client-ca-file={folder}/ca.crt", f"--token-auth-file={folder}/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder}/accounts.key",
            f"--service-account-signing-key-file={folder}/accounts.key", "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount", "--etcd-compaction-interval=0",
            "--profiling=false", "--v=1")
        wait_for("kube-apiserver", self._is_ready, 120)

    def stop(self, how=signal.SIGKILL):
        """By SIGKILL as a machine that crashes, by SIGTERM as one that is taken out of service."""
        self._stop("kube-apiserver", how)

    @contextlib.contextmanager
    def elsewhere(self):
        """Within it the server, which must not run, runs on another port: nobody under test sees it."""
        port, self.port = self.port, free_port()
        self.start()
        try:
            yield
        finally:
            self.stop()
            self.port = port

    def _is_ready(self):
        if self._processes["kube-apiserver"].poll() is not None:
            raise AssertionError("kube-apiserver ended")
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def compact(self):
        """etcd forgets every version but the last."""
        key = base64.b64encode(b"x").decode()
        now = self._etcd_answers("/v3/kv/range", json.dumps({"key": key}))["header"]["revision"]
        self._etcd_answers("/v3/kv/compaction", json.dumps({"revision": now, "physical": True}))

    def _allow_reader(self):
        resources = [{"apiGroups": [prefix.removeprefix("/apis/").split("/")[0] if "apis" in prefix else ""],
                      "resources": [name], "verbs": ["get", "list", "watch"]}
                     for name, (prefix, _, _) in RESOURCES.items()]
        self.create({"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1",
                     "metadata": {"name": "reader"}, "rules": resources})
        self.bind("reader", {"kind": "User", "name": _READER, "apiGroup": "rbac.authorization.k8s.io"})

    def bind(self, name, subject):
        """Lets a user or a service account list and watch all that roles need."""
        self.create({"kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1",
                     "metadata": {"name": name}, "subjects": [subject],
                     "roleRef": {"kind": "ClusterRole", "name": "reader",
                                 "apiGroup": "rbac.authorization.k8s.io"}})

    def unbind(self, name):
        self.call("DELETE", path_of("ClusterRoleBinding", None, name))

    def request(self, method, path, body=None, content_type="application/json"):
        """(status, headers, body) of a call, as an administrator."""
        context = ssl.create_default_context(cafile=f"{self.folder}/ca.crt")
        context.load_cert_chain(f"{self.folder}/client.crt", f"{self.folder}/client.key")
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        try:
            connection.request(method, path, body, {"Content-Type": content_type} if body else {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def call(self, method, path, body=None, content_type="application/json"):
        """The JSON of an answer; an error is the server's."""
        status, _, answer = self.request(method, path, None if body is None else json.dumps(body), content_type)
        if status >= 400:
            raise AssertionError(f"{method} {path}: {status} {answer.decode(errors='replace')[:2000]}")
        return json.loads(answer)

    def create(self, body):
        """Makes an object, with its status where it has one; returns it as the server has it."""
        metadata = body["metadata"]
        path = path_of(body["kind"], metadata.get("namespace"))
        made = self.call("POST", path + "?fieldValidation=Strict", body)
        if "status" not in body or body["kind"] == "Namespace":
            return made
        return self.patch(body["kind"], metadata.get("namespace"), metadata["name"],
                          {"status": body["status"]}, "/status")

    def patch(self, kind, namespace, name, change, part=""):
        return self.call("PATCH", path_of(kind, namespace, name) + part, change,
                         "application/merge-patch+json")

    def delete(self, kind, namespace, name):
        self.call("DELETE", path_of(kind, namespace, name), {"gracePeriodSeconds": 0})

    def token_of(self, namespace, account):
        """A token of a service account, as its pods get."""
        answer = self.call("POST", path_of("ServiceAccount", namespace, account) + "/token",
                           {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
                            "spec": {"expirationSeconds": 3600}})
        return answer["status"]["token"]
