package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var noMetrics = metricsserver.Options{BindAddress: "0"}

const finalizer = "example.com/goodbye"

var kind = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Greeting"}

// greeter makes a ConfigMap of each Greeting, tells in the status that it did, and says goodbye before a Greeting goes.
type greeter struct{ client.Client }

func (g *greeter) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	greeting := newGreeting()
	if err := g.Get(ctx, request.NamespacedName, greeting); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !greeting.GetDeletionTimestamp().IsZero() {
		farewell := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: request.Name + "-gone"}}
		if err := g.Create(ctx, farewell); err != nil && !apierrors.IsAlreadyExists(err) {
			return ctrl.Result{}, err
		}
		controllerutil.RemoveFinalizer(greeting, finalizer)
		return ctrl.Result{}, g.Update(ctx, greeting)
	}
	if controllerutil.AddFinalizer(greeting, finalizer) {
		return ctrl.Result{}, g.Update(ctx, greeting)
	}
	to, _, _ := unstructured.NestedString(greeting.Object, "spec", "to")
	made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: request.Name}}
	if _, err := controllerutil.CreateOrUpdate(ctx, g.Client, made, func() error {
		made.Data = map[string]string{"text": "hello " + to}
		return controllerutil.SetControllerReference(greeting, made, g.Scheme())
	}); err != nil {
		return ctrl.Result{}, err
	}
	if said, _, _ := unstructured.NestedString(greeting.Object, "status", "said"); said == to {
		return ctrl.Result{}, nil
	}
	before := greeting.DeepCopy()
	if err := unstructured.SetNestedField(greeting.Object, to, "status", "said"); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, g.Status().Patch(ctx, greeting, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

func newGreeting() *unstructured.Unstructured {
	greeting := &unstructured.Unstructured{}
	greeting.SetGroupVersionKind(kind)
	return greeting
}

func define(ctx context.Context, direct client.Client) {
	text := apiextensionsv1.JSONSchemaProps{Type: "string"}
	object := func(field string) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{field: text}}
	}
	definition := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "greetings.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: kind.Group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "greetings", Kind: kind.Kind},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: kind.Version, Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": object("to"), "status": object("said")},
				}},
			}},
		},
	}
	check("define Greetings", direct.Create(ctx, definition))
	eventually(ctx, "Greetings are established", func(ctx context.Context) (bool, error) {
		if err := direct.Get(ctx, client.ObjectKeyFromObject(definition), definition); err != nil {
			return false, err
		}
		for _, condition := range definition.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
}

func greetings(ctx context.Context, config *rest.Config, scheme *runtime.Scheme, direct client.Client) {
	define(ctx, direct)
	manager := newManager(config, scheme)
	check("make a controller", ctrl.NewControllerManagedBy(manager).For(newGreeting()).Owns(&corev1.ConfigMap{}).
		Complete(&greeter{manager.GetClient()}))
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(running) }()

	greeting := newGreeting()
	greeting.SetNamespace("default")
	greeting.SetName("world")
	check("write a spec", unstructured.SetNestedField(greeting.Object, "world", "spec", "to"))
	check("create a Greeting", direct.Create(ctx, greeting))
	key := client.ObjectKeyFromObject(greeting)
	made := &corev1.ConfigMap{}
	textIs := func(text string) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			err := direct.Get(ctx, key, made)
			return err == nil && made.Data["text"] == text, client.IgnoreNotFound(err)
		}
	}
	eventually(ctx, "the controller made its ConfigMap", textIs("hello world"))
	check("delete what is owned", direct.Delete(ctx, made))
	eventually(ctx, "the controller made it again", textIs("hello world"))
	eventually(ctx, "the status says so", func(ctx context.Context) (bool, error) {
		err := direct.Get(ctx, key, greeting)
		said, _, _ := unstructured.NestedString(greeting.Object, "status", "said")
		return said == "world", err
	})
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"to":"moon"}}`))
	check("change the Greeting", direct.Patch(ctx, greeting, patch))
	eventually(ctx, "the controller followed", textIs("hello moon"))
	check("delete the Greeting", direct.Delete(ctx, greeting))
	eventually(ctx, "the finalizer let it go", func(ctx context.Context) (bool, error) {
		return apierrors.IsNotFound(direct.Get(ctx, key, greeting)), nil
	})
	eventually(ctx, "what it owned is gone", func(ctx context.Context) (bool, error) {
		return apierrors.IsNotFound(direct.Get(ctx, key, made)), nil
	})
	farewell := &corev1.ConfigMap{}
	check("goodbye was said", direct.Get(ctx, client.ObjectKey{Namespace: "default", Name: "world-gone"}, farewell))
	stop()
	check("the manager stops", <-ended)
}
