// A program as operators are written: typed clients that speak protobuf, shared informers, watches, patches. It drives the cluster
// of the kubeconfig that it is given, prints one line a step, and fails with the step's name.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const namespace = "go-client"

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	check("read the kubeconfig", err)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.QPS, config.Burst = 1000, 1000
	client, err := kubernetes.NewForConfig(config)
	check("make a client", err)
	if len(os.Args) > 3 && os.Args[2] == "exec" {
		execStory(config, client, os.Args[3])
		fmt.Println("ok all")
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()

	_, err = client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	check("create a namespace", err)

	seen := watchDeployments(ctx, client)
	deploymentStory(ctx, client)
	noOpUpdates(ctx, client)
	conflicts(ctx, client)
	check("the informer saw the Deployment", wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 20*time.Second, true,
		func(context.Context) (bool, error) { return seen("web"), nil }))

	check("delete the namespace", client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}))
	check("the namespace is gone", wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 60*time.Second, true,
		func(ctx context.Context) (bool, error) {
			_, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		}))
	fmt.Println("ok all")
}

func check(step string, err error) {
	if err != nil {
		fmt.Printf("FAILED %s: %v\n", step, err)
		os.Exit(1)
	}
	fmt.Println("ok", step)
}

// watchDeployments starts a shared informer and answers whether a name has come by.
func watchDeployments(ctx context.Context, client kubernetes.Interface) func(string) bool {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	informer := factory.Apps().V1().Deployments().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{})
	check("add an event handler", err)
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		check("sync the informer", ctx.Err())
	}
	fmt.Println("ok sync the informer")
	return func(name string) bool {
		_, exists, err := informer.GetStore().GetByKey(namespace + "/" + name)
		return err == nil && exists
	}
}

func web() *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name:  "web",
					Image: "localhost/steersman-web:1",
					Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 80}},
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
						corev1.ResourceCPU:    resource.MustParse("0.01"),
						corev1.ResourceMemory: resource.MustParse("8Mi"),
					}},
				}}},
			},
		},
	}
}

func deploymentStory(ctx context.Context, client kubernetes.Interface) {
	deployments := client.AppsV1().Deployments(namespace)
	created, err := deployments.Create(ctx, web(), metav1.CreateOptions{})
	check("create a Deployment", err)
	if created.Spec.RevisionHistoryLimit == nil || *created.Spec.RevisionHistoryLimit != 10 {
		check("defaults are set", fmt.Errorf("revisionHistoryLimit is %v", created.Spec.RevisionHistoryLimit))
	}
	check("the Deployment is available", wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 60*time.Second, true,
		func(ctx context.Context) (bool, error) {
			now, err := deployments.Get(ctx, "web", metav1.GetOptions{})
			return err == nil && now.Status.AvailableReplicas == 2, err
		}))
	_, err = deployments.Patch(ctx, "web", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"1"}]}]}}}}`), metav1.PatchOptions{})
	check("patch strategically", err)
	_, err = deployments.Patch(ctx, "web", types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/replicas","value":1}]`), metav1.PatchOptions{})
	check("patch by JSON Patch", err)
	_, err = deployments.Patch(ctx, "web", types.MergePatchType, []byte(`{"metadata":{"annotations":{"a":"b"}}}`), metav1.PatchOptions{})
	check("patch by merge", err)
	_, err = deployments.Apply(ctx, appsapply.Deployment("web", namespace).WithLabels(map[string]string{"applied": "yes"}),
		metav1.ApplyOptions{FieldManager: "go-client"})
	check("apply", err)
	scale, err := deployments.GetScale(ctx, "web", metav1.GetOptions{})
	check("get the scale", err)
	scale.Spec.Replicas = 2
	_, err = deployments.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{})
	check("update the scale", err)
	list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web", Limit: 1})
	check("list one pod", err)
	if len(list.Items) != 1 {
		check("list one pod", fmt.Errorf("got %d", len(list.Items)))
	}
}

