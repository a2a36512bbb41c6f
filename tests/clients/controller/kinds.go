package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"slices"
	"time"
)

// everyKind creates what is in the file and writes each back as the typed client read it: nothing may change. Every kind that
// the server lets be created and updated must be in the file.
func everyKind(ctx context.Context, config *rest.Config, scheme *runtime.Scheme, direct client.Client, path string) {
	content, err := os.ReadFile(path)
	check("read the objects", err)
	seen := map[schema.GroupVersionKind]bool{}
	differing := []string{}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		raw := &unstructured.Unstructured{}
		if err := decoder.Decode(raw); err == io.EOF {
			break
		} else if err != nil {
			check("read an object", err)
		}
		gvk := raw.GroupVersionKind()
		seen[gvk] = true
		step := fmt.Sprintf("a %s %s that is written back is as it was", gvk.GroupVersion(), gvk.Kind)
		// All that differ are told at once.
		if err := writtenBack(ctx, scheme, direct, raw); err != nil {
			differing = append(differing, fmt.Sprintf("%s: %v", step, err))
		} else {
			fmt.Println("ok", step)
		}
	}
	if len(differing) > 0 {
		check("every kind is as it was", errors.New(strings.Join(differing, "\n")))
	}
	missing := notSeen(config, seen)
	if len(missing) > 0 {
		check("every kind was tried", fmt.Errorf("not in %s: %s", path, strings.Join(missing, ", ")))
	}
}

func writtenBack(ctx context.Context, scheme *runtime.Scheme, direct client.Client, raw *unstructured.Unstructured) error {
	made, err := scheme.New(raw.GroupVersionKind())
	if err != nil {
		return err
	}
	object := made.(client.Object)
	content, err := raw.MarshalJSON()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, object); err != nil {
		return err
	}
	if err := direct.Create(ctx, object); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	key := client.ObjectKeyFromObject(object)
	// The cluster's own loops may be faster once or twice.
	return wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		fresh, _ := scheme.New(raw.GroupVersionKind())
		read := fresh.(client.Object)
		if err := direct.Get(ctx, key, read); err != nil {
			return false, fmt.Errorf("get: %w", err)
		}
		before := read.GetResourceVersion()
		if err := direct.Update(ctx, read); apierrors.IsConflict(err) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("update: %w", err)
		}
		if read.GetResourceVersion() != before {
			return false, fmt.Errorf("revision %s became %s: %v", before, read.GetResourceVersion(), read)
		}
		return true, nil
	})
}

func notSeen(config *rest.Config, seen map[schema.GroupVersionKind]bool) []string {
	asking, err := discovery.NewDiscoveryClientForConfig(config)
	check("make a discovery client", err)
	_, lists, err := asking.ServerGroupsAndResources()
	check("discover", err)
	missing := []string{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		check("read "+list.GroupVersion, err)
		// Resources of users, and APIServices, of which client-go has no type.
		if version.Group == "apiregistration.k8s.io" || !strings.HasSuffix(version.Group, ".k8s.io") && strings.Contains(version.Group, ".") {
			continue
		}
		for _, resource := range list.APIResources {
			verbs := []string(resource.Verbs)
			if strings.Contains(resource.Name, "/") || !slices.Contains(verbs, "create") || !slices.Contains(verbs, "update") {
				continue
			}
			if gvk := version.WithKind(resource.Kind); !seen[gvk] {
				missing = append(missing, gvk.String())
			}
		}
	}
	return missing
}
