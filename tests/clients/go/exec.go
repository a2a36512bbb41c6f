package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
)

// execStory runs a command in a pod and forwards one of its ports, over SPDY and over WebSocket.
func execStory(config *rest.Config, client kubernetes.Interface, pod string) {
	url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name(pod).SubResource("exec").VersionedParams(
		&corev1.PodExecOptions{Command: []string{"cat"}, Stdin: true, Stdout: true, Stderr: true}, scheme.ParameterCodec).URL()
	spdyExecutor, err := remotecommand.NewSPDYExecutor(config, "POST", url)
	check("make a SPDY executor", err)
	webSocketExecutor, err := remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	check("make a WebSocket executor", err)
	for name, executor := range map[string]remotecommand.Executor{"SPDY": spdyExecutor, "WebSocket": webSocketExecutor} {
		var out bytes.Buffer
		text := strings.Repeat("a line through "+name+"\n", 5000)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: strings.NewReader(text), Stdout: &out, Stderr: io.Discard})
		cancel()
		check("exec over "+name, err)
		if out.String() != text {
			check("exec over "+name, fmt.Errorf("sent %d bytes, got %d", len(text), out.Len()))
		}
	}
	forwardStory(config, client, pod)
}

func forwardStory(config *rest.Config, client kubernetes.Interface, pod string) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	check("make a SPDY transport", err)
	url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name(pod).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url)
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.New(dialer, []string{"18081:8080"}, stop, ready, io.Discard, os.Stderr)
	check("make a forwarder", err)
	go func() { check("forward ports", forwarder.ForwardPorts()) }()
	<-ready
	response, err := http.Get("http://127.0.0.1:18081/")
	check("ask through the forwarded port", err)
	body, err := io.ReadAll(response.Body)
	check("read through the forwarded port", err)
	if !strings.Contains(string(body), "forwarded") {
		check("read through the forwarded port", fmt.Errorf("got %q", body))
	}
	close(stop)
}