// noOpUpdates writes back what it read, typed: nothing may change, or every operator's resync would roll pods.
func noOpUpdates(ctx context.Context, client kubernetes.Interface) {
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "once"},
		Spec: batchv1.JobSpec{Suspend: new(true), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "a", Image: "localhost/steersman-busybox:1"}}}}},
	}
	madeJob, err := client.BatchV1().Jobs(namespace).Create(ctx, job, metav1.CreateOptions{})
	check("create a Job", err)
	madeJob, sameJob, err := writeBack(
		func() (*batchv1.Job, error) {
			return client.BatchV1().Jobs(namespace).Get(ctx, madeJob.Name, metav1.GetOptions{})
		},
		func(job *batchv1.Job) (*batchv1.Job, error) {
			return client.BatchV1().Jobs(namespace).Update(ctx, job, metav1.UpdateOptions{})
		})
	check("write a Job back", err)
	same("Job", madeJob.ResourceVersion, sameJob.ResourceVersion, equality.Semantic.DeepEqual(madeJob.Spec, sameJob.Spec))

	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}}}
	_, err = client.CoreV1().Services(namespace).Create(ctx, service, metav1.CreateOptions{})
	check("create a Service", err)
	madeService, sameService, err := writeBack(
		func() (*corev1.Service, error) {
			return client.CoreV1().Services(namespace).Get(ctx, "web", metav1.GetOptions{})
		},
		func(service *corev1.Service) (*corev1.Service, error) {
			return client.CoreV1().Services(namespace).Update(ctx, service, metav1.UpdateOptions{})
		})
	check("write a Service back", err)
	same("Service", madeService.ResourceVersion, sameService.ResourceVersion, equality.Semantic.DeepEqual(madeService.Spec, sameService.Spec))

	ingress := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
		Host: "go.example", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
			Path: "/", PathType: new(networkingv1.PathTypePrefix), Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
				Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}}}}}}}}}}
	_, err = client.NetworkingV1().Ingresses(namespace).Create(ctx, ingress, metav1.CreateOptions{})
	check("create an Ingress", err)
	madeIngress, sameIngress, err := writeBack(
		func() (*networkingv1.Ingress, error) {
			return client.NetworkingV1().Ingresses(namespace).Get(ctx, "web", metav1.GetOptions{})
		},
		func(ingress *networkingv1.Ingress) (*networkingv1.Ingress, error) {
			return client.NetworkingV1().Ingresses(namespace).Update(ctx, ingress, metav1.UpdateOptions{})
		})
	check("write an Ingress back", err)
	same("Ingress", madeIngress.ResourceVersion, sameIngress.ResourceVersion, equality.Semantic.DeepEqual(madeIngress.Spec, sameIngress.Spec))
}

// writeBack updates an object with what it just read. Controllers write the same objects meanwhile: conflicts with them are no failure.
func writeBack[T any](get func() (T, error), update func(T) (T, error)) (before, after T, err error) {
	for range 20 {
		if before, err = get(); err != nil {
			return before, after, err
		}
		if after, err = update(before); !apierrors.IsConflict(err) {
			return before, after, err
		}
	}
	return before, after, err
}

func same(kind, before, after string, isEqual bool) {
	if before != after || !isEqual {
		check("a no-op update of a "+kind+" changes nothing", fmt.Errorf("resourceVersion %s became %s, equal: %v", before, after, isEqual))
	}
	fmt.Println("ok a no-op update of a", kind, "changes nothing")
}

func conflicts(ctx context.Context, client kubernetes.Interface) {
	maps := client.CoreV1().ConfigMaps(namespace)
	first, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Data: map[string]string{"a": "1"}}, metav1.CreateOptions{})
	check("create a ConfigMap", err)
	changed := first.DeepCopy()
	changed.Data["a"] = "2"
	_, err = maps.Update(ctx, changed, metav1.UpdateOptions{})
	check("update a ConfigMap", err)
	_, err = maps.Update(ctx, first.DeepCopy(), metav1.UpdateOptions{})
	if !apierrors.IsConflict(err) {
		check("a stale update is a conflict", fmt.Errorf("got %v", err))
	}
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		check("a second creation is refused", fmt.Errorf("got %v", err))
	}
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "Not_A_Name"}}, metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) {
		check("a bad name is invalid", fmt.Errorf("got %v", err))
	}
	fmt.Println("ok conflicts")
}
