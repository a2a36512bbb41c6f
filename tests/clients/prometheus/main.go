// Prometheus' own discovery, which Debian's build lacks: reads the jobs of a configuration with Prometheus' own types, discovers the
// targets of each with its client-go, relabels them, and scrapes each once. Given the targets that are expected, one a line on standard input
// (`JOB URL LABEL=VALUE...`), it says "ok all" once they are what it has found, and what differs when that does not come to be.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	httpconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v2"
)

const deadline = 60 * time.Second

// A job, as far as discovering and asking goes; Debian's promtool reads the rest.
type job struct {
	Name        string                      `yaml:"job_name"`
	Scheme      string                      `yaml:"scheme"`
	MetricsPath string                      `yaml:"metrics_path"`
	Relabel     []*relabel.Config           `yaml:"relabel_configs"`
	Client      httpconfig.HTTPClientConfig `yaml:",inline"`
	Discovery   discovery.Configs           `yaml:"-"`
}

func (one *job) UnmarshalYAML(unmarshal func(any) error) error {
	*one = job{Scheme: "http", MetricsPath: "/metrics", Client: httpconfig.DefaultHTTPClientConfig}
	if err := discovery.UnmarshalYAMLWithInlineConfigs(one, unmarshal); err != nil {
		return err
	}
	for _, each := range one.Relabel {
		if err := each.Validate(model.UTF8Validation); err != nil {
			return err
		}
	}
	return one.Client.Validate()
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	check("read the configuration", err)
	var loaded struct {
		Jobs []*job `yaml:"scrape_configs"`
	}
	check("understand the configuration", yaml.Unmarshal(text, &loaded))
	expected := lines(os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	registry := prometheus.NewRegistry()
	metrics, err := discovery.CreateAndRegisterSDMetrics(registry)
	check("make the discovery", err)
	manager := discovery.NewManager(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)), registry, metrics)
	go func() { _ = manager.Run() }()
	jobs := map[string]*job{}
	wanted := map[string]discovery.Configs{}
	for _, one := range loaded.Jobs {
		jobs[one.Name] = one
		wanted[one.Name] = one.Discovery
	}
	check("begin to discover", manager.ApplyConfig(wanted))
	var found []string
	for {
		select {
		case groups := <-manager.SyncCh():
			found = targetsOf(jobs, groups)
			if slices.Equal(found, expected) {
				scrapeAll(jobs, found)
				fmt.Println("ok all")
				return
			}
		case <-ctx.Done():
			fmt.Printf("expected:\n%s\nfound:\n%s\n", strings.Join(expected, "\n"), strings.Join(found, "\n"))
			os.Exit(1)
		}
	}
}

// What is left of the discovered targets after relabelling, sorted.
func targetsOf(jobs map[string]*job, groups map[string][]*targetgroup.Group) []string {
	found := []string{}
	for name, from := range jobs {
		for _, group := range groups[name] {
			for _, target := range group.Targets {
				if line, kept := lineOf(from, group.Labels, target); kept {
					found = append(found, line)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func lineOf(from *job, ofGroup, ofTarget model.LabelSet) (string, bool) {
	builder := labels.NewBuilder(labels.EmptyLabels())
	for _, set := range []model.LabelSet{ofGroup, ofTarget} {
		for name, value := range set {
			builder.Set(string(name), string(value))
		}
	}
	builder.Set(model.SchemeLabel, from.Scheme)
	builder.Set(model.MetricsPathLabel, from.MetricsPath)
	builder.Set(model.JobLabel, from.Name)
	if !relabel.ProcessBuilder(builder, from.Relabel...) {
		return "", false
	}
	url := builder.Get(model.SchemeLabel) + "://" + builder.Get(model.AddressLabel) + builder.Get(model.MetricsPathLabel)
	words := []string{from.Name, url}
	builder.Labels().Range(func(label labels.Label) {
		if !strings.HasPrefix(label.Name, "__") && label.Name != model.JobLabel && label.Value != "" {
			words = append(words, label.Name+"="+label.Value)
		}
	})
	return strings.Join(words, " "), true
}

// Those of the cluster's own, with the job's credentials and certificates: what pods answer is their business.
func scrapeAll(jobs map[string]*job, targets []string) {
	for _, target := range targets {
		words := strings.Split(target, " ")
		if !strings.HasPrefix(words[1], "https://") {
			continue
		}
		client, err := httpconfig.NewClientFromConfig(jobs[words[0]].Client, words[0])
		check("make a client for "+words[0], err)
		response, err := client.Get(words[1])
		check("scrape "+words[1], err)
		_, _ = io.CopyN(io.Discard, response.Body, 1<<20)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			check("scrape "+words[1], fmt.Errorf("status %d", response.StatusCode))
		}
	}
}

func lines(from io.Reader) []string {
	found := []string{}
	for scanner := bufio.NewScanner(from); scanner.Scan(); {
		if scanner.Text() != "" {
			found = append(found, scanner.Text())
		}
	}
	slices.Sort(found)
	return found
}

func check(step string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "cannot %s: %v\n", step, err)
		os.Exit(1)
	}
}
