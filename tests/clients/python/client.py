"""A script as people write them with the published Python client: typed calls, patches, watches, custom objects, the dynamic
client. Drives the cluster of the kubeconfig that it is given and prints one line a step. Run: python client.py KUBECONFIG"""

import sys
import time

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException

NAMESPACE = "python-client"


def ok(step):
    print("ok", step, flush=True)


def eventually(what, probe):
    deadline = time.monotonic() + 60
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, "waited in vain: " + what
        time.sleep(0.05)


def deployment_story():
    apps, core = client.AppsV1Api(), client.CoreV1Api()
    labels = {"app": "web"}
    container = client.V1Container(
        name="web",
        image="localhost/web:1",
        resources=client.V1ResourceRequirements(requests={"cpu": "0.1", "memory": "1000k"}),
    )
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=template)
    since = core.list_namespaced_pod(NAMESPACE).metadata.resource_version
    made = apps.create_namespaced_deployment(
        NAMESPACE, client.V1Deployment(metadata=client.V1ObjectMeta(name="web"), spec=spec)
    )
    assert made.spec.template.spec.containers[0].resources.requests["cpu"] == "100m"
    ok("create a Deployment")
    eventually("two replicas", lambda: apps.read_namespaced_deployment("web", NAMESPACE).status.available_replicas == 2)
    ok("its pods run")
    read = apps.read_namespaced_deployment("web", NAMESPACE)
    while True:
        before = apps.read_namespaced_deployment("web", NAMESPACE)
        try:
            after = apps.replace_namespaced_deployment("web", NAMESPACE, before)
            break
        except ApiException as problem:
            assert problem.status == 409, problem
    assert after.metadata.generation == read.metadata.generation
    ok("what is written back as it was read changes nothing")
    scaled = apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 1}})
    assert scaled.spec.replicas == 1
    apps.patch_namespaced_deployment("web", NAMESPACE, {"metadata": {"labels": {"tier": "front"}}})
    ok("scale and patch")
    seen = set()
    for event in watch.Watch().stream(
        core.list_namespaced_pod, NAMESPACE, label_selector="app=web", resource_version=since, timeout_seconds=20
    ):
        seen.add(event["type"])
        if "DELETED" in seen:
            break
    assert {"ADDED", "MODIFIED", "DELETED"} <= seen, seen
    ok("a watch of typed objects")


def error_story():
    core = client.CoreV1Api()
    try:
        core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="Bad_Name")))
        raise AssertionError("a bad name was accepted")
    except ApiException as problem:
        assert problem.status == 422 and "metadata.name" in problem.body, problem
    pages, token = [], None
    for name in ("a", "b", "c"):
        core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name)))
    while True:
        page = core.list_namespaced_config_map(NAMESPACE, limit=2, _continue=token)
        pages += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert [name for name in pages if len(name) == 1] == ["a", "b", "c"], pages
    ok("errors and pages")


def custom_story():
    group = "python.example.com"
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "snakes", "kind": "Snake", "singular": "snake"}
    utils.create_from_dict(
        client.ApiClient(),
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "snakes." + group},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
        },
    )
    body = {"apiVersion": group + "/v1", "kind": "Snake", "metadata": {"name": "long"}, "spec": {"size": 2**53 + 1}}

    def snakes():
        try:
            return dynamic.DynamicClient(client.ApiClient()).resources.get(api_version=group + "/v1", kind="Snake")
        except dynamic.exceptions.ResourceNotFoundError:
            return None

    resource = eventually("the kind is discovered", snakes)
    resource.create(body=body, namespace=NAMESPACE)
    assert resource.get(name="long", namespace=NAMESPACE).spec.size == 2**53 + 1
    applied = {**body, "spec": {"size": 3}}
    resource.server_side_apply(
        body=applied, name="long", namespace=NAMESPACE, field_manager="python", force_conflicts=True
    )
    found = client.CustomObjectsApi().list_namespaced_custom_object(group, "v1", NAMESPACE, "snakes")
    assert [item["spec"]["size"] for item in found["items"]] == [3], found
    client.ApiextensionsV1Api().delete_custom_resource_definition("snakes." + group)
    ok("custom objects: typed by nobody, numbers exact")


def main():
    config.load_kube_config(sys.argv[1])
    core = client.CoreV1Api()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))
    deployment_story()
    error_story()
    custom_story()
    core.delete_namespace(NAMESPACE)
    print("ok all")


main()
