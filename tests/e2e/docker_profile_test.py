#!/usr/bin/python3
"""The documented examples of pyroscope.ebpf for Docker and Kubernetes, as they are: profiles of
containers under their names, and of nothing else."""
import http.client
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from docker_daemon import DockerDaemon  # noqa: E402
from own_files import empty_folder, own_mounts, replace_file  # noqa: E402
from pipeline import FIXTURES, Pipeline, own_network, share, wait_for  # noqa: E402
import xml_report  # noqa: E402

EXAMPLE = """
discovery.docker "linux" {
	host = "unix:///var/run/docker.sock"
}
discovery.relabel "local_containers" {
	targets = discovery.docker.linux.targets
	rule {
		action = "replace"
		source_labels = ["__meta_docker_container_name"]
		target_label = "service_name"
	}
}
pyroscope.write "staging" {
	endpoint {
		url = "http://pyroscope:4100"
	}
}
pyroscope.ebpf "default" {
	forward_to = [ pyroscope.write.staging.receiver ]
	targets = discovery.relabel.local_containers.output
}
"""

KUBERNETES = """
discovery.kubernetes "all_pods" {
	role = "pod"
	selectors {
		field = "spec.nodeName=" + env("HOSTNAME")
		role = "pod"
	}
}
discovery.relabel "local_pods" {
	targets = discovery.kubernetes.all_pods.targets
	rule {
		action = "drop"
		regex = "Succeeded|Failed"
		source_labels = ["__meta_kubernetes_pod_phase"]
	}
	rule {
		action = "replace"
		regex = "(.*)@(.*)"
		replacement = "ebpf/${1}/${2}"
		separator = "@"
		source_labels = ["__meta_kubernetes_namespace", "__meta_kubernetes_pod_container_name"]
		target_label = "service_name"
	}
	rule {
		action = "labelmap"
		regex = "__meta_kubernetes_pod_label_(.+)"
	}
	rule {
		action = "replace"
		source_labels = ["__meta_kubernetes_namespace"]
		target_label = "namespace"
	}
	rule {
		action = "replace"
		source_labels = ["__meta_kubernetes_pod_name"]
		target_label = "pod"
	}
	rule {
		action = "replace"
		source_labels = ["__meta_kubernetes_node_name"]
		target_label = "node"
	}
	rule {
		action = "replace"
		source_labels = ["__meta_kubernetes_pod_container_name"]
		target_label = "container"
	}
}
pyroscope.ebpf "local_pods" {
	forward_to = [ pyroscope.write.endpoint.receiver ]
	targets = discovery.relabel.local_pods.output
}
pyroscope.write "endpoint" {
	endpoint {
		url = "http://pyroscope:4100"
	}
}
"""
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class Cluster:
    """The double of an API server, as a pod of the cluster finds the real one."""

    def __init__(self):
        os.makedirs(ACCOUNT)
        ready, end = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "tests/kubernetes/api_server.py", "--tls=" + ACCOUNT], pass_fds=[end],
            env={**os.environ, "STOKER_READY_FD": str(end)})
        os.close(end)
        port, self.control_port = (int(port) for port in os.read(ready, 100).split())
        os.close(ready)
        for name, text in (("token", "the-token"), ("namespace", "monitoring")):
            with open(f"{ACCOUNT}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        self.control({"tokens": ["the-token"]})
        os.environ.update(KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT=str(port),
                          HOSTNAME="node-a")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def control(self, wish):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=30)
        try:
            connection.request("POST", "/control", json.dumps(wish))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def pod(self, name, container_id, **arguments):
        """A pod of namespace shop whose container `app` has that id."""
        sys.path.insert(0, os.path.abspath("tests/kubernetes"))
        from api_server import make_pod
        body = make_pod(name, "shop", **arguments)
        body["status"]["containerStatuses"][0]["containerID"] = container_id
        self.control({"put": [body]})


class DockerProfileTest(unittest.TestCase):
    """One daemon, one pipeline."""

    def test_example(self):
        """A Go program in a container, on the default bridge, has its known shares under the container's
        name; one that starts later too; the same program outside has no profile."""
        replace_file("/etc/hosts", "127.0.0.1 localhost pyroscope\n")
        with DockerDaemon(group=64917) as docker:
            # Where the example looks for it.
            empty_folder("/var/run")
            os.symlink(docker.socket, "/var/run/docker.sock")
            docker.import_image("hot:test", {"/hot-go": os.path.join(FIXTURES, "hot-go")})
            docker.run("early", ["/hot-go", "600"], image="hot:test")
            outside = subprocess.Popen([os.path.join(FIXTURES, "hot-go"), "600"], stdout=subprocess.DEVNULL)
            try:
                with Pipeline(config="\n", extra=EXAMPLE) as pipeline:
                    pipeline.store_port = pipeline.store.port = 4100
                    pipeline.start_store()
                    pipeline.start()
                    docker.run("late", ["/hot-go", "600"], image="hot:test")
                    for name in ("/early", "/late"):
                        stacks = wait_for(f"samples of {name}", lambda: self.enough(pipeline, name), 120)
                        self.assertAlmostEqual(share(stacks, "main.work", "main.hot"), 0.70, delta=0.06)
                    self.assertEqual(sorted(pipeline.store.label_values("service_name")), ["/early", "/late"])
            finally:
                outside.kill()
                outside.wait()

    def test_kubernetes(self):
        """Containers of pods of this node, of either runtime, have their pods' labels; those of pods
        that have ended, of another node and of no pod have no profile."""
        replace_file("/etc/hosts", "127.0.0.1 localhost pyroscope\n")
        with DockerDaemon() as docker:
            empty_folder("/var/run")
            docker.import_image("hot:test", {"/hot-go": os.path.join(FIXTURES, "hot-go")})
            ids = {name: docker.run(name, ["/hot-go", "600"], image="hot:test")
                   for name in ("web", "db", "done", "far", "nobody")}
            with Cluster() as cluster, Pipeline(config="\n", extra=KUBERNETES) as pipeline:
                cluster.pod("web-1", "docker://" + ids["web"], labels={"app": "web", "tier": "front"})
                cluster.pod("done-1", "docker://" + ids["done"], phase="Succeeded")
                cluster.pod("far-1", "docker://" + ids["far"], node="node-b")
                pipeline.store_port = pipeline.store.port = 4100
                pipeline.start_store()
                pipeline.start()
                # A pod that comes later, of the other runtime.
                cluster.pod("db-1", "containerd://" + ids["db"], labels={"app": "db"})
                for pod, app in (("web-1", "web"), ("db-1", "db")):
                    series = f'ebpf/shop/app", namespace="shop", pod="{pod}", container="app", app="{app}'
                    stacks = wait_for(f"samples of {pod}", lambda: self.enough(pipeline, series), 120)
                    self.assertAlmostEqual(share(stacks, "main.work", "main.hot"), 0.70, delta=0.06)
                store = pipeline.store
                self.assertEqual(store.label_values("service_name"), ["ebpf/shop/app"])
                self.assertEqual(sorted(store.label_values("pod")), ["db-1", "web-1"])
                self.assertEqual(store.label_values("tier"), ["front"])
                # The example's rule for it reads a label that pods have not.
                self.assertEqual(store.label_values("node"), [])

    @staticmethod
    def enough(pipeline, name):
        """Its stacks, once they hold three seconds of CPU."""
        stacks = pipeline.store.render(name)
        return stacks if sum(stacks.values()) > 3e9 else None


if __name__ == "__main__":
    own_network()
    own_mounts()
    xml_report.main()
