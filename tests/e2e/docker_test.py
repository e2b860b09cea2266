#!/usr/bin/python3
"""Containers of a real Docker daemon become targets, and a real swarm's nodes, services and tasks."""
import os
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from docker_daemon import DockerDaemon  # noqa: E402
from pipeline import Pipeline, own_network, wait_for  # noqa: E402
from target_list import TargetList  # noqa: E402
import xml_report  # noqa: E402

SLEEP = ["/bin/busybox", "sleep", "100000"]
# Nobody's: what has it has it from the supervisor.
DOCKER_GROUP = 64917


def configuration(text):
    return Pipeline(config="\n", extra=text, processes=["discovery"])


def names(targets):
    return sorted(target["__meta_docker_container_name"] for target in targets)


def by_name(targets, name):
    return [target for target in targets if target.get("__meta_docker_container_name") == name]


class DockerTest(unittest.TestCase):
    """discovery.docker."""

    def local(self, docker, **arguments):
        lines = "".join(f"\n\t{name} = {value}" for name, value in arguments.items())
        return 'discovery.docker "local" {\n\thost = "%s"%s\n}\n' % (docker.host, lines)

    def failing(self, pipeline, reason):
        """The state of the component, when that is why it fails."""
        component = pipeline.state("discovery")["discovery"]["components"][0]
        return component if reason in component.get("error", "") else None

    def test_containers(self):
        """On the default bridge, on a bridge of their own, on both, on the host's network, on another
        container's: the targets and labels of each. One that starts is there within a second."""
        with DockerDaemon(group=DOCKER_GROUP) as docker:
            docker.import_busybox()
            back = docker.call("POST", "/networks/create", {
                "Name": "back", "Internal": True, "Labels": {"com.example.tier": "2"}})["Id"]
            web = docker.create(
                "web", SLEEP, ExposedPorts={"80/tcp": {}, "90/tcp": {}, "53/udp": {}},
                Labels={"com.docker.compose.project": "shop"},
                HostConfig={"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}})
            docker.call("POST", f"/networks/{back}/connect", {"Container": web})
            docker.run("onhost", SLEEP, HostConfig={"NetworkMode": "host"})
            shared = docker.run("owner", SLEEP, ExposedPorts={"6060/tcp": {}})
            docker.run("guest", SLEEP, HostConfig={"NetworkMode": f"container:{shared}"})
            text = self.local(docker, port=9000, host_networking_host='"10.1.1.1"') + """
discovery.docker "all" {
	host                = "%s"
	match_first_network = false

	filter {
		name   = "label"
		values = ["com.docker.compose.project=shop"]
	}
}
""" % docker.host
            with configuration(text) as pipeline:
                pipeline.start()
                with TargetList(pipeline, "discovery.docker.local") as local, \
                        TargetList(pipeline, "discovery.docker.all") as everywhere:
                    targets, _ = local.wait("the first list", lambda targets: len(targets) == 3)
                    self.assertEqual(names(targets), ["/guest", "/onhost", "/owner"])
                    addresses = docker.addresses(shared)
                    self.assertEqual(by_name(targets, "/owner")[0]["__address__"],
                                     addresses["bridge"] + ":6060")
                    # Its own ports, and it has none.
                    self.assertEqual(by_name(targets, "/guest")[0]["__address__"],
                                     addresses["bridge"] + ":9000")
                    self.assertEqual(by_name(targets, "/onhost")[0]["__address__"], "10.1.1.1")

                    docker.start_container(web)
                    targets, at = local.wait("the new container", lambda targets: by_name(targets, "/web"))
                    delay = at - docker.started_at(web)
                    print(f"a container was a target {delay:.3f} s after its start")
                    self.assertLess(delay, 1.0)
                    networks = {network["Name"]: network for network in docker.call("GET", "/networks")}
                    address = docker.addresses(web)["back"]
                    expected = {
                        "__address__": f"{address}:80",
                        "__meta_docker_container_id": web,
                        "__meta_docker_container_label_com_docker_compose_project": "shop",
                        "__meta_docker_container_name": "/web",
                        "__meta_docker_container_network_mode": "default",
                        "__meta_docker_network_id": networks["back"]["Id"],
                        "__meta_docker_network_ingress": "false",
                        "__meta_docker_network_internal": "true",
                        "__meta_docker_network_ip": address,
                        "__meta_docker_network_label_com_example_tier": "2",
                        "__meta_docker_network_name": "back",
                        "__meta_docker_network_scope": "local",
                        "__meta_docker_port_private": "80",
                        "__meta_docker_port_public": "8080",
                        "__meta_docker_port_public_ip": "127.0.0.1",
                    }
                    found = {target["__address__"]: target for target in by_name(targets, "/web")}
                    self.assertEqual(sorted(found), [f"{address}:80", f"{address}:90"])
                    self.assertEqual(found[f"{address}:80"], expected)

                    bridge = docker.addresses(web)["bridge"]
                    targets, _ = everywhere.wait("both networks", lambda targets: len(targets) == 4)
                    self.assertEqual(sorted(target["__address__"] for target in targets),
                                     sorted(f"{ip}:{port}" for ip in (address, bridge) for port in (80, 90)))

                    begin = time.monotonic()
                    docker.remove(web)
                    _, at = local.wait("its end", lambda targets: not by_name(targets, "/web"))
                    print(f"a container was no target {at - begin:.3f} s after the call that removes it")

    def test_daemon_away(self):
        """While the daemon is away its last containers stay targets, and health, metrics and state say
        why; when it is back they follow it, without a restart."""
        with DockerDaemon(group=DOCKER_GROUP) as docker:
            docker.import_busybox()
            docker.run("stays", SLEEP, HostConfig={"RestartPolicy": {"Name": "always"}})
            docker.run("goes", SLEEP)
            with configuration(self.local(docker)) as pipeline:
                pipeline.start()
                with TargetList(pipeline, "discovery.docker.local") as targets:
                    targets.wait("both", lambda now: names(now) == ["/goes", "/stays"])
                    self.assertEqual(pipeline.get("discovery", "/-/healthy")[0], 200)
                    begin = time.monotonic()
                    docker.stop()
                    wait_for("unhealthy", lambda: pipeline.get("discovery", "/-/healthy")[0] == 500)
                    print(f"unhealthy {time.monotonic() - begin:.3f} s after the daemon's end")
                    self.assertIn(b"discovery.docker.local", pipeline.get("discovery", "/-/healthy")[1])
                    self.assertEqual(names(targets.now()), ["/goes", "/stays"])
                    failures = (r'prometheus_sd_refresh_failures_total'
                                r'\{config="discovery.docker.local",mechanism="docker"\}')
                    self.assertGreater(pipeline.metric("discovery", failures), 0)
                    component = wait_for("the reason", lambda: self.failing(pipeline, "is Docker running?"))
                    self.assertGreater(component["sources"][0]["failures"], 0)
                    docker.start()
                    begin = time.monotonic()
                    _, at = targets.wait("what is left", lambda now: names(now) == ["/stays"], 60)
                    print(f"followed {at - begin:.3f} s after the daemon was back")
                    wait_for("healthy", lambda: pipeline.get("discovery", "/-/healthy")[0] == 200)

    def test_not_permitted(self):
        """A socket whose group no process of ours has: the component says what stands in its way."""
        with DockerDaemon(group=0) as docker:
            with configuration(self.local(docker)) as pipeline:
                pipeline.start()
                with TargetList(pipeline, "discovery.docker.local"):
                    wait_for("unhealthy", lambda: pipeline.get("discovery", "/-/healthy")[0] == 500)
                    self.assertTrue(self.failing(
                        pipeline, f"not permitted to use {docker.socket} (owner 0, group 0, mode 0660)"))

    def test_reload(self):
        """A reload that adds the socket of another group is refused, with what to do, and changes nothing;
        one that adds a component on a socket that discovery may use is not."""
        with DockerDaemon(group=DOCKER_GROUP) as docker, socket.socket(socket.AF_UNIX) as other:
            path = docker.folder + "/other.sock"
            other.bind(path)
            os.chown(path, 0, DOCKER_GROUP + 1)
            os.chmod(path, 0o660)
            with configuration(self.local(docker)) as pipeline:
                pipeline.start()

                def reload(text):
                    with open(pipeline.config, "w", encoding="utf-8") as file:
                        file.write("\n" + text)
                    return pipeline.ask_gateway("POST", "/-/reload")
                added = self.local(docker).replace("local", "other").replace(docker.socket, path)
                status, text = reload(self.local(docker) + added)
                self.assertGreaterEqual(status, 400)
                self.assertIn(f"the configuration needs stoker-discovery in group {DOCKER_GROUP + 1}, for the "
                              f"socket {path}; start `stoker run` again", text)
                status, text = reload(self.local(docker) + self.local(docker).replace("local", "second"))
                self.assertEqual(status, 200, text)
                with TargetList(pipeline, "discovery.docker.second") as targets:
                    targets.wait("no container", lambda now: now == [])

    def test_pace(self):
        """Containers that come and go make few messages, the last of which is right; a change is a
        consumer's within a second of the daemon's event."""
        with DockerDaemon(group=DOCKER_GROUP) as docker:
            docker.import_busybox()
            with configuration(self.local(docker)) as pipeline:
                pipeline.start()
                with TargetList(pipeline, "discovery.docker.local") as targets:
                    targets.wait("none", lambda now: now == [])
                    before, begin = targets.messages, time.monotonic()
                    kept, delays = [], []
                    for i in range(12):
                        container = docker.create(f"c{i}", SLEEP, HostConfig={"NetworkMode": "none"})
                        docker.start_container(container)
                        if i % 2:
                            docker.remove(container)
                            continue
                        kept.append(f"/c{i}")
                        if i % 4 == 0:
                            _, at = targets.wait(f"c{i}", lambda now, i=i: by_name(now, f"/c{i}"))
                            delays.append(at - docker.started_at(container))
                    targets.wait("the last", lambda now: names(now) == sorted(kept))
                    took, messages = time.monotonic() - begin, targets.messages - before
                    print(f"a container was a target {', '.join(f'{d:.2f}' for d in delays)} s after its start; "
                          f"18 changes in {took:.1f} s made {messages} messages")
                    self.assertLess(max(delays), 1.0)
                    self.assertLessEqual(messages, 5 * took + 2)

    def test_process_join(self):
        """The processes of a container have its labels."""
        with DockerDaemon(group=DOCKER_GROUP) as docker:
            docker.import_busybox()
            text = self.local(docker) + """
discovery.process "all" {
	join = discovery.docker.local.targets
}
"""
            with configuration(text) as pipeline:
                pipeline.start()
                with TargetList(pipeline, "discovery.process.all") as targets:
                    targets.wait("the processes", lambda now: now)
                    begin = time.monotonic()
                    web = docker.run("web", ["/bin/busybox", "sh", "-c", "/bin/busybox sleep 100000; true"],
                                     Labels={"team": "a"})

                    def joined(now):
                        return [t for t in by_name(now, "/web") if "__process_pid__" in t]
                    now, at = targets.wait("two processes", lambda now: len(joined(now)) == 2)
                    print(f"its processes were targets {at - begin:.3f} s after the call that runs it")
                    self.assertEqual(sorted(int(t["__process_pid__"]) for t in joined(now)),
                                     sorted(docker.pids(web)))
                    for target in joined(now):
                        self.assertEqual(target["__container_id__"], web)
                        self.assertEqual(target["__meta_docker_container_id"], web)
                        self.assertEqual(target["__meta_docker_container_label_team"], "a")
                        self.assertEqual(target["__meta_process_exe"], "/bin/busybox")
                    # The container alone too, for what has no process yet.
                    self.assertEqual(len(by_name(now, "/web")), 3)
                    # This process is in no container.
                    self.assertTrue([t for t in now if t.get("__process_pid__") == str(os.getpid())
                                     and "__meta_docker_container_id" not in t])

    def test_tls(self):
        """Over TCP with TLS, both sides verified."""
        with DockerDaemon() as certificates:
            folder = certificates.folder
            certificates.stop()

            def openssl(*arguments):
                subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
            openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
                    "-subj", "/CN=ca", "-days", "2")
            for name, usage in (("server", "serverAuth"), ("client", "clientAuth")):
                openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key",
                        "-out", f"{name}.csr", "-subj", f"/CN={name}")
                with open(f"{folder}/{name}.ext", "w", encoding="utf-8") as file:
                    file.write(f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n")
                openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                        "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext")
                os.chmod(f"{folder}/{name}.key", 0o644)
            certificates.arguments = [
                "--host=tcp://127.0.0.1:2376", "--tlsverify", f"--tlscacert={folder}/ca.pem",
                f"--tlscert={folder}/server.pem", f"--tlskey={folder}/server.key"]
            certificates.start()
            certificates.import_busybox()
            certificates.run("web", SLEEP)
            text = """
discovery.docker "remote" {
	host = "tcp://127.0.0.1:2376"

	tls_config {
		ca_file   = "%(folder)s/ca.pem"
		cert_file = "%(folder)s/client.pem"
		key_file  = "%(folder)s/client.key"
	}
}

discovery.docker "stranger" {
	host = "tcp://127.0.0.1:2376"

	tls_config {
		ca_file = "%(folder)s/ca.pem"
	}
}
""" % {"folder": folder}
            with configuration(text) as pipeline:
                pipeline.start()
                with TargetList(pipeline, "discovery.docker.remote") as targets, \
                        TargetList(pipeline, "discovery.docker.stranger"):
                    targets.wait("web", lambda now: names(now) == ["/web"])
                    certificates.run("new", SLEEP)
                    targets.wait("new", lambda now: names(now) == ["/new", "/web"], 5)
                    wait_for("unhealthy", lambda: b"discovery.docker.stranger" in
                             pipeline.get("discovery", "/-/healthy")[1])


