#!/usr/bin/python3
"""discovery.kubernetes against a real kube-apiserver; and our double of one against it."""
import base64
import contextlib
import gzip
import http.client
import http.server
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kube_apiserver import KubeApiServer, missing, path_of  # noqa: E402
from own_files import empty_folder, own_mounts  # noqa: E402
from pipeline import Pipeline, own_network, wait_for  # noqa: E402
from target_list import TargetList  # noqa: E402
import xml_report  # noqa: E402

_META = "__meta_kubernetes_"
SERVER = None


def setUpModule():  # pylint: disable=invalid-name
    global SERVER
    reason = missing()
    if reason:
        raise unittest.SkipTest(reason)
    SERVER = unittest.enterModuleContext(KubeApiServer())
    RolesTest.web, RolesTest.service, RolesTest.balanced = make_shop()


def component(arguments="", role="pod", access=None, selector="status.phase!=None"):
    """discovery.kubernetes "k". Without a selector of pods the list would be of one node."""
    if access is None:
        access = f'kubeconfig_file = "{kubeconfig("reader")}"'
    selectors = f'\tselectors {{\n\t\trole = "pod"\n\t\tfield = "{selector}"\n\t}}\n' if role == "pod" else ""
    return f'discovery.kubernetes "k" {{\n\trole = "{role}"\n\t{access}\n{selectors}{arguments}\n}}\n'


def write(path, text):
    """Replaces a file at once."""
    with open(path + ".next", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path + ".next", 0o644)
    os.rename(path + ".next", path)
    return path


def kubeconfig(user):
    """A kubeconfig with the client certificate of a user, as kubectl writes it."""
    def data(name):
        with open(f"{SERVER.folder}/{name}", "rb") as file:
            return base64.b64encode(file.read()).decode()
    return write(f"{SERVER.folder}/{user}.kubeconfig", f"""apiVersion: v1
kind: Config
preferences: {{}}
current-context: test
clusters:
- name: real
  cluster:
    certificate-authority-data: {data("ca.crt")}
    server: {SERVER.url}/
contexts:
- name: other
  context: {{cluster: none, user: none}}
- name: test
  context: {{cluster: real, user: {user}, namespace: ignored}}
users:
- name: {user}
  user:
    client-certificate-data: {data(user + ".crt")}
    client-key: {user}.key
""")


@contextlib.contextmanager
def discovery(text):
    with Pipeline(config="\n", extra=text, processes=["discovery"]) as pipeline:
        pipeline.start()
        with TargetList(pipeline, "discovery.kubernetes.k", node="") as targets:
            yield pipeline, targets


def lists_of(pipeline):
    """What /debug/state says of each list: {resource: its members}."""
    components = pipeline.state("discovery")["discovery"]["components"]
    [state] = [c for c in components if c["id"] == "discovery.kubernetes.k"]
    return {one["resource"]: one for one in state["sources"][0]["lists"]}


def health(pipeline):
    return pipeline.get("discovery", "/-/healthy")


def error_of(pipeline):
    components = pipeline.state("discovery")["discovery"]["components"]
    return next((c.get("error", "") for c in components if c["id"] == "discovery.kubernetes.k"), "")


def names(targets, label="pod_name"):
    return sorted({target.get(_META + label, "") for target in targets})


def namespace(name, labels=None):
    return SERVER.create({"kind": "Namespace", "apiVersion": "v1",
                          "metadata": {"name": name, "labels": labels or {}}})


def pod(name, space, node=None, labels=None, ports=((8080, "http"),), ip="10.1.0.1", **metadata):
    """A pod that runs."""
    container = {"name": "app", "image": "registry.example/app:1",
                 "ports": [{"containerPort": number, "name": title} for number, title in ports]}
    return {"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": space, "labels": labels or {}, **metadata},
            "spec": {"containers": [container], **({"nodeName": node} if node else {})},
            "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "192.168.0.1",
                       "conditions": [{"type": "Ready", "status": "True"}],
                       "containerStatuses": [{
                           "name": "app", "image": container["image"], "imageID": "", "ready": True,
                           "restartCount": 0, "containerID": "containerd://" + "a" * 64}]}}


def node_object(name, labels=None):
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": labels or {}},
            "spec": {"providerID": "kind://" + name},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.168.0.1"},
                                     {"type": "Hostname", "address": name}],
                       "conditions": [{"type": "Ready", "status": "True"},
                                      {"type": "DiskPressure", "status": "False"}],
                       "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}}


