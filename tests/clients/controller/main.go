// A controller as operators are written today, with controller-runtime: a manager that leads, cached reads, owned objects, finalizers
// and status; then an object of every kind is written back as typed clients read it, which must change nothing. It drives the
// cluster of the kubeconfig that it is given, prints one line a step, and fails with the step's name.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	log.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	check("read the kubeconfig", err)
	config.QPS, config.Burst = 1000, 1000
	scheme := runtime.NewScheme()
	check("know the kinds of client-go", clientscheme.AddToScheme(scheme))
	check("know definitions of resources", apiextensionsv1.AddToScheme(scheme))
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Second)
	defer cancel()
	direct, err := client.New(config, client.Options{Scheme: scheme})
	check("make a client", err)
	greetings(ctx, config, scheme, direct)
	everyKind(ctx, config, scheme, direct, os.Args[2])
	fmt.Println("ok all")
}

func check(step string, err error) {
	if err != nil {
		fmt.Printf("FAILED %s: %v\n", step, err)
		os.Exit(1)
	}
	fmt.Println("ok", step)
}

// eventually asks again until the condition holds.
func eventually(ctx context.Context, step string, condition func(context.Context) (bool, error)) {
	check(step, wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 60*time.Second, true, condition))
}

func newManager(config *rest.Config, scheme *runtime.Scheme) ctrl.Manager {
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, LeaderElection: true, LeaderElectionID: "greetings", LeaderElectionNamespace: "default",
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       noMetrics,
	})
	check("make a manager", err)
	return manager
}