class SwarmTest(unittest.TestCase):
    """discovery.dockerswarm."""

    def test_swarm(self):
        """Nodes, services and tasks of a swarm of one node, with their labels; a service that is made
        later is there within seconds, and its tasks."""
        with DockerDaemon(group=DOCKER_GROUP) as docker:
            docker.import_busybox()
            node = docker.call("POST", "/swarm/init",
                               {"ListenAddr": "127.0.0.1:2377", "AdvertiseAddr": "127.0.0.1"})
            text = "".join("""
discovery.dockerswarm "%(role)s" {
	host = "%(host)s"
	role = "%(role)s"
	port = 9000
}
""" % {"role": role, "host": docker.host} for role in ("nodes", "services", "tasks"))
            with configuration(text) as pipeline:
                pipeline.start()
                with TargetList(pipeline, "discovery.dockerswarm.nodes") as nodes, \
                        TargetList(pipeline, "discovery.dockerswarm.services") as services, \
                        TargetList(pipeline, "discovery.dockerswarm.tasks") as tasks:
                    self.check_nodes(docker, node, nodes)
                    services.wait("no service", lambda now: now == [])
                    tasks.wait("no task", lambda now: now == [])
                    begin = time.monotonic()
                    service = docker.call("POST", "/services/create", {
                        "Name": "web", "Labels": {"team": "a"},
                        "TaskTemplate": {"ContainerSpec": {
                            "Image": "busybox:test", "Command": SLEEP, "Hostname": "oven",
                            "Labels": {"my.label": "x"}}},
                        "Mode": {"Replicated": {"Replicas": 2}},
                        "EndpointSpec": {"Ports": [{"Protocol": "tcp", "TargetPort": 80,
                                                    "PublishedPort": 7777}]}})["ID"]
                    self.check_services(docker, service, services, begin)
                    self.check_tasks(docker, node, service, tasks, begin)

    def check_nodes(self, docker, node, nodes):
        targets, _ = nodes.wait("the node", lambda now: len(now) == 1 and
                                now[0]["__meta_dockerswarm_node_status"] == "ready")
        told = docker.call("GET", f"/nodes/{node}")
        platform = told["Description"]["Platform"]
        self.assertEqual(targets[0], {
            "__address__": "127.0.0.1:9000",
            "__meta_dockerswarm_node_address": "127.0.0.1",
            "__meta_dockerswarm_node_availability": "active",
            "__meta_dockerswarm_node_engine_version": told["Description"]["Engine"]["EngineVersion"],
            "__meta_dockerswarm_node_hostname": os.uname().nodename,
            "__meta_dockerswarm_node_id": node,
            "__meta_dockerswarm_node_manager_address": "127.0.0.1:2377",
            "__meta_dockerswarm_node_manager_leader": "true",
            "__meta_dockerswarm_node_manager_reachability": "reachable",
            "__meta_dockerswarm_node_platform_architecture": platform["Architecture"],
            "__meta_dockerswarm_node_platform_os": "linux",
            "__meta_dockerswarm_node_role": "manager",
            "__meta_dockerswarm_node_status": "ready",
        })

    def check_services(self, docker, service, services, begin):
        targets, at = services.wait("the service", lambda now: len(now) == 1)
        print(f"a service was a target {at - begin:.3f} s after the call that makes it")
        self.assertLess(at - begin, 1.5)
        told = docker.call("GET", f"/services/{service}")
        address = told["Endpoint"]["VirtualIPs"][0]
        network = docker.call("GET", f"/networks/{address['NetworkID']}")
        self.assertEqual(targets[0], {
            "__address__": address["Addr"].split("/")[0] + ":7777",
            "__meta_dockerswarm_network_id": network["Id"],
            "__meta_dockerswarm_network_ingress": "true",
            "__meta_dockerswarm_network_internal": "false",
            "__meta_dockerswarm_network_name": "ingress",
            "__meta_dockerswarm_network_scope": "swarm",
            "__meta_dockerswarm_service_endpoint_port_publish_mode": "ingress",
            "__meta_dockerswarm_service_id": service,
            "__meta_dockerswarm_service_label_team": "a",
            "__meta_dockerswarm_service_mode": "replicated",
            "__meta_dockerswarm_service_name": "web",
            "__meta_dockerswarm_service_task_container_hostname": "oven",
            "__meta_dockerswarm_service_task_container_image": "busybox:test",
        })

    def check_tasks(self, docker, node, service, tasks, begin):
        def running(now):
            return [t for t in now if t["__meta_dockerswarm_task_state"] == "running"]
        targets, at = tasks.wait("two tasks that run", lambda now: len(running(now)) == 2)
        print(f"its tasks were running targets {at - begin:.3f} s after the call")
        self.assertEqual(sorted(t["__meta_dockerswarm_task_slot"] for t in targets), ["1", "2"])
        target = targets[0]
        told = docker.call("GET", f"/tasks/{target['__meta_dockerswarm_task_id']}")
        attachment = told["NetworksAttachments"][0]
        self.assertEqual(target["__address__"], attachment["Addresses"][0].split("/")[0] + ":7777")
        expected = {
            "__meta_dockerswarm_container_label_my_label": "x",
            "__meta_dockerswarm_network_name": "ingress",
            "__meta_dockerswarm_node_hostname": os.uname().nodename,
            "__meta_dockerswarm_node_id": node,
            "__meta_dockerswarm_node_role": "manager",
            "__meta_dockerswarm_service_id": service,
            "__meta_dockerswarm_service_label_team": "a",
            "__meta_dockerswarm_service_mode": "replicated",
            "__meta_dockerswarm_service_name": "web",
            "__meta_dockerswarm_task_container_id": told["Status"]["ContainerStatus"]["ContainerID"],
            "__meta_dockerswarm_task_desired_state": "running",
            "__meta_dockerswarm_task_port_publish_mode": "ingress",
        }
        self.assertEqual({name: target.get(name) for name in expected}, expected)


if __name__ == "__main__":
    own_network()
    xml_report.main()