def make_shop():
    """Objects of every kind; returns those of which a test needs more than it gave."""
    namespace("shop", {"team": "a"})
    SERVER.create(node_object("n1", {"zone.example/name": "z-1"}))
    web = pod("web-0", "shop", "n1", {"app.kubernetes.io/name": "web"}, ((8080, "http"), (9000, "admin")),
              annotations={"note/it": "x y"}, ownerReferences=[{
                  "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u-1",
                  "controller": True}])
    web["spec"]["containers"].append({"name": "side", "image": "side:2"})
    web["spec"]["initContainers"] = [{"name": "prepare", "image": "init:3"}]
    web["status"]["initContainerStatuses"] = [{
        "name": "prepare", "image": "init:3", "imageID": "", "ready": True, "restartCount": 0,
        "containerID": "containerd://" + "b" * 64}]
    web = SERVER.create(web)
    SERVER.create({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "pending", "namespace": "shop"},
                   "spec": {"containers": [{"name": "c", "image": "i"}]}})
    service = SERVER.create({
        "kind": "Service", "apiVersion": "v1",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "front"}},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}], "type": "ClusterIP"}})
    SERVER.create({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "far", "namespace": "shop"},
                   "spec": {"type": "ExternalName", "externalName": "far.example",
                            "ports": [{"port": 443}]}})
    balanced = SERVER.create({
        "kind": "Service", "apiVersion": "v1", "metadata": {"name": "lb", "namespace": "shop"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 53, "protocol": "UDP"}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}})
    reference = {"kind": "Pod", "namespace": "shop", "name": "web-0"}
    SERVER.create({"kind": "Endpoints", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "shop"},
                   "subsets": [{"addresses": [{"ip": "10.1.0.1", "nodeName": "n1", "targetRef": reference}],
                                "notReadyAddresses": [{"ip": "10.1.0.9", "hostname": "nine"}],
                                "ports": [{"name": "http", "port": 8080}]}]})
    SERVER.create({"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "IPv4",
                   "metadata": {"name": "web-x", "namespace": "shop",
                                "labels": {"kubernetes.io/service-name": "web"}},
                   "endpoints": [{"addresses": ["10.1.0.1"], "nodeName": "n1", "zone": "z-1",
                                  "targetRef": reference,
                                  "conditions": {"ready": True, "serving": True, "terminating": False}}],
                   "ports": [{"name": "http", "port": 8080, "appProtocol": "http"}]})
    SERVER.create({"kind": "Ingress", "apiVersion": "networking.k8s.io/v1",
                   "metadata": {"name": "door", "namespace": "shop", "labels": {"tier": "edge"}},
                   "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["*.example"]}],
                            "rules": [{"host": "a.example", "http": {"paths": [{
                                "path": "/p", "pathType": "Prefix",
                                "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}},
                                      {"host": "b.c.example"}]}})
    return web, service, balanced


def meta(**labels):
    """Labels whose names have the common prefix."""
    return {_META + name: value for name, value in labels.items()}


class RolesTest(unittest.TestCase):
    """The targets of each role are those that Prometheus' conventions give of the same objects."""
    maxDiff = None

    def pod_labels(self):
        return meta(
            pod_name="web-0", pod_ip="10.1.0.1", pod_ready="true", pod_phase="Running", pod_node_name="n1",
            pod_host_ip="192.168.0.1", pod_uid=self.web["metadata"]["uid"], pod_controller_kind="StatefulSet",
            pod_controller_name="web", pod_label_app_kubernetes_io_name="web",
            pod_labelpresent_app_kubernetes_io_name="true", pod_annotation_note_it="x y",
            pod_annotationpresent_note_it="true")

    @staticmethod
    def container(name="app", image="registry.example/app:1", init="false"):
        return meta(pod_container_name=name, pod_container_image=image, pod_container_init=init)

    @staticmethod
    def port(number, name):
        return meta(pod_container_port_number=str(number), pod_container_port_name=name,
                    pod_container_port_protocol="TCP")

    def check(self, role, expected, arguments=""):
        def sorted_list(targets):
            return sorted(json.dumps(target, sort_keys=True) for target in targets)
        only = '\tnamespaces {\n\t\tnames = ["shop"]\n\t}\n' if role != "node" else ""
        with discovery(component(only + arguments, role)) as (_, targets):
            now, _ = targets.wait(role, lambda now: len(now) == len(expected))
        # A label that is empty is no label.
        expected = [{name: value for name, value in target.items() if value} for target in expected]
        self.assertEqual("\n".join(sorted_list(now)), "\n".join(sorted_list(expected)))

    def test_pod(self):
        """With the labels of node and namespace; a pod without an address is none."""
        group = {**self.pod_labels(), **meta(
            namespace="shop", node_name="n1", node_label_zone_example_name="z-1",
            node_labelpresent_zone_example_name="true", namespace_label_team="a",
            namespace_labelpresent_team="true", namespace_label_kubernetes_io_metadata_name="shop",
            namespace_labelpresent_kubernetes_io_metadata_name="true")}
        app = {**group, **self.container(), _META + "pod_container_id": "containerd://" + "a" * 64}
        self.check("pod", [
            {**app, **self.port(8080, "http"), "__address__": "10.1.0.1:8080"},
            {**app, **self.port(9000, "admin"), "__address__": "10.1.0.1:9000"},
            {**group, **self.container("side", "side:2"), "__address__": "10.1.0.1"},
            {**group, **self.container("prepare", "init:3", "true"), "__address__": "10.1.0.1",
             _META + "pod_container_id": "containerd://" + "b" * 64}],
            '\tattach_metadata {\n\t\tnode = true\n\t\tnamespace = true\n\t}\n')

    def test_node(self):
        self.check("node", [{**meta(
            node_name="n1", node_provider_id="kind://n1", node_label_zone_example_name="z-1",
            node_labelpresent_zone_example_name="true", node_condition_ready="true",
            node_condition_diskpressure="false", node_address_InternalIP="192.168.0.1",
            node_address_Hostname="n1"), "__address__": "192.168.0.1:10250", "instance": "n1"}],
            '\tselectors {\n\t\trole = "node"\n\t\tlabel = "zone.example/name in (z-1, z-2)"\n\t}\n')

    def test_service(self):
        self.check("service", [
            {**meta(namespace="shop", service_name="web", service_label_tier="front",
                    service_labelpresent_tier="true", service_port_name="http", service_port_number="80",
                    service_port_protocol="TCP", service_type="ClusterIP",
                    service_cluster_ip=self.service["spec"]["clusterIP"]), "__address__": "web.shop.svc:80"},
            {**meta(namespace="shop", service_name="far", service_port_number="443",
                    service_port_protocol="TCP", service_type="ExternalName",
                    service_external_name="far.example"), "__address__": "far.shop.svc:443"},
            {**meta(namespace="shop", service_name="lb", service_port_number="53",
                    service_port_protocol="UDP", service_type="LoadBalancer",
                    service_cluster_ip=self.balanced["spec"]["clusterIP"],
                    service_loadbalancer_ip="203.0.113.9"), "__address__": "lb.shop.svc:53"}])

    def test_endpoints(self):
        """With their service and pods, and the ports of those that no endpoint has."""
        group = meta(namespace="shop", service_name="web", service_label_tier="front",
                     service_labelpresent_tier="true", endpoints_name="web")
        endpoint = meta(endpoint_port_name="http", endpoint_port_protocol="TCP")
        self.check("endpoints", [
            {**group, **endpoint, **self.pod_labels(), **self.container(), **self.port(8080, "http"),
             **meta(endpoint_ready="true", endpoint_node_name="n1", endpoint_address_target_kind="Pod",
                    endpoint_address_target_name="web-0"), "__address__": "10.1.0.1:8080"},
            {**group, **endpoint, **meta(endpoint_ready="false", endpoint_hostname="nine"),
             "__address__": "10.1.0.9:8080"},
            {**group, **self.pod_labels(), **self.container(), **self.port(9000, "admin"),
             "__address__": "10.1.0.1:9000"}])

    def test_endpointslice(self):
        group = meta(namespace="shop", service_name="web", service_label_tier="front",
                     service_labelpresent_tier="true", endpointslice_name="web-x",
                     endpointslice_address_type="IPv4",
                     endpointslice_label_kubernetes_io_service_name="web",
                     endpointslice_labelpresent_kubernetes_io_service_name="true",
                     node_name="n1", node_label_zone_example_name="z-1",
                     node_labelpresent_zone_example_name="true")
        unseen = {name: value for name, value in group.items() if not name.startswith(_META + "node_")}
        self.check("endpointslice", [
            {**group, **self.pod_labels(), **self.container(), **self.port(8080, "http"),
             **meta(endpointslice_port="8080", endpointslice_port_name="http", endpointslice_port_protocol="TCP",
                    endpointslice_port_app_protocol="http", endpointslice_endpoint_conditions_ready="true",
                    endpointslice_endpoint_conditions_serving="true",
                    endpointslice_endpoint_conditions_terminating="false",
                    endpointslice_endpoint_node_name="n1", endpointslice_endpoint_zone="z-1",
                    endpointslice_address_target_kind="Pod", endpointslice_address_target_name="web-0"),
             "__address__": "10.1.0.1:8080"},
            {**unseen, **self.pod_labels(), **self.container(), **self.port(9000, "admin"),
             "__address__": "10.1.0.1:9000"}],
            '\tattach_metadata {\n\t\tnode = true\n\t}\n')

    def test_ingress(self):
        group = meta(namespace="shop", ingress_name="door", ingress_label_tier="edge",
                     ingress_labelpresent_tier="true", ingress_class_name="nginx")
        self.check("ingress", [
            {**group, **meta(ingress_scheme="https", ingress_host="a.example", ingress_path="/p"),
             "__address__": "a.example"},
            {**group, **meta(ingress_scheme="http", ingress_host="b.c.example", ingress_path="/"),
             "__address__": "b.c.example"}])


class SelectionTest(unittest.TestCase):
    """What of a cluster is asked for."""

    @classmethod
    def setUpClass(cls):
        for space in ("east", "west", "south"):
            namespace(space)
            SERVER.create(pod(f"{space}-1", space, "n1", {"app": "db"}))
            SERVER.create(pod(f"{space}-2", space, "e2e", {"app": "web"}))

    def check(self, text, expected):
        with discovery(text) as (_, targets):
            now, _ = targets.wait("the pods", lambda now: len(now) == len(expected))
            self.assertEqual(names(now), expected)

    def test_namespaces(self):
        """Each namespace that is named on its own; one that does not exist has nothing."""
        self.check(component('\tnamespaces {\n\t\tnames = ["east", "south", "nowhere"]\n\t}\n'),
                   ["east-1", "east-2", "south-1", "south-2"])

    def test_labels_and_fields(self):
        """By label and field at once; a pod that no longer fits goes, one that fits anew comes."""
        text = component('\tnamespaces {\n\t\tnames = ["west"]\n\t}\n').replace(
            'field = "status.phase!=None"', 'field = "spec.nodeName=e2e,status.phase=Running"\n'
            '\t\tlabel = "app in (web, api), !canary"')
        with discovery(text) as (_, targets):
            targets.wait("one", lambda now: names(now) == ["west-2"])
            SERVER.patch("Pod", "west", "west-2", {"metadata": {"labels": {"canary": "1"}}})
            targets.wait("none", lambda now: now == [])
            SERVER.patch("Pod", "west", "west-2", {"metadata": {"labels": {"canary": None}}})
            targets.wait("one again", lambda now: names(now) == ["west-2"])

    def test_node(self):
        """A consumer on a node gets the pods of that node alone, though no selector says so."""
        text = component('\tnamespaces {\n\t\tnames = ["east", "west"]\n\t}\n').split("\tselectors")[0] + \
            '\tnamespaces {\n\t\tnames = ["east", "west"]\n\t}\n}\n'
        with Pipeline(config="\n", extra=text, processes=["discovery"]) as pipeline:
            pipeline.start()
            with TargetList(pipeline, "discovery.kubernetes.k") as here, \
                    TargetList(pipeline, "discovery.kubernetes.k", node="") as everywhere:
                here.wait("its own", lambda now: names(now) == ["east-2", "west-2"])
                everywhere.wait("all", lambda now: len(now) == 4)

    def test_bad_selector(self):
        """What the server refuses is told with its words, and taken up once it is right."""
        text = component(selector="spec.node=x")
        with Pipeline(config="\n", extra=text, processes=["discovery"]) as pipeline:
            pipeline.start()
            with TargetList(pipeline, "discovery.kubernetes.k", node="") as targets:
                wait_for("unhealthy", lambda: health(pipeline)[0] == 500)
                self.assertIn("field label not supported", error_of(pipeline))
                self.assertIsNone(targets.now())


class CredentialsTest(unittest.TestCase):
    """Who asks."""

    @classmethod
    def setUpClass(cls):
        namespace("who")
        SERVER.create(pod("first", "who"))

    ONLY = '\tnamespaces {\n\t\tnames = ["who"]\n\t}\n'

    def access(self, rest):
        return f'api_server = "{SERVER.url}"\n\ttls_config {{\n\t\tca_file = "{SERVER.folder}/ca.crt"\n{rest}'

    def test_certificate(self):
        """The client certificate of tls_config; a user that may not is refused in the server's words, and
        gets the list once it may."""
        certificate = self.access(f'\t\tcert_file = "{SERVER.folder}/nobody.crt"\n'
                                  f'\t\tkey_file = "{SERVER.folder}/nobody.key"\n\t}}')
        with Pipeline(config="\n", extra=component(self.ONLY, access=certificate),
                      processes=["discovery"]) as pipeline:
            pipeline.start()
            with TargetList(pipeline, "discovery.kubernetes.k", node="") as targets:
                wait_for("unhealthy", lambda: health(pipeline)[0] == 500)
                self.assertIn('403: pods is forbidden: User "nobody" cannot list resource "pods"',
                              error_of(pipeline))
                SERVER.bind("nobody", {"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"})
                self.addCleanup(SERVER.unbind, "nobody")
                targets.wait("the pod", lambda now: names(now) == ["first"], 60)
                wait_for("healthy", lambda: health(pipeline)[0] == 200)

    def test_token(self):
        """A token that the server does not know, then one that it knows, from a file."""
        path = write(f"{SERVER.folder}/token", "wrong\n")
        access = f'bearer_token_file = "{path}"\n\t' + self.access("\t}")
        with Pipeline(config="\n", extra=component(self.ONLY, access=access), processes=["discovery"]) as pipeline:
            pipeline.start()
            with TargetList(pipeline, "discovery.kubernetes.k", node="") as targets:
                wait_for("unhealthy", lambda: health(pipeline)[0] == 500)
                self.assertIn("server returned HTTP status 401: Unauthorized", error_of(pipeline))
                write(path, "reader-token\n")
                targets.wait("the pod", lambda now: names(now) == ["first"], 60)
                wait_for("healthy", lambda: health(pipeline)[0] == 200)

    def test_in_cluster(self):
        """As a pod: the account's token, CA and namespace; the token is replaced before it ends, the old
        one is refused."""
        folder = "/run/secrets/kubernetes.io/serviceaccount"
        empty_folder("/run")
        os.makedirs(folder)
        SERVER.create({"kind": "ServiceAccount", "apiVersion": "v1",
                       "metadata": {"name": "stoker", "namespace": "who"}})
        SERVER.bind("account", {"kind": "ServiceAccount", "name": "stoker", "namespace": "who"})
        self.addCleanup(SERVER.unbind, "account")
        with open(f"{SERVER.folder}/ca.crt", encoding="ascii") as file:
            write(f"{folder}/ca.crt", file.read())
        write(f"{folder}/namespace", "who")
        write(f"{folder}/token", SERVER.token_of("who", "stoker"))
        text = component('\tnamespaces {\n\t\town_namespace = true\n\t}\n', access="")
        with Pipeline(config="\n", extra=text, processes=["discovery"]) as pipeline:
            os.makedirs(pipeline.run_dir, exist_ok=True)
            process = subprocess.Popen(
                ["services/discovery/stoker-discovery", f"--config={pipeline.config}", "--node-name=e2e",
                 f"--run-dir={pipeline.run_dir}", f"--data-dir={pipeline.folder}/data", "--http.listen=none"],
                stdout=pipeline.log, stderr=pipeline.log,
                env={**os.environ, "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                     "KUBERNETES_SERVICE_PORT": str(SERVER.port)})
            try:
                wait_for("discovery", lambda: pipeline.get("discovery", "/-/ready")[0] == 200)
                with TargetList(pipeline, "discovery.kubernetes.k", node="") as targets:
                    targets.wait("the pod", lambda now: names(now) == ["first"])
                    # The account is another, and the token of the first is worth nothing.
                    SERVER.delete("ServiceAccount", "who", "stoker")
                    SERVER.create({"kind": "ServiceAccount", "apiVersion": "v1",
                                   "metadata": {"name": "stoker", "namespace": "who"}})
                    SERVER.stop()
                    SERVER.start()
                    wait_for("refused", lambda: "401: Unauthorized" in error_of(pipeline), 60)
                    self.assertEqual(names(targets.now()), ["first"])
                    write(f"{folder}/token", SERVER.token_of("who", "stoker"))
                    SERVER.create(pod("second", "who"))
                    self.addCleanup(SERVER.delete, "Pod", "who", "second")
                    targets.wait("two", lambda now: names(now) == ["first", "second"], 60)
                    wait_for("healthy", lambda: health(pipeline)[0] == 200)
            finally:
                process.terminate()
                process.wait(20)


class Between:
    """A server of plain HTTP before the real one: `before` is called with each path that is asked for."""

    def __init__(self):
        between = self
        self.before, self.paths = lambda path: None, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # pylint: disable=invalid-name
                between.paths.append(self.path)
                between.before(self.path)
                context = ssl.create_default_context(cafile=f"{SERVER.folder}/ca.crt")
                context.load_cert_chain(f"{SERVER.folder}/client.crt", f"{SERVER.folder}/client.key")
                connection = http.client.HTTPSConnection("127.0.0.1", SERVER.port, context=context)
                with contextlib.closing(connection):
                    connection.request("GET", self.path)
                    answer = connection.getresponse()
                    self.send_response(answer.status)
                    self.send_header("Content-Type", answer.headers["Content-Type"])
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    while piece := answer.read1(1 << 20):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass
        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


class ProtocolTest(unittest.TestCase):
    """Lists, watches and their ends."""

    def test_pages(self):
        """More pods than a page holds; where etcd forgets the list between two pages, it begins anew."""
        namespace("many")
        for i in range(1100):
            SERVER.create({"kind": "Pod", "apiVersion": "v1",
                           "metadata": {"name": f"p{i}", "namespace": "many"},
                           "spec": {"containers": [{"name": "c", "image": "i"}]}})
        SERVER.patch("Pod", "many", "p1099", {"status": {"podIP": "10.2.0.1"}}, "/status")
        between = Between()
        pages = []

        def forget(path):
            if "continue=" not in path:
                return
            pages.append(path)
            if len(pages) == 1:
                SERVER.patch("Namespace", None, "many", {"metadata": {"labels": {"x": "y"}}})
                SERVER.compact()
        between.before = forget
        text = component('\tnamespaces {\n\t\tnames = ["many"]\n\t}\n', access=f'api_server = "{between.url}"')
        with discovery(text) as (pipeline, targets):
            targets.wait("the pod with an address", lambda now: names(now) == ["p1099"])
            self.assertEqual(len(pages), 3, pages)
            self.assertEqual(lists_of(pipeline)["pods"]["lists"], 2)
            self.assertEqual(health(pipeline)[0], 200)

    def test_bookmarks(self):
        """The server's bookmarks move the place from which a watch goes on, though no pod changes."""
        namespace("calm")
        namespace("elsewhere")
        SERVER.create(pod("calm", "calm"))
        with discovery(component('\tnamespaces {\n\t\tnames = ["calm"]\n\t}\n')) as (pipeline, targets):
            targets.wait("the pod", lambda now: len(now) == 1)
            version = int(SERVER.create(pod("other", "elsewhere"))["metadata"]["resourceVersion"])
            self.assertLess(int(lists_of(pipeline)["pods"]["resource_version"]), version)
            wait_for("a bookmark", lambda: int(lists_of(pipeline)["pods"]["resource_version"]) >= version, 150)
            state = lists_of(pipeline)["pods"]
            self.assertEqual((state["lists"], state["watches"]), (1, 1))

    def test_outage(self):
        """A server that is killed and started, one that is shut down, and one that has forgotten where the
        watch was: the list stays, health tells, and what changed meanwhile comes."""
        namespace("up")
        SERVER.create(pod("first", "up"))
        expected = ["first"]
        with discovery(component('\tnamespaces {\n\t\tnames = ["up"]\n\t}\n')) as (pipeline, targets):
            targets.wait("the pod", lambda now: names(now) == expected)
            for how, forget in [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGKILL, True)]:
                SERVER.stop(how)
                wait_for("unhealthy", lambda: health(pipeline)[0] == 500, 60)
                self.assertIn("127.0.0.1", error_of(pipeline))
                self.assertEqual(names(targets.now()), expected)
                if forget:
                    expected.remove("first")
                    with SERVER.elsewhere():
                        SERVER.delete("Pod", "up", "first")
                        SERVER.create(pod("unseen", "up"))
                        SERVER.compact()
                    expected.append("unseen")
                lists = lists_of(pipeline)["pods"]["lists"]
                SERVER.start()
                name = f"after-{how.name.lower()}-{len(expected)}"
                SERVER.create(pod(name, "up"))
                expected = sorted(expected + [name])
                begin = time.monotonic()
                targets.wait("what changed", lambda now: names(now) == expected, 60)
                print(f"{how.name}: the change was seen {time.monotonic() - begin:.1f} s after it")
                if forget:
                    self.assertGreater(lists_of(pipeline)["pods"]["lists"], lists)
                wait_for("healthy", lambda: health(pipeline)[0] == 200)

    def test_pace(self):
        """A changed pod is a consumer's within a second; many changes make few messages."""
        namespace("busy")
        SERVER.create(pod("one", "busy"))
        with discovery(component('\tnamespaces {\n\t\tnames = ["busy"]\n\t}\n')) as (_, targets):
            targets.wait("the pod", lambda now: len(now) == 1)
            waits = []
            for i in range(5):
                SERVER.patch("Pod", "busy", "one", {"metadata": {"labels": {"i": f"single-{i}"}}})
                begin = time.monotonic()
                _, at = targets.wait("the change", lambda now, i=i: now[0].get(
                    _META + "pod_label_i") == f"single-{i}")
                waits.append(at - begin)
            before, begin = targets.messages, time.monotonic()
            for i in range(500):
                SERVER.patch("Pod", "busy", "one", {"metadata": {"labels": {"i": str(i)}}})
            targets.wait("the last", lambda now: now[0].get(_META + "pod_label_i") == "499")
            took, messages = time.monotonic() - begin, targets.messages - before
            print(f"a change was seen after {', '.join(f'{w * 1000:.0f}' for w in waits)} ms; "
                  f"500 in {took:.1f} s made {messages} messages")
            self.assertLess(max(waits), 1.0)
            self.assertLessEqual(messages, 5 * took + 2)


class DoubleTest(unittest.TestCase):
    """The double of an API server that the other tests use answers as the real one does."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        namespace("twin")
        ready, end = os.pipe()
        double = subprocess.Popen(
            [sys.executable, "tests/kubernetes/api_server.py"], pass_fds=[end],
            env={**os.environ, "STOKER_READY_FD": str(end)})
        cls.addClassCleanup(double.wait)
        cls.addClassCleanup(double.kill)
        cls.api, cls.control_port = (int(port) for port in os.read(ready, 100).split())
        os.close(ready)
        os.close(end)
        for i, app in enumerate(["web", "web", "db", "db", "cache"]):
            SERVER.create(pod(f"p{i}", "twin", "e2e" if i % 2 else None, {"app": app}))
        cls.copy("Pod", "twin")

    @classmethod
    def control(cls, wish):
        connection = http.client.HTTPConnection("127.0.0.1", cls.control_port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/control", json.dumps(wish))
            return json.loads(connection.getresponse().read())

    @classmethod
    def copy(cls, kind, space):
        """Puts the objects of the real server into the double."""
        listed = SERVER.call("GET", path_of(kind, space))
        cls.control({"put": [{"kind": kind, "apiVersion": listed["apiVersion"], **item}
                             for item in listed["items"]]})

    @classmethod
    def both(cls, path):
        """(status, headers, body) of the real server and of the double."""
        answers = []
        context = ssl.create_default_context(cafile=f"{SERVER.folder}/ca.crt")
        for connection in (http.client.HTTPSConnection("127.0.0.1", SERVER.port, timeout=30, context=context),
                           http.client.HTTPConnection("127.0.0.1", cls.api, timeout=30)):
            with contextlib.closing(connection):
                connection.request("GET", str(path), headers={
                    "Authorization": "Bearer reader-token", "Accept-Encoding": "gzip"})
                answer = connection.getresponse()
                answers.append((answer.status, answer.headers, answer.read()))
        return answers

    def shapes(self, path):
        """What of both answers has to be the same."""
        made = []
        for status, headers, body in self.both(path):
            if headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            answer = json.loads(body)
            shape = [status, headers["Content-Type"], headers["Content-Encoding"], answer["kind"],
                     answer["apiVersion"], sorted(answer["metadata"]), answer.get("reason"), answer.get("code"),
                     answer.get("status")]
            for item in answer.get("items", []):
                shape.append((item["metadata"]["name"], sorted(item), item.get("spec"), item.get("status")))
            made.append((shape, answer))
        return made

    def test_answers(self):
        """Lists with selectors, pages, and what is refused."""
        pods = "/api/v1/namespaces/twin/pods"
        for query in ["", "?limit=2", "?labelSelector=app%3Dweb", "?labelSelector=app%20in%20(web,db)",
                      "?labelSelector=app%20notin%20(web),app", "?labelSelector=!app", "?labelSelector=app!%3Dweb",
                      "?fieldSelector=spec.nodeName%3De2e", "?fieldSelector=spec.nodeName%3D",
                      "?fieldSelector=metadata.name!%3Dp1,status.phase%3DRunning",
                      "?labelSelector=app%3Ddb&limit=1", "?fieldSelector=spec.node%3Dx", "?fieldSelector=spec.nodeName",
                      "?labelSelector=a%20in%20b", "?limit=x", "?continue=xyz"]:
            with self.subTest(query):
                (real, _), (double, _) = self.shapes(pods + query)
                self.assertEqual(real, double)
        (real, _), (double, _) = self.shapes("/api/v1/namespaces/nowhere/pods")
        self.assertEqual(real, double)

    def test_pages(self):
        """A list goes on from its token, until it is too old; the answer then gives one for the rest."""
        page = "/api/v1/namespaces/twin/pods?limit=2"
        tokens = [answer["metadata"]["continue"] for _, answer in self.shapes(page)]

        def next_pages(tokens):
            shapes = [self.shapes(page + "&continue=" + urllib.parse.quote(token))[i]
                      for i, token in enumerate(tokens)]
            self.assertEqual(shapes[0][0], shapes[1][0])
            return shapes
        self.assertEqual(len(next_pages(tokens)[0][1]["items"]), 2)
        SERVER.patch("Pod", "twin", "p0", {"metadata": {"annotations": {"a": "b"}}})
        SERVER.compact()
        self.copy("Pod", "twin")
        self.control({"compact": True})
        gone = next_pages(tokens)
        self.assertEqual(gone[0][1]["code"], 410)
        rest = next_pages([answer["metadata"]["continue"] for _, answer in gone])
        self.assertEqual(rest[0][0][0], 200)

    def test_watch(self):
        """Events of a watch with a selector: what fits anew is added, what no longer fits is deleted."""
        path = "/api/v1/namespaces/twin/pods"
        versions = [answer["metadata"]["resourceVersion"] for _, answer in self.shapes(path)]

        def change(labels):
            SERVER.patch("Pod", "twin", "p4", {"metadata": {"labels": labels}})
            body = SERVER.call("GET", path_of("Pod", "twin", "p4"))
            self.control({"put": [body]})
        for labels in [{"app": "cache", "x": "1"}, {"app": "web"}, {"app": "cache"}]:
            change(labels)
        SERVER.create(pod("p5", "twin", None, {"app": "cache"}))
        self.control({"put": [SERVER.call("GET", path_of("Pod", "twin", "p5"))]})
        SERVER.delete("Pod", "twin", "p5")
        self.control({"delete": [["pods", "twin", "p5"]]})
        events = []
        for i, version in enumerate(versions):
            _, headers, body = self.both(
                f"{path}?watch=1&labelSelector=app%3Dcache&timeoutSeconds=2&resourceVersion={version}")[i]
            self.assertEqual(headers["Transfer-Encoding"], "chunked")
            events.append([(event["type"], event["object"]["kind"], event["object"]["metadata"]["name"],
                            event["object"]["metadata"]["labels"], sorted(event["object"]))
                           for event in map(json.loads, body.splitlines())])
        events[0] = self.without_statuses(events[0])
        self.assertEqual([event[:4] for event in events[0]], [event[:4] for event in self.without_statuses(events[1])])
        self.assertEqual([event[0] for event in events[0]], ["MODIFIED", "DELETED", "ADDED", "ADDED", "DELETED"])

    @staticmethod
    def without_statuses(events):
        """Without the changes that follow one another and are the same, such as of a pod's status."""
        return [event for i, event in enumerate(events)
                if event[0] != "MODIFIED" or i == 0 or events[i - 1][1:4] != event[1:4]]

    def test_targets(self):
        """Of the same objects come the same targets."""
        for kind, space in [("Pod", "shop"), ("Service", "shop"), ("Endpoints", "shop"), ("Ingress", "shop"),
                            ("EndpointSlice", "shop"), ("Node", None)]:
            self.copy(kind, space)
        shop = '\tnamespaces {\n\t\tnames = ["shop"]\n\t}\n'
        for role in ("pod", "service", "endpoints", "endpointslice", "ingress", "node"):
            lists = []
            for access in (None, f'api_server = "http://127.0.0.1:{self.api}"'):
                with discovery(component("" if role == "node" else shop, role, access)) as (_, targets):
                    lists.append(targets.wait(role, lambda now: now)[0])
            with self.subTest(role):
                self.assertEqual(*[sorted(json.dumps(one, sort_keys=True) for one in now) for now in lists])


if __name__ == "__main__":
    own_network()
    own_mounts()
    xml_report.main()
